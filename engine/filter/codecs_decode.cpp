#include "base/log.hpp"
#include "filter/codecs.hpp"
#include "filter/message_output.hpp"

// How the codecs take bytes apart.
namespace perilune::filter {

using flow::Event;
using ItemKind = http::Item::Kind;

void DecodeRequests::on_start() {
  parser_.emplace(http::Kind::Request);
  exchanges_ = OpenExchanges::of(context());
  exchanges_->has_request_decoder = true;
  exchanges_->reader = &pump_task_;
}

void DecodeRequests::on_event(Event&& event) {
  if (event.is_data()) {
    if (is_tunnel_) {
      output(std::move(event));
      return;
    }
    parser_->feed(std::move(event.slice()));
    pump();
  } else if (event.is_stream_end()) {
    if (event.error() || is_tunnel_) {
      output(std::move(event));
      return;
    }
    input_ended_ = true;
    pump();
  }
}

bool DecodeRequests::may_begin() const {
  if (had_last_ || awaits_upgrade_) return false;
  return !(exchanges_->has_response_encoder && exchanges_->of_client.is_full()) &&
         !(exchanges_->has_response_decoder && exchanges_->to_upstream.is_full());
}

void DecodeRequests::pump() {
  if (is_tunnel_ || is_ended()) return;
  if (awaits_upgrade_ && exchanges_->is_tunnel) {
    become_tunnel();
    return;
  }
  if (exchanges_->of_client.empty()) awaits_upgrade_ = false;
  bool has_more = true;
  while (has_more && !is_ended() && !exchanges_->is_over) {
    if (parser_->at_boundary() && !may_begin()) break;
    http::Item item = parser_->next();
    if (item.kind == ItemKind::NeedMore && input_ended_) item = parser_->finish();
    switch (item.kind) {
      case ItemKind::NeedMore: has_more = false; break;
      case ItemKind::Head:
        begin(static_cast<message::RequestHead&>(*item.head));
        is_within_ = !item.ends;
        context().set_request(item.head);
        output(Event::message_start(std::move(item.head)));
        break;
      case ItemKind::Body:
        is_within_ = !item.ends;
        output(Event::data(std::move(item.body)));
        break;
      case ItemKind::End:
        is_within_ = false;
        output(Event::message_end(std::move(item.trailers)));
        break;
      case ItemKind::Failed:
        had_last_ = true;
        has_more = false;
        // Half a head and the client has ended: nobody asks.
        if (!is_within_ && parser_->failure().code == ErrorCode::Truncated) break;
        is_refusing_ = !is_within_ && exchanges_->has_response_encoder;
        if (is_refusing_) break;
        // Straight to the client: an upstream that is not connected yet would make a clean end of it.
        output_from_pipeline(Event::stream_end(std::make_unique<Error>(parser_->failure())));
        return;
    }
    if (item.ends && !is_ended()) output(Event::message_end());
  }
  if (is_ended()) return;
  if (is_refusing_) {
    if (exchanges_->of_client.empty()) refuse();
    return;
  }
  if (exchanges_->is_over || input_ended_ || !has_more) hold_.release();
  else if (!hold_) hold_ = input_valve().hold();
  if (input_ended_ && (!has_more || had_last_) && !exchanges_->is_over) {
    is_tunnel_ = true;  // nothing is parsed any more
    output(Event::stream_end());
  }
}

void DecodeRequests::refuse() {
  is_tunnel_ = true;  // nothing is parsed any more
  const Error& error = parser_->failure();
  services_.stats.count(error.code);
  Ref<flow::Message> message = error_message(error, chunks());
  log::write(log::Level::Info, error.to_string() + " -> " + std::to_string(message->response()->status));
  exchanges_->of_client.push({.keep_alive = false});
  give_message(*message, answer_sink());
}

void DecodeRequests::begin(message::RequestHead& head) {
  // A body and a tunnel behind one head are two readings of the same bytes; and who does not look at the
  // answers does not learn that a tunnel began.
  if (head.body.kind != message::BodyKind::None || !exchanges_->has_response_encoder) head.upgrade.clear();
  if (exchanges_->of_client.is_full()) exchanges_->of_client.pop();  // nobody counts
  Asked asked = Asked::by(head);
  if (is_leaving_ && exchanges_->has_response_encoder) asked.keep_alive = false;
  had_last_ = !asked.keep_alive || head.method == "CONNECT";
  exchanges_->of_client.push(asked);
  awaits_upgrade_ = !head.upgrade.empty();
}

void DecodeRequests::become_tunnel() {
  is_tunnel_ = true;
  hold_.release();
  buffer::Buffer rest = parser_->take_rest();
  while (!rest.empty() && !is_ended()) output(Event::data(rest.take_slice()));
  if (input_ended_ && !is_ended()) output(Event::stream_end());
}

void DecodeRequests::on_stop() {
  pump_task_.withdraw();
  hold_.release();
  if (exchanges_ && exchanges_->reader == &pump_task_) exchanges_->reader = nullptr;
}

void DecodeRequests::on_reset() {
  parser_.reset();
  exchanges_.reset();
  awaits_upgrade_ = had_last_ = is_within_ = is_refusing_ = input_ended_ = is_tunnel_ = is_leaving_ = false;
}

void DecodeResponses::on_start() {
  parser_.emplace(http::Kind::Response);
  exchanges_ = OpenExchanges::of(context());
  exchanges_->has_response_decoder = true;
}

void DecodeResponses::on_event(Event&& event) {
  if (event.is_stream_end()) {
    if (event.error() || exchanges_->is_tunnel) {
      output(std::move(event));
      return;
    }
    input_ended_ = true;
    pump();
  } else if (!event.is_data() || is_taking_) {
    take_ready(std::move(event));
  } else if (exchanges_->is_tunnel) {
    output(std::move(event));
  } else {
    parser_->feed(std::move(event.slice()));
    pump();
  }
}

void DecodeResponses::expect() {
  if (is_expecting_) return;
  if (!exchanges_->has_request_encoder) parser_->expect_response_to("GET");
  else if (exchanges_->to_upstream.empty()) return;
  else
    parser_->expect_response_to(exchanges_->to_upstream.front().method_name(),
                                exchanges_->to_upstream.front().offer);
  is_expecting_ = true;
}

void DecodeResponses::pump() {
  while (!is_ended() && !exchanges_->is_over && !is_passing_) {
    if (!exchanges_->to_upstream.empty() && exchanges_->to_upstream.front().is_answered) {
      give_ready();
      continue;
    }
    expect();
    http::Item item = parser_->next();
    const bool is_missing = exchanges_->has_request_encoder || !parser_->at_boundary();
    if (item.kind == ItemKind::NeedMore && input_ended_ && is_missing) item = parser_->finish();
    switch (item.kind) {
      case ItemKind::NeedMore:
        if (input_ended_) output(Event::stream_end());
        return;
      case ItemKind::Head: begin(std::move(item.head)); break;
      case ItemKind::Body: output(Event::data(std::move(item.body))); break;
      case ItemKind::End: finish(std::move(item.trailers)); break;
      case ItemKind::Failed:
        if (is_expecting_ || !exchanges_->of_client.empty()) {
          fail(parser_->failure());
          return;
        }
        // Every answer is given and whole: what comes behind them does not have to take them back.
        log::write(log::Level::Warn, parser_->failure().to_string() + " -> closed");
        exchanges_->is_over = true;
        pipeline().stop_input();
        output(Event::stream_end());
        return;
    }
    if (item.ends && !is_ended()) finish(nullptr);
    if (exchanges_->is_tunnel) return;
  }
}

void DecodeResponses::begin(Ref<message::Head> head) {
  context().set_response(head);
  const bool is_tunnel = parser_->is_tunnel();
  exchanges_->is_tunnel = is_tunnel;
  output(Event::message_start(std::move(head)));
  if (!is_tunnel) return;
  buffer::Buffer rest = parser_->take_rest();
  while (!rest.empty() && !is_ended()) output(Event::data(rest.take_slice()));
  if (input_ended_ && !is_ended()) output(Event::stream_end());
}

void DecodeResponses::finish(Ref<message::Trailers> trailers) {
  is_expecting_ = false;
  if (exchanges_->has_request_encoder) exchanges_->to_upstream.pop();
  output(Event::message_end(std::move(trailers)));
}

void DecodeResponses::take_ready(Event&& event) {
  if (event.is_message_start()) {
    if (event.is_interim()) return;
    const bool is_turn = exchanges_->to_upstream.empty();
    const message::ResponseHead* head = event.response();
    if (!is_turn && (exchanges_->to_upstream.is_full() || (head && head->error))) {
      // What failed failed for all that are open: none of them may wait for an answer that cannot come.
      fail(head && head->error ? *head->error
                               : Error{ErrorCode::QueueFull, Side::Script, "too many early answers"});
      return;
    }
    // Nothing comes from the wire meanwhile, so what comes is this message.
    hold_ = input_valve().hold();
    is_taking_ = true;
    is_passing_ = is_turn;
    if (!is_turn) exchanges_->to_upstream.push({.is_answered = true});
  }
  if (!is_taking_) return;
  const bool is_end = event.is_message_end();
  if (is_end) {
    is_taking_ = false;
    hold_.release();
  }
  if (!is_passing_) {
    ready_.push_back(std::move(event));
    return;
  }
  if (is_end) is_passing_ = false;
  output(std::move(event));
  if (is_end) pump();
}

void DecodeResponses::give_ready() {
  exchanges_->to_upstream.pop();
  size_t given = 0;
  bool has_ended = false;
  while (given < ready_.size() && !has_ended && !is_ended()) {
    has_ended = ready_[given].is_message_end();
    output(std::move(ready_[given++]));
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<ptrdiff_t>(given));
  is_passing_ = !has_ended;
}

void DecodeResponses::on_reset() {
  parser_.reset();
  exchanges_.reset();
  ready_.clear();
  is_expecting_ = is_taking_ = is_passing_ = input_ended_ = false;
}

}  // namespace perilune::filter
