#include "app/admin_client.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/limits.hpp"
#include "buffer/buffer.hpp"
#include "http/h1_parser.hpp"
#include "net/descriptor.hpp"
#include "net/socket_address.hpp"

namespace perilune::app {
namespace {

constexpr size_t answer_bytes_max = 64 * 1024 * 1024;
constexpr int look_interval_ms = 50;

Error failure(const AdminAddress& address, const std::string& why) {
  return {ErrorCode::ConnectFailure, Side::Engine,
          "admin address " + address.address.to_string() + ": " + why};
}

std::string why_not(const AdminAddress& address, int code) {
  const bool is_absent = code == ENOENT || code == ECONNREFUSED;
  if (!is_absent) return std::strerror(code);
  return address.is_default ? "no perilune listens there; --admin ADDR names another address"
                            : "no perilune listens there";
}

/// In a folder that all may write to, somebody else may have put a socket there first.
bool is_of_others(const AdminAddress& address) {
  struct stat file {};
  if (!address.is_default || ::stat(address.address.host.c_str(), &file) != 0) return false;
  return file.st_uid != geteuid() && file.st_uid != 0;
}

Result<net::Descriptor> connect_to(const AdminAddress& address, Duration patience) {
  const auto target = net::to_socket_address(address.address);
  if (!target) return failure(address, std::strerror(ENAMETOOLONG));
  if (is_of_others(address)) return failure(address, "the socket belongs to another user");
  net::Descriptor socket(::socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
  const timeval time{static_cast<time_t>(seconds.count()), 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  if (::connect(socket.get(), &target->any, target->size) != 0)
    return failure(address, why_not(address, errno));
  return socket;
}

/// As far as it is taken: who closes before has often said why, and that is read next.
void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

/// Takes what the parser has; true when the message is complete.
Result<bool> take_items(http::H1Parser& parser, const http::Item& first, AdminAnswer& answer) {
  for (http::Item item = first;; item = parser.next()) {
    switch (item.kind) {
      case http::Item::Kind::NeedMore: return false;
      case http::Item::Kind::Failed: return parser.failure();
      case http::Item::Kind::Head:
        answer.status = static_cast<const message::ResponseHead&>(*item.head).status;
        if (item.ends) return true;
        break;
      case http::Item::Kind::Body:
        answer.body.append(item.body.view());
        if (item.ends) return true;
        break;
      case http::Item::Kind::End: return true;
    }
  }
}

Result<AdminAnswer> read_answer(const AdminAddress& address, int socket, const std::string& method) {
  buffer::ChunkPool chunks;
  http::H1Parser parser(http::Kind::Response);
  parser.expect_response_to(method);
  AdminAnswer answer;
  char piece[16 * 1024];
  for (;;) {
    const ssize_t count = ::recv(socket, piece, sizeof piece, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(address, errno == EAGAIN ? "it does not answer" : std::strerror(errno));
    if (count > 0)
      parser.feed(buffer::buffer_of(std::string_view(piece, static_cast<size_t>(count)), chunks));
    const auto is_complete = take_items(parser, count > 0 ? parser.next() : parser.finish(), answer);
    if (!is_complete) return failure(address, "that is no perilune: " + is_complete.error().to_string());
    if (*is_complete) return answer;
    if (count == 0) return failure(address, "the answer is cut");
    if (answer.body.size() > answer_bytes_max) return failure(address, "the answer is too large");
  }
}

}  // namespace

Result<AdminAnswer> ask_admin(const AdminAddress& address, const std::string& method, const std::string& path,
                              Duration patience) {
  auto socket = connect_to(address, patience);
  if (!socket) return socket.error();
  std::string request = method + " " + path + " HTTP/1.1\r\nHost: perilune\r\nConnection: close\r\n";
  if (!address.token.empty()) request += "Authorization: Bearer " + address.token + "\r\n";
  if (method == "POST") request += "Content-Length: 0\r\n";
  send_all(socket->get(), request + "\r\n");
  return read_answer(address, socket->get(), method);
}

void wait_until_gone(const AdminAddress& address) {
  while (connect_to(address, 1s).has_value()) ::poll(nullptr, 0, look_interval_ms);
}

}  // namespace perilune::app
