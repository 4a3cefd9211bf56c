/// \file
/// Reading numbers, and showing foreign text in messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace relufit::detail {

bool is_valid_utf8(std::string_view text);

/// Text from outside as it may stand in a one-line message: control characters and broken UTF-8 escaped, cut where it
/// is longer than about `longest` bytes.
std::string printable(std::string_view text, std::size_t longest);

/// A name or value from outside for messages: printable, cut after some 60 bytes, in single quotes. (Not called quoted:
/// argument-dependent lookup would prefer std::quoted.)
std::string shown(std::string_view text);

/// Some of these names, for messages: 'a', 'b', ...
std::string list_of(const std::vector<std::string>& names);

/// For messages: "no column 'q', expected one of 'a', 'b'".
std::string no_column(const std::string& name, const std::vector<std::string>& columns);

/// Without blanks and tabs at both ends.
std::string_view trim(std::string_view text);

enum class NumberStatus { ok, missing, malformed, not_finite, out_of_range };

/// Reads a decimal number whatever the locale; surrounding blanks and one leading '+' are accepted. The whole text must
/// be the number. `value` is set only where the status is ok.
NumberStatus parse_number(std::string_view text, double& value);

/// What is wrong with a text that parse_number refused, for messages: "'abc' is not a number".
std::string number_problem(NumberStatus status, std::string_view text);

}  // namespace relufit::detail
