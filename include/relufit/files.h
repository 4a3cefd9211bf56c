/// \file
/// Files as everything here reads and writes them.
///
/// Where a path leads, links followed, decides how it is written:
///
///     a regular file, or none yet    whole or not at all: beside its place, then renamed
///     an open file: /dev/stdout, /dev/fd/N and the like    into it as it is open, behind what is there
///     a pipe or another device       straight
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relufit {

/// The bytes of a file, a pipe or a device. Throws std::invalid_argument, `PATH: cannot be read: REASON`.
std::string read_file(const std::string& path);

/// Writes `content`. A file that exists keeps its permissions and, should anything fail, its content; of a dangling
/// link the file that it names is made. Throws std::runtime_error, `PATH: cannot be written: REASON`.
void write_file(const std::string& path, std::string_view content);

/// The same for a regular file that is written again and again, its content given in parts. Of a process that is killed
/// meanwhile something may stay behind, in a hidden file beside this one; the next call, which is not to come while one
/// is at work elsewhere, takes it away.
void rewrite_file(const std::string& path, const std::vector<std::string_view>& parts);

/// Throws std::invalid_argument where write_file would fail, as far as can be told: to be asked before long work.
/// Leaves the file as it is.
void check_output(const std::string& path);

/// Whether writing to `output` would change what is read from, or written to, the other path: one regular file, or one
/// that is still to be made.
bool is_same_file(const std::string& output, const std::string& other);

}  // namespace relufit
