#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace perilune::script {

/// The process, as the script that serves the admin address sees it. The app room implements it. Calls come
/// from the thread of that script.
class AdminHost {
 public:
  using Answer = std::function<void(Result<std::string>)>;

  /// The text that answers, or the sentence (detail) of what is wrong. `answer` is called once, in a coming
  /// turn of the loop that asks; never from within this call.
  virtual void ask(const std::string& what, std::string argument, Answer answer) = 0;
  /// Whether who sent this field Authorization may ask.
  virtual bool allows(std::string_view authorization) const = 0;
  /// Where to listen, as net::Address writes it.
  virtual std::string address() const = 0;

 protected:
  ~AdminHost() = default;
};

}  // namespace perilune::script
