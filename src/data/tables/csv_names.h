/// \file
/// What reader and writer of CSV files share, so that whatever is written can be read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relufit {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// The empty string, or why these names cannot head a CSV file.
std::string csv_header_problem(const std::vector<std::string>& names);

/// Such a line is a header only where a name is quoted.
bool are_numbers(const std::vector<std::string>& names);

}  // namespace relufit
