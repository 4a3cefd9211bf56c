#include "relufit/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>

namespace relufit {
namespace {

namespace fs = std::filesystem;

template <class Exception>
[[noreturn]] void fail(const std::string& path, const char* what, int error) {
  if (error == ENOMEM) throw std::bad_alloc();
  throw Exception(
      fmt::format("{}: cannot be {}: {}", path.empty() ? "''" : path, what, std::generic_category().message(error)));
}

/// Where an output goes.
struct Place {
  fs::path path;        ///< links followed
  int descriptor = -1;  ///< of the open file that the path stands for; -1: none
  struct stat status = {};
  bool exists = false;

  bool is_file() const { return descriptor < 0 && (!exists || S_ISREG(status.st_mode)); }
  fs::path folder() const { return path.has_parent_path() ? path.parent_path() : "."; }
};

/// The descriptor that an entry of this process' folder of open files stands for; -1 for other paths. Its entries look
/// like links, but to open what they name would be to begin at the front of a file of which part is written.
int descriptor_of(const fs::path& path) {
  std::error_code ignored;
  if (!path.has_parent_path() || !fs::equivalent(path.parent_path(), "/proc/self/fd", ignored)) return -1;
  const std::string name = path.filename();
  int descriptor = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), descriptor);
  return error == std::errc() && end == name.data() + name.size() ? descriptor : -1;
}

/// Returns 0 or an errno.
int follow(const std::string& path, Place& place) {
  constexpr int kMostLinks = 40;  // as in Linux
  place.path = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    place.descriptor = descriptor_of(place.path);
    if (place.descriptor >= 0) {
      place.exists = ::fstat(place.descriptor, &place.status) == 0;
      return place.exists ? 0 : errno;
    }
    if (::lstat(place.path.c_str(), &place.status) != 0) return errno == ENOENT && !path.empty() ? 0 : errno;
    place.exists = !S_ISLNK(place.status.st_mode);
    if (place.exists) return S_ISDIR(place.status.st_mode) ? EISDIR : 0;
    std::error_code error;
    place.path = place.folder() / fs::read_symlink(place.path, error);
    if (error) return error.value();
  }
  return ELOOP;
}

/// Returns 0 or the errno of the first failure.
int write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written > 0) {
      content.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0) {
      return EIO;
    } else if (errno == EAGAIN) {  // a pipe that somebody else made so
      struct pollfd wait = {descriptor, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

/// A file beside a place, which is removed again unless it is put there.
class Temporary {
 public:
  explicit Temporary(const Place& place) : target_(place.path) {
    // Not mkstemp: that would ignore the umask and make every new file private. The name is short, since the target's
    // may be as long as the file system allows.
    for (int attempt = 0; attempt < 1000; ++attempt) {
      path_ = place.folder() / fmt::format(".relufit-{}-{}", ::getpid(), attempt);
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      error_ = descriptor_ < 0 ? errno : 0;
      if (error_ != EEXIST) break;
    }
    begin(place);
  }
  /// The same file every time, in which a killed process may have left something.
  Temporary(const Place& place, std::string_view name) : target_(place.path), path_(place.folder() / name) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    error_ = descriptor_ < 0 ? errno : 0;
    begin(place);
  }
  ~Temporary() {
    close();
    if (is_here_) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  /// 0, or the errno of the first failure so far.
  int error() const { return error_; }

  /// Returns that.
  int put(const std::vector<std::string_view>& parts) {
    for (const std::string_view part : parts) {
      if (error_ == 0) error_ = write_all(descriptor_, part);
    }
    // Without this a crash shortly after the rename could leave an empty file under the final name.
    // EINVAL: a file system that cannot synchronize.
    if (error_ == 0 && ::fsync(descriptor_) != 0 && errno != EINVAL) error_ = errno;
    close();
    if (error_ == 0 && ::rename(path_.c_str(), target_.c_str()) != 0) error_ = errno;
    is_here_ = is_here_ && error_ != 0;
    return error_;
  }

 private:
  void begin(const Place& place) {
    is_here_ = error_ == 0;
    if (is_here_ && place.exists && ::fchmod(descriptor_, place.status.st_mode & 07777) != 0) error_ = errno;
  }
  void close() {
    if (descriptor_ >= 0 && ::close(descriptor_) != 0 && error_ == 0) error_ = errno;
    descriptor_ = -1;
  }

  fs::path target_, path_;
  int descriptor_ = -1;
  int error_ = 0;
  bool is_here_ = false;
};

/// Returns 0 or an errno.
int write_straight(const Place& place, std::string_view content) {
  if (place.descriptor >= 0) return write_all(place.descriptor, content);
  const int descriptor = ::open(place.path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int error = write_all(descriptor, content);
  return ::close(descriptor) != 0 && error == 0 ? errno : error;
}

/// The errno with which writing there is bound to fail, or 0. The rename would ignore a write protection of the file
/// itself, which only its folder's permissions govern.
int obstacle(const Place& place) {
  if (place.descriptor >= 0) {
    const int flags = ::fcntl(place.descriptor, F_GETFL);
    return flags < 0 ? errno : (flags & O_ACCMODE) == O_RDONLY ? EBADF : 0;
  }
  return place.exists && ::access(place.path.c_str(), W_OK) != 0 ? errno : 0;
}

}  // namespace

std::string read_file(const std::string& path) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (!file) fail<std::invalid_argument>(path, "read", errno);
  std::string content;
  struct stat status = {};
  if (::fstat(::fileno(file.get()), &status) == 0 && S_ISREG(status.st_mode)) {
    content.reserve(static_cast<std::size_t>(status.st_size));
  }
  char buffer[65536];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) content.append(buffer, count);
  if (std::ferror(file.get())) fail<std::invalid_argument>(path, "read", errno);
  return content;
}

void write_file(const std::string& path, std::string_view content) {
  Place place;
  int error = follow(path, place);
  if (error == 0) error = obstacle(place);
  if (error == 0) error = place.is_file() ? Temporary(place).put({content}) : write_straight(place, content);
  if (error != 0) fail<std::runtime_error>(path, "written", error);
}

void rewrite_file(const std::string& path, const std::vector<std::string_view>& parts) {
  Place place;
  int error = follow(path, place);
  if (error == 0) error = place.is_file() ? obstacle(place) : EINVAL;
  // Short, as in Temporary; another file of the folder has another.
  const std::size_t hash = std::hash<std::string>()(place.path.filename());
  if (error == 0) error = Temporary(place, fmt::format(".relufit-again-{:x}", hash)).put(parts);
  if (error != 0) fail<std::runtime_error>(path, "written", error);
}

void check_output(const std::string& path) {
  Place place;
  int error = follow(path, place);
  std::error_code unknown;
  if (error == 0 && place.is_file() && !fs::is_directory(place.folder(), unknown)) {
    throw std::invalid_argument(fmt::format("{}: the folder '{}' does not exist", path, place.folder().string()));
  }
  if (error == EISDIR) throw std::invalid_argument(path + ": is a folder, expected a file");
  if (error == 0) error = obstacle(place);
  // Permissions, quotas and read-only file systems: nothing but making a file tells.
  if (error == 0 && place.is_file()) error = Temporary(place).error();
  if (error != 0) fail<std::invalid_argument>(path, "written", error);
}

bool is_same_file(const std::string& output, const std::string& other) {
  Place a, b;
  if (follow(output, a) != 0 || follow(other, b) != 0 || a.exists != b.exists) return false;
  if (a.exists)
    return S_ISREG(a.status.st_mode) && a.status.st_dev == b.status.st_dev && a.status.st_ino == b.status.st_ino;
  std::error_code none;
  return a.path.filename() == b.path.filename() && fs::equivalent(a.folder(), b.folder(), none);
}

}  // namespace relufit
