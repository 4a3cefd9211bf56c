#include "output.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace relufit::cli {

namespace {

bool muted = false;

[[noreturn]] void fail_output() {
  throw std::runtime_error("standard output: cannot be written: " + std::generic_category().message(errno));
}

}  // namespace

void mute() { muted = true; }

void print_text(std::string_view text) {
  if (muted) return;
  if (std::fwrite(text.data(), 1, text.size(), stdout) < text.size()) fail_output();
}

void flush_output() {
  if (std::fflush(stdout) != 0) fail_output();
}

void complain(std::string_view message) noexcept {
  std::array<char, 16384> line;
  constexpr std::string_view kName = "relufit: ";
  char* end = std::copy(kName.begin(), kName.end(), line.data());
  end = std::copy_n(message.data(), std::min(message.size(), line.size() - kName.size() - 1), end);
  std::replace_if(
      line.data(), end, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  *end++ = '\n';
  std::fwrite(line.data(), 1, static_cast<std::size_t>(end - line.data()), stderr);
}

CLI::Option* add_output(CLI::App& command, const std::string& name, std::string& path, const std::string& description) {
  const auto problem = [](const std::string& text) {
    return std::string(text.empty() ? "'', expected the name of a file" : "");
  };
  return command.add_option(name, path, description)->check(CLI::Validator(problem, ""));
}

void check_distinct(const std::string& output, const std::vector<std::string>& others) {
  if (output.empty()) return;
  for (const std::string& other : others) {
    if (other.empty() || !is_same_file(output, other)) continue;
    throw std::invalid_argument(
        fmt::format("{}: named twice, expected another file to write than '{}'", output, other));
  }
}

}  // namespace relufit::cli
