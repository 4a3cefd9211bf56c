/// \file
/// JSON as it is read and written here. Not nlohmann's values, whose destructors ask for memory and end the
/// program where there is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace relufit::detail {

class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;  ///< members in the order of the file
  using Value = std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object>;

  /// Null where the value is of another type.
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  const bool* truth() const { return std::get_if<bool>(&value_); }
  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  std::optional<double> number() const;
  std::optional<std::uint64_t> count() const;  ///< a whole number >= 0

  /// The member of that name, the last one where it is repeated; null where there is none, or the value is no object.
  const JsonValue* find(std::string_view name) const;

  /// As JSON in one line, for messages.
  std::string dump() const;

 private:
  friend class JsonReader;
  Value value_;  // null (with "= nullptr" clang 14 finds no pairs of a name and a value)
};

/// Throws std::invalid_argument, beginning with `source`, for what is not JSON, a number outside the range of double
/// precision, and arrays and objects nested so deeply that those who walk through them might run out of stack.
JsonValue parse_json(const std::string& text, const std::string& source);

/// Texts and numbers (to full precision; null where not finite) as JSON, and lists of them in brackets.
std::string json_text(std::string_view text);
std::string json_text(double number);

template <class List>
std::string json_list(const List& values) {
  std::string list = "[";
  for (const auto& value : values) {
    if (list.size() > 1) list += ',';
    list += json_text(value);
  }
  return list += ']';
}

}  // namespace relufit::detail
