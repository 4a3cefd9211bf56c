/// \file
/// Checks of numbers on the command line. CLI11's own messages name the option and the value, but not what is expected.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

namespace relufit::cli {

/// Accepts numbers for which `accepts` holds; otherwise the message says that `expected` is expected.
template <class Predicate>
CLI::Validator number_check(const std::string& expected, Predicate accepts) {
  const auto problem = [expected, accepts](std::string& text) {
    double value = 0;
    const bool valid = CLI::detail::lexical_cast(text, value) && accepts(value);
    return valid ? std::string() : fmt::format("'{}', expected {}", text, expected);
  };
  return CLI::Validator(problem, "");
}

/// For Option::transform, not check: CLI11, which reads 010 as octal, gets the number without leading zeros.
inline CLI::Validator whole_number(long long lowest, long long highest) {
  const auto problem = [=](std::string& text) {
    long long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool valid = error == std::errc() && end == text.data() + text.size() && value >= lowest && value <= highest;
    if (!valid) return fmt::format("'{}', expected a whole number from {} to {}", text, lowest, highest);
    text = std::to_string(value);
    return std::string();
  };
  return CLI::Validator(problem, "");
}

inline CLI::Validator positive_number() {
  return number_check("a number > 0", [](double value) { return std::isfinite(value) && value > 0; });
}

inline CLI::Validator number_from_zero() {
  return number_check("a number >= 0", [](double value) { return std::isfinite(value) && value >= 0; });
}

/// The same, or nothing for the word "auto", as the value of this option.
inline std::optional<double> number_from_zero_or_auto(const std::string& option, const std::string& text) {
  if (text == "auto") return std::nullopt;
  double value = 0;
  if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value >= 0) return value;
  throw CLI::ValidationError(option, fmt::format("'{}', expected a number >= 0, or auto", text));
}

inline CLI::Validator fraction() {
  return number_check("a number above 0 and below 1", [](double value) { return value > 0 && value < 1; });
}

/// A number > 0, or a power of two written 2^k; for Option::transform.
inline CLI::Validator step_of_grid() {
  const auto convert = [](std::string& text) {
    int power = 0;
    if (text.rfind("2^", 0) == 0 && CLI::detail::lexical_cast(text.substr(2), power) && std::abs(power) <= 100) {
      text = fmt::format("{:.17g}", std::ldexp(1.0, power));
    }
    double value = 0;
    const bool valid = CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value > 0;
    return valid ? std::string() : fmt::format("'{}', expected a power of two such as 2^-6, or a number > 0", text);
  };
  return CLI::Validator(convert, "");
}

}  // namespace relufit::cli
