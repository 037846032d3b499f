#pragma once

#include <memory>

#include "edge/channel.hpp"
#include "edge/dial.hpp"
#include "flow/pipeline.hpp"

namespace perilune::upstream {

/// The stream to the address that the context's key is: `connect` without its options, which is a floor
/// above.
class KeyDial final : public flow::Filter, public edge::DialHandler, public edge::ChannelHandler {
 public:
  explicit KeyDial(net::Network& network) : network_(network) {}

 private:
  void on_start() override {
    context().make_upstream().endpoint = *context().key().string();
    dial_ = std::make_unique<edge::Dial>(pipeline().runtime(), network_, *this);
    dial_->start(net::Address::parse(context().make_upstream().endpoint).value(), {});
  }
  void on_event(flow::Event&& event) override {
    if (event.is_data()) {
      if (channel_) channel_->write(std::move(event.slice()));
      else waiting_.append(std::move(event.slice()));
    } else if (event.is_stream_end() && channel_) {
      channel_->shutdown();
    }
  }
  void on_dialled(Result<std::unique_ptr<net::Stream>> stream) override {
    const std::unique_ptr<edge::Dial> finished = std::move(dial_);
    if (stream.has_error()) {
      fail(stream.error());
      return;
    }
    flow::UpstreamInfo& info = context().make_upstream();
    info.is_connected = true;
    if (info.connected_task) loop().defer(*info.connected_task);
    channel_ = std::make_unique<edge::Channel>(pipeline().runtime(), std::move(*stream), *this,
                                               edge::ChannelOptions{});
    channel_->set_read_valve(output_valve());
    channel_->set_write_valve(pipeline().input_valve());
    channel_->start();
    channel_->write(std::move(waiting_));
    waiting_.clear();
  }
  void on_channel_data(buffer::Slice slice) override {
    if (!is_ended()) output(flow::Event::data(std::move(slice)));
  }
  void on_channel_end() override {
    if (!is_ended()) output(flow::Event::stream_end());
  }
  void on_channel_failed(ErrorCode code) override {
    if (!is_ended()) fail(Error{code, Side::Upstream, context().make_upstream().endpoint});
  }
  void on_stop() override {
    dial_.reset();
    if (channel_) channel_->close();
  }
  void on_reset() override {
    channel_.reset();
    waiting_.clear();
  }

  net::Network& network_;
  std::unique_ptr<edge::Dial> dial_;
  std::unique_ptr<edge::Channel> channel_;
  buffer::Buffer waiting_;
};

class KeyDialPlan final : public flow::FilterPlan {
 public:
  explicit KeyDialPlan(net::Network& network) : network_(network) {}
  std::unique_ptr<flow::Filter> make() const override { return std::make_unique<KeyDial>(network_); }
  bool answers() const override { return true; }

 private:
  net::Network& network_;
};

}  // namespace perilune::upstream
