#include "files/json_cursor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>

#include "files/text.h"

namespace relufit::detail {

void JsonCursor::fail(const std::string& problem) const {
  throw std::invalid_argument(fmt::format("{}: {}{}{}", file_, path_, path_.empty() ? "" : ": ", problem));
}

void JsonCursor::expected(const std::string& what) const {
  constexpr std::size_t kShown = 60;
  fail(fmt::format("{}, expected {}", is_text() ? shown(text()) : printable(value_.dump(), kShown), what));
}

void JsonCursor::require(const std::string& problem_with_path) const {
  if (!problem_with_path.empty()) throw std::invalid_argument(fmt::format("{}: {}", file_, problem_with_path));
}

JsonCursor JsonCursor::member(const char* name) const {
  if (value_.object() == nullptr) expected("an object");
  const JsonValue* found = value_.find(name);
  const std::string path = path_.empty() ? name : path_ + "." + name;
  if (found == nullptr) JsonCursor(file_, path, value_).fail("missing");
  return {file_, path, *found};
}

void JsonCursor::expect_members(std::initializer_list<const char*> names) const {
  if (value_.object() == nullptr) expected("an object");
  for (const auto& [name, unused] : *value_.object()) {
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (!known) fail(fmt::format("unknown member {}, expected {}", shown(name), fmt::join(names, ", ")));
  }
}

std::size_t JsonCursor::size() const {
  if (value_.array() == nullptr) expected("an array");
  return value_.array()->size();
}

JsonCursor JsonCursor::element(std::size_t i) const {
  return {file_, fmt::format("{}[{}]", path_, i), (*value_.array())[i]};
}

std::vector<JsonCursor> JsonCursor::elements() const {
  std::vector<JsonCursor> result;
  for (std::size_t i = 0; i < size(); ++i) result.push_back(element(i));
  return result;
}

std::vector<std::string> JsonCursor::texts() const {
  std::vector<std::string> result;
  for (const JsonCursor& each : elements()) result.push_back(each.text());
  return result;
}

Vector JsonCursor::numbers(std::size_t expected_size) const {
  if (size() != expected_size) fail(fmt::format("{} values, expected {}", size(), expected_size));
  Vector result(static_cast<Index>(expected_size));
  for (std::size_t i = 0; i < expected_size; ++i) {
    // The path is put together only for a message: this loop passes over every weight of a model.
    const std::optional<double> number = (*value_.array())[i].number();
    if (!number) element(i).expected("a number");
    result(static_cast<Index>(i)) = *number;
  }
  return result;
}

std::string JsonCursor::text() const {
  if (!is_text()) expected("a text");
  return *value_.text();
}

bool JsonCursor::truth() const {
  if (value_.truth() == nullptr) expected("true or false");
  return *value_.truth();
}

double JsonCursor::number() const {
  if (!value_.number()) expected("a number");
  return *value_.number();
}

double JsonCursor::number_or_null() const {
  return value_.is_null() ? std::numeric_limits<double>::quiet_NaN() : number();
}

std::uint64_t JsonCursor::count(std::uint64_t largest) const {
  const std::optional<std::uint64_t> count = value_.count();
  if (!count || *count > largest) expected(fmt::format("an integer from 0 to {}", largest));
  return *count;
}

Index JsonCursor::position() const {
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  const std::uint64_t position = value_.count().value_or(0);
  if (position < 1 || position > kLargest) expected("a whole number from 1 on");
  return static_cast<Index>(position);
}

}  // namespace relufit::detail
