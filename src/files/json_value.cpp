#include "files/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "files/text.h"

namespace relufit::detail {
namespace {

constexpr std::size_t kDeepest = 100;

/// "line 2, column 3" of the last of so many bytes.
std::string place_of(std::string_view text, std::size_t bytes) {
  const std::string_view before = text.substr(0, bytes == 0 ? 0 : bytes - 1);
  const std::size_t line_end = before.rfind('\n');
  const std::size_t column = before.size() - (line_end == std::string_view::npos ? 0 : line_end + 1);
  return fmt::format("line {}, column {}", 1 + std::count(before.begin(), before.end(), '\n'), column + 1);
}

}  // namespace

/// Builds a value from the events of nlohmann's parser.
class JsonReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonReader(const std::string& text, const std::string& source) : text_(text), source_(source) {}

  JsonValue take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return false; }  // not in texts
  bool start_object(std::size_t) override { return open<JsonValue::Object>(); }
  bool start_array(std::size_t) override { return open<JsonValue::Array>(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    std::get<JsonValue::Object>(open_.back()->value_).emplace_back().first = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& token, const nlohmann::json::exception& error) override {
    if (dynamic_cast<const nlohmann::json::out_of_range*>(&error) != nullptr) {  // numbers only
      fail(fmt::format("the number {} is outside the range of double precision numbers", printable(token, 60)));
    }
    fail(fmt::format("not JSON, at {}", place_of(text_, position)));
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw std::invalid_argument(fmt::format("{}: {}", source_, problem));
  }

  /// Where the next value belongs. Those that are open are the last of their parents, and stay where they are.
  JsonValue& place() {
    if (open_.empty()) return root_;
    if (auto* array = std::get_if<JsonValue::Array>(&open_.back()->value_)) return array->emplace_back();
    return std::get<JsonValue::Object>(open_.back()->value_).back().second;
  }

  template <class T>
  bool add(T value) {
    place().value_.emplace<T>(std::move(value));
    return true;
  }

  template <class T>
  bool open() {
    if (open_.size() == kDeepest) fail(fmt::format("arrays and objects nested more than {} deep", kDeepest));
    open_.push_back(&place());
    open_.back()->value_.emplace<T>();
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& text_;
  const std::string& source_;
  JsonValue root_;
  std::vector<JsonValue*> open_;
};

JsonValue parse_json(const std::string& text, const std::string& source) {
  JsonReader reader(text, source);
  nlohmann::json::sax_parse(text, &reader);
  return reader.take();
}

std::optional<double> JsonValue::number() const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
  return std::nullopt;
}

std::optional<std::uint64_t> JsonValue::count() const {
  const auto* value = std::get_if<std::uint64_t>(&value_);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

const JsonValue* JsonValue::find(std::string_view name) const {
  if (object() == nullptr) return nullptr;
  const auto found =
      std::find_if(object()->rbegin(), object()->rend(), [name](const auto& member) { return member.first == name; });
  return found == object()->rend() ? nullptr : &found->second;
}

std::string JsonValue::dump() const {
  if (text() != nullptr) return json_text(*text());
  if (const auto* whole = std::get_if<std::uint64_t>(&value_)) return fmt::format("{}", *whole);
  if (const auto* whole = std::get_if<std::int64_t>(&value_)) return fmt::format("{}", *whole);
  if (number()) return json_text(*number());
  if (truth() != nullptr) return *truth() ? "true" : "false";
  std::string parts;
  if (array() != nullptr) {
    for (const JsonValue& value : *array()) parts += fmt::format("{}{}", parts.empty() ? "" : ",", value.dump());
    return fmt::format("[{}]", parts);
  }
  if (object() == nullptr) return "null";
  for (const auto& [name, value] : *object()) {
    parts += fmt::format("{}{}:{}", parts.empty() ? "" : ",", json_text(name), value.dump());
  }
  return fmt::format("{{{}}}", parts);
}

std::string json_text(std::string_view text) { return nlohmann::json(text).dump(); }

std::string json_text(double number) {
  if (!std::isfinite(number)) return "null";
  std::string text = fmt::format("{}", number);
  // Readers take a number without point for a whole one, which has no negative zero.
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace relufit::detail
