#pragma once

#include <map>

#include "net/random.hpp"
#include "play.hpp"

namespace perilune::tests {

/// Bytes that say at every place whose they are.
inline std::string pattern(std::string_view owner, size_t bytes) {
  std::string text;
  for (size_t i = 0; text.size() < bytes; ++i)
    text.append(owner).append(".").append(std::to_string(i)).append(",");
  text.resize(bytes);
  return text;
}

inline std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

/// A body in chunks of drawn sizes.
inline std::string chunked(std::string_view body, net::Random& dice) {
  std::string text;
  while (!body.empty()) {
    const size_t size = 1 + dice.below(std::min<size_t>(body.size(), 4000));
    char line[32];
    std::snprintf(line, sizeof line, "%zx", size);
    text.append(line)
        .append(dice.chance(0.1) ? ";note=x\r\n" : "\r\n")
        .append(body.substr(0, size))
        .append("\r\n");
    body.remove_prefix(size);
  }
  return text + (dice.chance(0.2) ? "0\r\nX-Trailer: t\r\n\r\n" : "0\r\n\r\n");
}

inline size_t draw_size(net::Random& dice, size_t bytes_max) {
  if (dice.chance(0.3)) return 0;
  if (dice.chance(0.8)) return dice.below(200);
  return dice.below(dice.chance(0.8) ? std::min<size_t>(bytes_max, 4'000) : bytes_max);
}

/// One request of a run and all that is known of its fate.
struct Exchange {
  uint64_t id = 0;
  std::string method;
  std::string path;
  size_t body_bytes = 0;
  bool is_last = false;  // asks to close, or is of HTTP/1.0
  std::string wire;
  int deliveries = 0;         // heads of it that upstreams have seen
  std::string answer;         // the body that its upstream began to send
  bool may_be_short = false;  // the upstream's answer ended with its connection, so a cut of that is no cut
};

/// The book of a run: who asked what, and everything that went wrong.
struct Book {
  std::map<uint64_t, Exchange> exchanges;
  std::string faults;
  bool cuts_look_like_ends = false;  // the network itself ends directions early
  size_t body_bytes_max = 60'000;
  size_t answered = 0;
  size_t refused = 0;
  size_t cut = 0;

  void wrong(const std::string& what) {
    if (faults.size() < 2000) faults += what + "\n";
  }
};

/// What makes upstreams misbehave.
struct UpstreamManners {
  double early = 0.1;
  double broken = 0.08;
  double silent = 0.01;
  double surplus = 0.03;
  bool is_good = false;  // answers well and at once
  bool judges = true;    // knows who may ask what
};

/// Upstreams at one address that answer each request with a pattern of its id, in every way there is.
class ChaosUpstream {
 public:
  ChaosUpstream(Play& play, Book& book, std::string_view address, uint64_t seed)
      : play_(play), book_(book), dice_(seed), server_(play.outside, address_of(address)) {
    server_.on_peer = [this](sim::SimPeer& peer) {
      lines_.push_back(std::make_unique<Line>(peer));
      Line& line = *lines_.back();
      peer.on_news = [this, &line](sim::SimPeer&) { read(line); };
    };
  }
  UpstreamManners manners;
  sim::SimServer& server() { return server_; }

 private:
  struct Line {
    explicit Line(sim::SimPeer& end) : peer(end) {}
    sim::SimPeer& peer;
    size_t taken = 0;
    size_t piece_bytes = 0;  // once it sends slowly it always does: what is left must not be overtaken
    bool is_answering = false;
    bool knows_front = false;  // the head at `taken` was seen
    bool answered_front = false;
    bool is_done = false;  // answers nothing any more
  };

  void read(Line& line) {
    if (!line.peer.is_open()) return;
    try {
      serve(line);
    } catch (const std::exception& error) {
      book_.wrong(std::string("an upstream got: ") + error.what());
      line.peer.reset();
    }
    if (line.peer.is_open() && line.peer.is_over()) line.peer.close();
  }

  void serve(Line& line) {
    while (!line.is_answering && !line.is_done && line.peer.is_open()) {
      const std::string_view stream = std::string_view(line.peer.received()).substr(line.taken);
      const WireMessage request = take_message(stream, WireKind::Request, false);
      if (request.head.empty()) return;
      Exchange* exchange = find(request);
      if (!exchange) return line.peer.reset();
      if (!line.knows_front) {
        line.knows_front = true;
        if (++exchange->deliveries > 1 && exchange->method == "POST")
          book_.wrong("POST " + std::to_string(exchange->id) + " was delivered " +
                      std::to_string(exchange->deliveries) + " times");
      }
      check_body(request, *exchange);
      const bool was_answered = line.answered_front;
      const bool is_early =
          !was_answered && !request.is_complete && !manners.is_good && dice_.chance(manners.early);
      if (!request.is_complete && !is_early) return;
      if (request.is_complete) {
        line.taken += request.bytes;
        line.knows_front = line.answered_front = false;
      } else if (dice_.chance(0.5)) {
        line.is_done = true;
      } else {
        line.answered_front = true;  // and reads the rest of it, in the hope of more requests
      }
      if (!was_answered) answer(line, *exchange);
    }
  }

  Exchange* find(const WireMessage& request) {
    if (!manners.judges) {
      guests_.push_back(std::make_unique<Exchange>());
      guests_.back()->id = std::strtoull(request.field("x-id").c_str(), nullptr, 10);
      return guests_.back().get();
    }
    const auto found = book_.exchanges.find(std::strtoull(request.field("x-id").c_str(), nullptr, 10));
    if (found != book_.exchanges.end() && request.head.starts_with(found->second.method + " "))
      return &found->second;
    book_.wrong("an upstream got a request that nobody sent: " + request.head);
    return nullptr;
  }

  void check_body(const WireMessage& request, const Exchange& exchange) {
    if (!manners.judges) return;
    std::string expected = pattern("q" + std::to_string(exchange.id), exchange.body_bytes);
    if (exchange.path.starts_with("/up")) expected = upper(expected);
    const bool is_right = request.is_complete ? request.body == expected : expected.starts_with(request.body);
    if (!is_right)
      book_.wrong("request " + std::to_string(exchange.id) + " reached an upstream with " +
                  std::to_string(request.body.size()) + " of " + std::to_string(expected.size()) + " bytes" +
                  (request.is_complete ? ", complete" : "") + ": " + request.body.substr(0, 60));
  }

  void answer(Line& line, Exchange& exchange) {
    if (!manners.is_good && dice_.chance(manners.silent)) {
      line.is_done = true;
      return;
    }
    line.is_answering = true;
    Duration delay = manners.is_good || dice_.chance(0.4)
                         ? Duration(0ms)
                         : Duration(std::chrono::milliseconds(dice_.below(300)));
    if (!manners.is_good && dice_.chance(0.01)) delay = 65s;
    if (delay == 0ms) return send(line, exchange);
    play_.world.after(delay, [this, &line, &exchange] { send(line, exchange); });
  }

  void send(Line& line, Exchange& exchange) {
    line.is_answering = false;
    if (!line.peer.is_open()) return;
    const bool is_good = manners.is_good;
    const auto draw = [&](double chance) { return !is_good && dice_.chance(chance); };
    const bool is_bodiless = exchange.method == "HEAD";
    const std::string id = std::to_string(exchange.id);
    // A request that is sent again has the same answer again, and perhaps on its way already.
    net::Random of_id(exchange.id * 77);
    exchange.answer = pattern("a" + id, is_good ? 20 : draw_size(of_id, book_.body_bytes_max));
    const bool is_empty = !is_good && of_id.chance(0.05);
    std::string text;
    if (draw(0.05)) text += "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    text += is_empty    ? "HTTP/1.1 204 No Content\r\n"
            : draw(0.1) ? "HTTP/1.1 503 Busy\r\n"
                        : "HTTP/1.1 200 OK\r\n";
    text += "X-Id: " + id + "\r\n";
    bool closes = draw(0.08);
    bool is_until_close = false;
    if (is_empty) {
      exchange.answer.clear();
      text += "\r\n";
    } else if (draw(0.08) && !is_bodiless) {
      is_until_close = closes = true;
      text += "\r\n" + exchange.answer;
    } else if (draw(0.3)) {
      text += "Transfer-Encoding: chunked\r\n\r\n";
      if (!is_bodiless) text += chunked(exchange.answer, dice_);
    } else {
      if (closes && draw(0.5)) text += "Connection: close\r\n";
      text += "Content-Length: " + std::to_string(exchange.answer.size()) + "\r\n\r\n";
      if (!is_bodiless) text += exchange.answer;
    }
    if (is_bodiless) exchange.answer.clear();
    if (draw(manners.broken)) {
      text.resize(dice_.below(text.size()));
      closes = true;
      if (draw(0.5)) {
        exchange.may_be_short |= is_until_close && book_.cuts_look_like_ends;
        line.is_done = true;
        line.peer.send(text);
        return line.peer.reset();
      }
    } else if (!closes && draw(manners.surplus)) {
      text += "\x01 what nobody asked for";
      line.is_done = true;
    }
    exchange.may_be_short |= is_until_close;
    if (line.piece_bytes == 0 && draw(0.1)) line.piece_bytes = 1 + text.size() / (1 + dice_.below(30));
    if (line.piece_bytes > 0)
      line.peer.send_slowly(text, std::max(line.piece_bytes, is_good ? text.size() : text.size() / 50), 20ms);
    else line.peer.send(text);
    if (closes || line.is_done) {
      line.is_done = true;
      line.peer.close_when_sent();
      return;
    }
    serve(line);
  }

  Play& play_;
  Book& book_;
  net::Random dice_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<std::unique_ptr<Exchange>> guests_;
  sim::SimServer server_;
};

/// How one client behaves.
struct ClientManners {
  size_t window = 1;       // requests sent before their answers are there
  size_t piece_bytes = 0;  // 0: as fast as it goes
  Duration leaves_after = Duration::max();
  bool leaves_by_reset = false;
  bool half_closes = false;  // behind its last request
  bool pauses_reading = false;
  bool stays = false;  // keeps the connection when all is answered
};

/// A client: sends its exchanges over one connection and judges what comes back.
class ChaosClient {
 public:
  ChaosClient(Play& play, Book& book, const ClientManners& manners)
      : play_(play), book_(book), manners_(manners) {}

  void add(Exchange& exchange) { exchanges_.push_back(&exchange); }
  void start(const net::Address& proxy) {
    if (has_left_) return;
    client_ = std::make_unique<sim::SimClient>(play_.outside, proxy);
    client_->on_peer = [this](sim::SimPeer& peer) {
      peer.on_news = [this](sim::SimPeer&) { read(); };
      send_more();
      if (manners_.pauses_reading) {
        peer.pause_reading();
        play_.world.after(2s, [this] { client_->peer().resume_reading(); });
      }
    };
    if (manners_.leaves_after != Duration::max())
      play_.world.after(manners_.leaves_after, [this] { leave(); });
  }
  /// Nothing is outstanding any more, one way or the other.
  bool is_done() const {
    if (has_left_ || !client_) return has_left_;
    if (client_->has_failed()) return true;
    return client_->is_connected() &&
           (!client_->peer().is_open() || client_->peer().is_over() || judged_ == exchanges_.size());
  }
  void leave() {
    if (has_left_) return;
    has_left_ = true;
    if (client_ && client_->is_connected() && manners_.leaves_by_reset) client_->peer().reset();
    else if (client_) client_->drop();
  }
  std::string describe() const {
    return "client with " + std::to_string(judged_) + " of " + std::to_string(exchanges_.size()) +
           " answers" +
           (client_ && client_->is_connected()
                ? ", open, received " + client_->peer().received().substr(taken_, 200)
                : "");
  }

 private:
  void send_more() {
    sim::SimPeer& peer = client_->peer();
    while (sent_ < exchanges_.size() && sent_ - judged_ < manners_.window && peer.is_open()) {
      const Exchange& exchange = *exchanges_[sent_++];
      if (manners_.piece_bytes == 0) peer.send(exchange.wire);
      else peer.send_slowly(exchange.wire, manners_.piece_bytes, 30ms);
    }
    if (manners_.half_closes && sent_ == exchanges_.size() && peer.is_open()) peer.finish_sending();
  }

  void read() {
    sim::SimPeer& peer = client_->peer();
    if (!peer.is_open()) return;
    try {
      while (judge(peer)) send_more();
    } catch (const std::exception& error) {
      book_.wrong(std::string("a client got: ") + error.what());
      peer.reset();
      return;
    }
    if (peer.is_over()) {
      book_.cut += exchanges_.size() - judged_;
      peer.close();
    } else if (judged_ == exchanges_.size() && !manners_.stays) {
      peer.close();
    }
  }

  /// Takes one answer; false when there is no whole one.
  bool judge(sim::SimPeer& peer) {
    const std::string_view stream = std::string_view(peer.received()).substr(taken_);
    if (stream.empty()) return false;
    if (judged_ == exchanges_.size()) {
      // A timeout of an unused connection is announced so.
      if (!stream.starts_with("HTTP/1.1 408"))
        book_.wrong("bytes behind the last answer: " + std::string(stream.substr(0, 200)));
      taken_ = peer.received().size();
      return false;
    }
    const Exchange& exchange = *exchanges_[judged_];
    const WireMessage answer = take_message(
        stream, exchange.method == "HEAD" ? WireKind::ResponseToHead : WireKind::Response, peer.has_ended());
    if (answer.head.empty()) return false;
    if (answer.is_complete && answer.status() < 200) {
      taken_ += answer.bytes;
      return true;
    }
    check(exchange, answer);
    if (!answer.is_complete) return false;
    taken_ += answer.bytes;
    ++judged_;
    return true;
  }

  void check(const Exchange& exchange, const WireMessage& answer) {
    const std::string id = std::to_string(exchange.id);
    const std::string came = answer.field("x-id");
    if (came.empty()) {
      const int status = answer.status();
      const bool is_known = status == 400 || status == 408 || status == 502 || status == 503 || status == 504;
      if (!is_known) book_.wrong("request " + id + " was answered: " + answer.head + answer.body);
      book_.refused += answer.is_complete;
      return;
    }
    if (came != id) book_.wrong("request " + id + " got the answer of " + came + ":\n" + answer.head);
    std::string expected = exchange.answer;
    if (exchange.path.starts_with("/up")) expected = upper(expected);
    if (exchange.path.starts_with("/own")) expected = exchange.method == "HEAD" ? "" : "own " + id;
    const bool may_be_short = exchange.may_be_short || (answer.is_until_close && book_.cuts_look_like_ends);
    const bool is_right =
        answer.is_complete && !may_be_short ? answer.body == expected : expected.starts_with(answer.body);
    if (!is_right)
      book_.wrong("request " + id + " got " + std::to_string(answer.body.size()) + " of " +
                  std::to_string(expected.size()) + " bytes" + (answer.is_complete ? ", complete" : "") +
                  ": " + answer.head + answer.body.substr(0, 100));
    book_.answered += answer.is_complete;
  }

  Play& play_;
  Book& book_;
  ClientManners manners_;
  std::unique_ptr<sim::SimClient> client_;
  std::vector<Exchange*> exchanges_;
  size_t sent_ = 0;
  size_t judged_ = 0;
  size_t taken_ = 0;
  bool has_left_ = false;
};

/// Echoes bytes, and sometimes breaks off. With a tunnel it answers an upgrade first.
class ChaosEcho {
 public:
  enum class Opening { None, Upgrade };
  ChaosEcho(Play& play, std::string_view address, Opening opening, uint64_t seed)
      : opening_(opening), dice_(seed), server_(play.outside, address_of(address)) {
    server_.on_peer = [this](sim::SimPeer& peer) {
      const size_t breaks_at = dice_.chance(breaks) ? dice_.below(3000) : SIZE_MAX;
      auto taken = std::make_shared<size_t>(0);
      const auto is_open = std::make_shared<bool>(opening_ == Opening::None);
      peer.on_news = [this, taken, is_open, breaks_at](sim::SimPeer& end) {
        if (!end.is_open()) return;
        if (!*is_open) {
          const WireMessage head = take_message(end.received(), WireKind::Request, false);
          if (head.head.empty()) return end.is_over() ? end.close() : void();
          *is_open = true;
          *taken = head.bytes;
          end.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        }
        end.send(std::string_view(end.received()).substr(*taken));
        *taken = end.received().size();
        if (*taken >= breaks_at) return end.reset();
        if (end.was_reset()) end.close();
        else if (end.has_ended()) end.close_when_sent();
      };
    };
  }
  double breaks = 0.1;
  sim::SimServer& server() { return server_; }

 private:
  const Opening opening_;
  net::Random dice_;
  sim::SimServer server_;
};

/// Sends bytes, expects them back, and an end behind them.
class EchoClient {
 public:
  EchoClient(Play& play, ChaosEcho::Opening opening, size_t bytes, std::string_view name)
      : play_(play), opening_(opening), bytes_(pattern(name, bytes)) {}
  void start(const net::Address& proxy, size_t piece_bytes) {
    if (has_left_) return;
    client_ = std::make_unique<sim::SimClient>(play_.outside, proxy);
    client_->on_peer = [this, piece_bytes](sim::SimPeer& peer) {
      std::string out;
      if (opening_ == ChaosEcho::Opening::Upgrade)
        out = "GET /chat HTTP/1.1\r\nHost: proxy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
      out += bytes_;
      peer.on_news = [](sim::SimPeer& end) {
        if (end.is_open() && end.is_over()) end.close();
      };
      if (piece_bytes > 0) peer.send_slowly(out, piece_bytes, 10ms);
      else peer.send(out);
      peer.finish_sending();
    };
  }
  bool is_done() const {
    if (has_left_) return true;
    return client_ && (client_->has_failed() || (client_->is_connected() && !client_->peer().is_open()));
  }
  bool is_whole() const {
    return client_ && client_->is_connected() && client_->peer().has_ended() && came() == bytes_;
  }
  /// What is wrong with what came back; empty when nothing is.
  std::string judge(bool ends_may_be_cuts) const {
    if (!client_ || !client_->is_connected()) return {};
    const std::string back = came();
    if (!bytes_.starts_with(back)) return "a relay gave other bytes than it got: " + back.substr(0, 200);
    const bool is_refused =
        opening_ == ChaosEcho::Opening::Upgrade && !client_->peer().received().starts_with("HTTP/1.1 101");
    if (client_->peer().has_ended() && back != bytes_ && !ends_may_be_cuts && !is_refused)
      return "a relay ended after " + std::to_string(back.size()) + " of " + std::to_string(bytes_.size()) +
             " bytes";
    return {};
  }
  void leave() {
    has_left_ = true;
    if (client_) client_->drop();
  }

 private:
  std::string came() const {
    const std::string& received = client_->peer().received();
    if (opening_ == ChaosEcho::Opening::None) return received;
    const WireMessage head = take_message(received, WireKind::Response, false);
    return head.status() == 101 ? received.substr(head.bytes) : "";
  }
  Play& play_;
  const ChaosEcho::Opening opening_;
  const std::string bytes_;
  bool has_left_ = false;
  std::unique_ptr<sim::SimClient> client_;
};

}  // namespace perilune::tests
