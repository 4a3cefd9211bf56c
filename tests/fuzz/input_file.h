/// \file
/// The bytes of a fuzzer as a file that readers can open: in memory, one for the whole process.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace relufit::fuzz {

inline std::string input_file(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("input", 0);
  if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  return "/proc/self/fd/" + std::to_string(file);
}

/// Bad input is told in one line: whatever else is thrown, or told otherwise, ends the fuzzer.
template <class Read>
void read_or_complain(const std::uint8_t* data, std::size_t size, Read&& read) {
  try {
    read(input_file(data, size));
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    if (message.empty() || message.find_first_of("\n\r") != std::string::npos) std::abort();
  }
}

}  // namespace relufit::fuzz
