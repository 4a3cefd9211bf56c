/// \file
/// Reading what a JSON file must hold, with messages that name the file, the place in it and what is expected.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "files/json_value.h"
#include "relufit/matrix.h"

namespace relufit::detail {

/// A value with its place, such as `layers[1].bias`. Throws std::invalid_argument where it is not what is asked for.
/// The name of the file and the value are referred to.
class JsonCursor {
 public:
  JsonCursor(const std::string& file, const JsonValue& value) : JsonCursor(file, "", value) {}

  const std::string& path() const { return path_; }  ///< empty for the whole file

  [[noreturn]] void fail(const std::string& problem) const;
  [[noreturn]] void expected(const std::string& what) const;  ///< fails with what was found
  /// Fails for a problem that names its place itself, unless it is empty.
  void require(const std::string& problem_with_path) const;

  bool has(const char* name) const { return value_.find(name) != nullptr; }
  JsonCursor member(const char* name) const;
  /// The object's members must be among these.
  void expect_members(std::initializer_list<const char*> names) const;

  std::size_t size() const;                         ///< of an array
  JsonCursor element(std::size_t i) const;          ///< i < size()
  std::vector<JsonCursor> elements() const;         ///< of an array
  std::vector<std::string> texts() const;           ///< an array of texts
  Vector numbers(std::size_t expected_size) const;  ///< an array of numbers

  bool is_text() const { return value_.text() != nullptr; }
  std::string text() const;
  bool truth() const;
  double number() const;
  double number_or_null() const;                     ///< null stands for one that was not finite
  std::uint64_t count(std::uint64_t largest) const;  ///< in [0, largest]
  Index position() const;                            ///< a whole number from 1 on

 private:
  JsonCursor(const std::string& file, std::string path, const JsonValue& value)
      : file_(file), path_(std::move(path)), value_(value) {}

  const std::string& file_;
  std::string path_;
  const JsonValue& value_;
};

}  // namespace relufit::detail
