#include "atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace relufit::detail {
namespace {

[[noreturn]] void fail(const std::string& path, int error) {
  throw std::runtime_error(fmt::format("{}: cannot be written: {}", path, std::generic_category().message(error)));
}

/// Returns 0 or the errno of the first failure. Closes the descriptor in any case.
int write_and_close(int descriptor, std::string_view content, bool synchronize) {
  int error = 0;
  while (error == 0 && !content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written > 0) {
      content.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0) {
      error = EIO;
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  // Without this a crash shortly after the rename could leave an empty file under the final name.
  // EINVAL: a file system that cannot synchronize.
  if (error == 0 && synchronize && ::fsync(descriptor) != 0 && errno != EINVAL) error = errno;
  if (::close(descriptor) != 0 && error == 0) error = errno;
  return error;
}

/// Not mkstemp: that would ignore the umask and make every new file private.
int open_temporary(const std::string& target, std::string& temporary) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    temporary = fmt::format("{}.tmp-{}-{}", target, ::getpid(), attempt);
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
  return -1;
}

}  // namespace

void write_file_atomically(const std::string& path, std::string_view content) {
  struct stat present = {};
  const bool exists = ::stat(path.c_str(), &present) == 0;
  if (exists && S_ISDIR(present.st_mode)) fail(path, EISDIR);
  if (exists && !S_ISREG(present.st_mode)) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) fail(path, errno);
    if (const int error = write_and_close(descriptor, content, false)) fail(path, error);
    return;
  }
  // The rename would ignore a write protection of the file itself, which only its directory's permissions govern.
  if (exists && ::access(path.c_str(), W_OK) != 0) fail(path, errno);

  std::error_code ignored;
  std::filesystem::path resolved = std::filesystem::weakly_canonical(path, ignored);
  const std::string target = ignored || resolved.empty() ? path : resolved.string();
  std::string temporary;
  const int descriptor = open_temporary(target, temporary);
  if (descriptor < 0) fail(path, errno);
  int error = exists && ::fchmod(descriptor, present.st_mode & 07777) != 0 ? errno : 0;
  const int write_error = write_and_close(descriptor, content, true);
  if (error == 0) error = write_error;
  if (error == 0 && ::rename(temporary.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail(path, error);
  }
}

}  // namespace relufit::detail
