/// \file
/// Internal: files that appear whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace relufit::detail {

/// Writes `content` to a temporary file beside `path` and renames it; an existing file keeps its permissions and,
/// should anything fail, its content. Links are followed; devices and pipes (/dev/stdout) are written directly.
/// Throws std::runtime_error with one line `PATH: cannot be written: REASON`.
void write_file_atomically(const std::string& path, std::string_view content);

}  // namespace relufit::detail
