#include "files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relufit/files.h"

namespace relufit::detail {

MappedFile::MappedFile(const std::string& path) {
  struct stat status = {};
  // Asked before it is opened: the writer of a pipe that is opened and closed again would be gone.
  if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0 && ::fstat(descriptor, &status) == 0 && status.st_size > 0) {
      const auto size = static_cast<std::size_t>(status.st_size);
      void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (mapping != MAP_FAILED) {
        mapping_ = mapping;
        bytes_ = {static_cast<const char*>(mapping), size};
      }
    }
    if (descriptor >= 0) ::close(descriptor);
  }
  if (mapping_ != nullptr) return;
  content_ = read_file(path);
  bytes_ = content_;
}

MappedFile::~MappedFile() {
  if (mapping_ != nullptr) ::munmap(mapping_, bytes_.size());
}

}  // namespace relufit::detail
