/// \file
/// Standard output, standard error, and the files that commands write.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "relufit/files.h"

namespace relufit::cli {

/// From here on prints nothing: one process of several speaks for all.
void mute();

/// Throws std::runtime_error where standard output cannot be written.
void print_text(std::string_view text);
void flush_output();

template <class... Arguments>
void print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  print_text(fmt::format(format, std::forward<Arguments>(arguments)...));
}

/// One line on standard error, `relufit: MESSAGE`, whatever names and values are part of it. Needs no memory, and fails
/// silently: there is nobody else to tell.
void complain(std::string_view message) noexcept;

/// An option for a file to write.
CLI::Option* add_output(CLI::App& command, const std::string& name, std::string& path, const std::string& description);

/// Throws std::invalid_argument where an output is one of the other files of a command, which would be lost. Empty
/// paths stand for no file.
void check_distinct(const std::string& output, const std::vector<std::string>& others);

}  // namespace relufit::cli
