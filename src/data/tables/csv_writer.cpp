#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "data/tables/csv_names.h"
#include "files/text.h"
#include "relufit/files.h"
#include "relufit/table.h"

namespace relufit {

using detail::NumberStatus;
using detail::shown;

std::string csv_header_problem(const std::vector<std::string>& names) {
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    if (name.find_first_not_of(" \t\r\n") == std::string::npos) {
      return fmt::format("column {}: the name {} is empty, expected a name", i + 1, shown(name));
    }
    if (!detail::is_valid_utf8(name) || name.find('\0') != std::string::npos) {
      return fmt::format("column {}: the name {} is not UTF-8 text", i + 1, shown(name));
    }
    const auto [earlier, is_new] = seen.emplace(name, i);
    if (!is_new) {
      return fmt::format("column {}: the name {} repeats that of column {}, expected different names", i + 1,
                         shown(name), earlier->second + 1);
    }
  }
  return {};
}

bool are_numbers(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [value = 0.0](const std::string& name) mutable {
    return detail::parse_number(name, value) == NumberStatus::ok;
  });
}

namespace {

bool needs_quotes(std::string_view name) {
  if (name.empty()) return false;
  return name.find_first_of(",;\t\"\r\n") != std::string_view::npos || name.front() == ' ' || name.back() == ' ' ||
         name.substr(0, kByteOrderMark.size()) == kByteOrderMark;
}

std::string csv_field(const std::string& name, bool quoted = false) {
  if (!quoted && !needs_quotes(name)) return name;
  std::string result = "\"";
  for (const char c : name) result.append(c == '"' ? 2 : 1, c);
  return result + '"';
}

}  // namespace

std::string csv_text(const std::string& name, const std::vector<std::string>& columns, const Matrix& values,
                     const std::vector<std::string>& first_column) {
  const std::size_t texts = first_column.empty() ? 0 : 1;
  if (columns.empty() || columns.size() != static_cast<std::size_t>(values.cols()) + texts) {
    throw std::invalid_argument(
        fmt::format("{}: {} column names for {} columns of values", name, columns.size(), values.cols()));
  }
  if (texts > 0 && static_cast<Index>(first_column.size()) != values.rows()) {
    throw std::invalid_argument(
        fmt::format("{}: {} texts for {} rows of values", name, first_column.size(), values.rows()));
  }
  const std::string problem = csv_header_problem(columns);
  if (!problem.empty()) throw std::invalid_argument(fmt::format("{}: {}", name, problem));
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  const bool quoted = are_numbers(columns);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    fmt::format_to(out, "{}{}", i == 0 ? "" : ",", csv_field(columns[i], quoted));
  }
  text.push_back('\n');
  for (Index row = 0; row < values.rows(); ++row) {
    if (texts > 0) {
      fmt::format_to(out, "{}{}", csv_field(first_column[static_cast<std::size_t>(row)]), values.cols() > 0 ? "," : "");
    }
    for (Index column = 0; column < values.cols(); ++column) {
      const double value = values(row, column);
      if (!std::isfinite(value)) {
        throw std::invalid_argument(fmt::format("{}: row {}, column {}: {} is not a finite number", name, row + 1,
                                                shown(columns[texts + static_cast<std::size_t>(column)]), value));
      }
      fmt::format_to(out, "{}{:.17g}", column == 0 ? "" : ",", value);
    }
    text.push_back('\n');
  }
  return fmt::to_string(text);
}

void write_csv(const std::string& path, const std::vector<std::string>& columns, const Matrix& values,
               const std::vector<std::string>& first_column) {
  write_file(path, csv_text(path, columns, values, first_column));
}

}  // namespace relufit
