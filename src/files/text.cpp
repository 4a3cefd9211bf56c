#include "files/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace relufit::detail {
namespace {

/// Length of the UTF-8 sequence that starts the text; 0 where it is broken. Refuses overlong forms and surrogates.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool beyond = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || beyond ? 0 : length;
}

}  // namespace

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text, std::size_t longest) {
  std::string result;
  while (!text.empty()) {
    if (result.size() >= longest) return result + "...";
    const std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (first == '\n') {
      result += "\\n";
    } else if (first == '\r') {
      result += "\\r";
    } else if (first == '\t') {
      result += "\\t";
    } else if (length == 0 || first < 0x20 || first == 0x7F) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(first));
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

std::string shown(std::string_view text) { return fmt::format("'{}'", printable(text, 60)); }

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMostListed = 20;
  std::string result;
  for (std::size_t i = 0; i < std::min(names.size(), kMostListed); ++i) {
    result += (i == 0 ? "" : ", ") + shown(names[i]);
  }
  return names.size() > kMostListed ? result + ", ..." : result;
}

std::string no_column(const std::string& name, const std::vector<std::string>& columns) {
  return fmt::format("no column {}, expected one of {}", shown(name), list_of(columns));
}

NumberStatus parse_number(std::string_view text, double& value) {
  text = trim(text);
  if (text.empty()) return NumberStatus::missing;
  if (text.front() == '+') {
    text.remove_prefix(1);
    if (text.empty() || text.front() == '-') return NumberStatus::malformed;
  }
  double parsed = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, parsed);
  if (error == std::errc::invalid_argument || stop != end) return NumberStatus::malformed;
  if (error == std::errc::result_out_of_range) return NumberStatus::out_of_range;
  if (!std::isfinite(parsed)) return NumberStatus::not_finite;
  value = parsed;
  return NumberStatus::ok;
}

std::string number_problem(NumberStatus status, std::string_view text) {
  switch (status) {
    case NumberStatus::missing:
      return "missing value, expected a number";
    case NumberStatus::not_finite:
      return shown(text) + " is not a finite number";
    case NumberStatus::out_of_range:
      return shown(text) + " is outside the range of double precision numbers";
    default:
      break;
  }
  const bool comma = text.find(',') != std::string_view::npos;
  return shown(text) + " is not a number" + (comma ? " (the decimal separator is a point)" : "");
}

}  // namespace relufit::detail
