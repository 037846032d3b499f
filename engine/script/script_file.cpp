#include "script/script_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace perilune::script {
namespace {

struct Descriptor {
  explicit Descriptor(int number) : fd(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  const int fd;
};

Error failure(const std::string& path, const std::string& why) {
  return {ErrorCode::ScriptError, Side::Script, path + ": " + why};
}

}  // namespace

Error too_large(const std::string& path, size_t bytes_max) {
  return failure(path, "larger than " + std::to_string(bytes_max) + " bytes");
}

Result<std::string> read_whole_file(const std::string& path, size_t bytes_max) {
  // A pipe or device could block for ever: NONBLOCK until it is known to be a file.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) return failure(path, std::strerror(errno));
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return failure(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return failure(path, "not a regular file");
  if (static_cast<uint64_t>(status.st_size) > bytes_max) return too_large(path, bytes_max);
  std::string content(static_cast<size_t>(status.st_size) + 1, '\0');
  size_t size = 0;
  for (;;) {
    if (size == content.size())
      content.resize(size * 2);  // it grows while it is read, or lies about its size (/proc)
    const ssize_t count = ::read(file.fd, content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(path, std::strerror(errno));
    if (count == 0) break;
    size += static_cast<size_t>(count);
    if (size > bytes_max) return too_large(path, bytes_max);
  }
  content.resize(size);
  return content;
}

}  // namespace perilune::script
