#include "message/head.hpp"

#include <array>
#include <vector>

#include "base/surplus.hpp"

namespace perilune::message {

using namespace std::literals;
namespace {

constexpr size_t pooled_heads_max = 1024;  // heads in flight of a busy worker; more are freed
constexpr size_t pooled_text_max = 8192;   // one large head does not stay in memory for ever

/// Heads that are free for reuse. One list a thread: heads never change threads.
template <typename T>
struct FreeHeads final : ThreadPool {
  FreeHeads() { heads.reserve(pooled_heads_max); }
  ~FreeHeads() { drop(heads.size()); }
  void note_taken() { surplus_.note_taken(heads.size()); }
  size_t kept() const override { return heads.size(); }
  void drop(size_t count) override {
    for (; count > 0; --count) {
      delete heads.back();
      heads.pop_back();
    }
  }
  std::vector<T*> heads;
};

struct Phrase {
  int status;
  std::string_view text;
};

// RFC 9110 section 15, and the registry for 103, 425, 428, 429, 431, 451, 507, 508, 511.
constexpr std::array<Phrase, 55> phrases{{{100, "Continue"},
                                          {101, "Switching Protocols"},
                                          {102, "Processing"},
                                          {103, "Early Hints"},
                                          {200, "OK"},
                                          {201, "Created"},
                                          {202, "Accepted"},
                                          {203, "Non-Authoritative Information"},
                                          {204, "No Content"},
                                          {205, "Reset Content"},
                                          {206, "Partial Content"},
                                          {207, "Multi-Status"},
                                          {300, "Multiple Choices"},
                                          {301, "Moved Permanently"},
                                          {302, "Found"},
                                          {303, "See Other"},
                                          {304, "Not Modified"},
                                          {307, "Temporary Redirect"},
                                          {308, "Permanent Redirect"},
                                          {400, "Bad Request"},
                                          {401, "Unauthorized"},
                                          {402, "Payment Required"},
                                          {403, "Forbidden"},
                                          {404, "Not Found"},
                                          {405, "Method Not Allowed"},
                                          {406, "Not Acceptable"},
                                          {407, "Proxy Authentication Required"},
                                          {408, "Request Timeout"},
                                          {409, "Conflict"},
                                          {410, "Gone"},
                                          {411, "Length Required"},
                                          {412, "Precondition Failed"},
                                          {413, "Content Too Large"},
                                          {414, "URI Too Long"},
                                          {415, "Unsupported Media Type"},
                                          {416, "Range Not Satisfiable"},
                                          {417, "Expectation Failed"},
                                          {421, "Misdirected Request"},
                                          {422, "Unprocessable Content"},
                                          {423, "Locked"},
                                          {424, "Failed Dependency"},
                                          {425, "Too Early"},
                                          {426, "Upgrade Required"},
                                          {428, "Precondition Required"},
                                          {429, "Too Many Requests"},
                                          {431, "Request Header Fields Too Large"},
                                          {451, "Unavailable For Legal Reasons"},
                                          {500, "Internal Server Error"},
                                          {501, "Not Implemented"},
                                          {502, "Bad Gateway"},
                                          {503, "Service Unavailable"},
                                          {504, "Gateway Timeout"},
                                          {505, "HTTP Version Not Supported"},
                                          {507, "Insufficient Storage"},
                                          {511, "Network Authentication Required"}}};

}  // namespace

struct HeadPools {
  template <typename T>
  static FreeHeads<T>& pool() {
    thread_local FreeHeads<T> free;
    return free;
  }
  template <typename T>
  static bool give_back(T* head) {
    auto& heads = pool<T>().heads;
    if (heads.size() >= pooled_heads_max || head->headers.text_bytes() > pooled_text_max) return false;
    heads.push_back(head);
    return true;
  }
  template <typename T>
  static T* take() {
    FreeHeads<T>& free = pool<T>();
    if (free.heads.empty()) return nullptr;
    T* head = free.heads.back();
    free.heads.pop_back();
    free.note_taken();
    return head;
  }
};

void Head::reset() {
  version = Version::Http11;
  body = {};
  keep_alive = true;
  headers.clear();
  upgrade.clear();
  is_shared = false;
}

void make_own(Ref<Head>& head) {
  if (!head->is_shared) return;
  if (head->is_request()) head = static_cast<const RequestHead&>(*head).copy();
  else head = static_cast<const ResponseHead&>(*head).copy();
}

Ref<RequestHead> RequestHead::make() {
  RequestHead* head = HeadPools::take<RequestHead>();
  return Ref<RequestHead>(head ? head : new RequestHead());
}

void RequestHead::on_unreferenced() noexcept {
  if (!HeadPools::give_back(this)) {
    delete this;
    return;
  }
  reset();
  method.clear();
  path.clear();
  scheme = "http";
  expects_continue = false;
  accepts_trailers = false;
}

Ref<ResponseHead> ResponseHead::make() {
  ResponseHead* head = HeadPools::take<ResponseHead>();
  return Ref<ResponseHead>(head ? head : new ResponseHead());
}

void ResponseHead::on_unreferenced() noexcept {
  if (!HeadPools::give_back(this)) {
    delete this;
    return;
  }
  reset();
  status = 200;
  keep_alive_seconds = 0;
  reason.clear();
  error.reset();
}

Ref<ResponseHead> ResponseHead::of_error(const Error& failure) {
  auto head = make();
  head->status = http_status(failure.code);
  head->error = std::make_unique<Error>(failure);
  return head;
}

std::string_view RequestHead::host() const {
  const auto field = headers.find(Name::Host);
  if (!field) return {};
  std::string_view host = *field;
  if (!host.empty() && host.front() == '[') return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool RequestHead::is_idempotent() const {
  return method == "GET"sv || method == "HEAD"sv || method == "PUT"sv || method == "DELETE"sv ||
         method == "OPTIONS"sv || method == "TRACE"sv;
}

Ref<RequestHead> RequestHead::copy() const {
  auto head = make();
  head->version = version;
  head->body = body;
  head->keep_alive = keep_alive;
  head->headers = headers;
  head->upgrade = upgrade;
  head->method = method;
  head->path = path;
  head->scheme = scheme;
  head->expects_continue = expects_continue;
  head->accepts_trailers = accepts_trailers;
  return head;
}

Ref<ResponseHead> ResponseHead::copy() const {
  auto head = make();
  head->version = version;
  head->body = body;
  head->keep_alive = keep_alive;
  head->headers = headers;
  head->upgrade = upgrade;
  head->status = status;
  head->reason = reason;
  if (error) head->error = std::make_unique<Error>(*error);
  return head;
}

std::string_view reason_phrase(int status) {
  for (const auto& phrase : phrases)
    if (phrase.status == status) return phrase.text;
  return "Unknown";
}

}  // namespace perilune::message
