#pragma once

#include "loop/loop.hpp"
#include "net/asio_driver.hpp"
#include "net/listen_sockets.hpp"
#include "net/network.hpp"

namespace perilune::net {

/// Accepts on a lent socket: a bounded number each turn, and nothing for a while when descriptors run out.
class AsioListener final : public Listener, private EventTarget {
 public:
  /// Errors (Side::Engine): Resources, when the kernel does not watch the socket.
  static Result<std::unique_ptr<AsioListener>> make(AsioDriver& driver, loop::Loop& loop, LentSocket socket,
                                                    ListenHandler& handler);
  ~AsioListener() override;

  Address local() const override { return socket_.local(); }
  void pause() override { is_paused_ = true; }
  void resume() override;
  size_t waiting() const override;
  void hand_over(ListenHandler& handler, const ListenOptions& options) override;

 private:
  enum class Round { Drained, Full, Stopped };

  AsioListener(AsioDriver& driver, loop::Loop& loop, LentSocket socket, ListenHandler& handler);
  void on_events(uint32_t events) override;
  Round accept_some();
  void rest(int error_number);
  void on_rested();
  bool has_spare_descriptors() const;

  loop::Loop& loop_;
  LentSocket socket_;
  ListenHandler* handler_;
  loop::MemberTimer<AsioListener, &AsioListener::on_rested> rest_timer_{*this};
  int first_spare_;
  bool is_paused_ = false;
  bool is_ending_ = false;
  bool* destroyed_ = nullptr;  // set while a round runs: handlers may destroy the listener
};

}  // namespace perilune::net
