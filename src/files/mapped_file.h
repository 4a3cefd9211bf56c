/// \file
/// The bytes of a file where the system has them, without a copy.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relufit::detail {

/// A regular file mapped into memory to be read, while it must not become shorter; of a pipe or a device its bytes,
/// read.
class MappedFile {
 public:
  /// Throws std::invalid_argument as read_file does.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  std::string content_;  ///< where it is not mapped
  std::string_view bytes_;
  void* mapping_ = nullptr;
};

}  // namespace relufit::detail
