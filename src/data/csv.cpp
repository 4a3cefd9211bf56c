#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "relufit/data.h"
#include "relufit/files.h"

namespace relufit {
namespace {

using detail::NumberStatus;
using detail::shown;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// The empty string, or why these names cannot head a CSV file. Shared by reader and writer, so that whatever is
/// written can be read.
std::string header_problem(const std::vector<std::string>& names) {
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

/// Such a line is a header only where a name is quoted.
bool are_numbers(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [value = 0.0](const std::string& name) mutable {
    return detail::parse_number(name, value) == NumberStatus::ok;
  });
}

/// The candidate that occurs most often outside quotes in the first line that is not blank. Where two tie, a comma is
/// the one more likely to be part of a name.
char detect_separator(std::string_view content) {
  constexpr std::string_view candidates = "\t;,";
  std::size_t counts[3] = {0, 0, 0};
  bool in_quotes = false;
  bool is_blank = true;
  for (const char c : content) {
    if (c == '"') in_quotes = !in_quotes;
    if (in_quotes) continue;
    const bool ends_line = c == '\n' || c == '\r';
    if (ends_line && !is_blank) break;
    is_blank = is_blank && (ends_line || c == ' ' || c == '\t');
    const std::size_t candidate = candidates.find(c);
    if (candidate != std::string_view::npos) ++counts[candidate];
  }
  const auto best = std::max_element(counts, counts + 3);
  return *best == 0 ? ',' : candidates[static_cast<std::size_t>(best - counts)];
}

/// One field of a row, and the line on which it begins.
struct CsvField {
  std::string_view text;
  Index line;
};

/// Rows of a text by RFC 4180, and beyond it: lines end with LF, CR LF or CR, blanks and tabs around fields do not
/// count, and blank lines at both ends are skipped. Quotes stand around a whole field, and doubled inside it.
class RowSplitter {
 public:
  /// Refers to the text.
  RowSplitter(std::string_view text, char separator) : text_(text), separator_(separator) {
    ends_.fill(false);
    for (const char c : {separator, '\r', '\n', '"'}) ends_[static_cast<unsigned char>(c)] = true;
  }

  struct Problem {
    Index line;
    const char* text;  ///< what is wrong and what is expected; in the field after those read
  };

  /// Reads the next line that is not blank. False at the end of the text; the fields are valid until the next call.
  /// Throws Problem.
  bool next() {
    fields_.clear();
    unescaped_.clear();
    blank_line_ = 0;
    for (skip_blanks(); position_ < text_.size() && at_line_end(); skip_blanks()) {
      if (blank_line_ == 0) blank_line_ = line_;
      skip_line_end();
    }
    if (position_ == text_.size()) return false;
    line_of_row_ = line_;
    read_field();
    while (position_ < text_.size() && text_[position_] == separator_) {
      ++position_;
      read_field();
    }
    if (position_ < text_.size()) skip_line_end();
    return true;
  }

  const std::vector<CsvField>& fields() const { return fields_; }
  Index line() const { return line_of_row_; }                    ///< on which the row begins
  Index blank_line() const { return blank_line_; }               ///< the first one skipped before the row; 0: none
  bool has_quotes() const { return has_quotes_; }                ///< in the rows read so far
  std::size_t rest() const { return text_.size() - position_; }  ///< bytes not yet read

 private:
  static constexpr Problem misplaced(Index line) {
    return {line, "misplaced quote, expected quotes around a whole field and doubled inside it"};
  }

  bool at_line_end() const { return text_[position_] == '\n' || text_[position_] == '\r'; }

  void skip_line_end() {
    position_ += text_.substr(position_, 2) == "\r\n" ? 2 : 1;
    ++line_;
  }

  void skip_blanks() {
    while (position_ < text_.size() && text_[position_] != separator_ &&
           (text_[position_] == ' ' || text_[position_] == '\t')) {
      ++position_;
    }
  }

  void read_field() {
    skip_blanks();
    if (position_ < text_.size() && text_[position_] == '"') return read_quoted();
    const std::size_t begin = position_;
    while (position_ < text_.size() && !ends_[static_cast<unsigned char>(text_[position_])]) ++position_;
    if (position_ < text_.size() && text_[position_] == '"') throw misplaced(line_);
    fields_.push_back({detail::trim(text_.substr(begin, position_ - begin)), line_});
  }

  void read_quoted() {
    has_quotes_ = true;
    const Index first_line = line_;
    std::string* copy = nullptr;  // where quotes are doubled
    std::size_t begin = ++position_;
    while (true) {
      while (position_ < text_.size() && text_[position_] != '"') at_line_end() ? skip_line_end() : void(++position_);
      if (position_ == text_.size()) throw Problem{first_line, "the opening quote has no closing quote"};
      const std::string_view part = text_.substr(begin, position_ - begin);
      ++position_;
      const bool doubled = position_ < text_.size() && text_[position_] == '"';
      if (doubled && copy == nullptr) copy = &unescaped_.emplace_back();
      if (copy != nullptr) copy->append(part).append(doubled ? "\"" : "");
      if (!doubled) {
        fields_.push_back({copy != nullptr ? std::string_view(*copy) : part, first_line});
        break;
      }
      begin = ++position_;
    }
    skip_blanks();
    if (position_ < text_.size() && text_[position_] != separator_ && !at_line_end()) {
      fields_.pop_back();
      throw misplaced(line_);
    }
  }

  std::string_view text_;
  char separator_;
  std::array<bool, 256> ends_;  ///< bytes that end a field without quotes
  std::size_t position_ = 0;
  Index line_ = 1;
  Index line_of_row_ = 1;
  Index blank_line_ = 0;
  bool has_quotes_ = false;
  std::vector<CsvField> fields_;
  std::deque<std::string> unescaped_;  ///< does not move what fields refer to
};

/// A table from the rows of a text.
class CsvReader {
 public:
  CsvReader(const std::string& path, const std::vector<std::string>& text_columns,
            const std::vector<std::string>& number_columns)
      : text_columns_(text_columns.begin(), text_columns.end()), number_columns_(number_columns) {
    table_.source = path;
  }

  Table read(std::string_view content) {
    RowSplitter rows(content, detect_separator(content));
    try {
      if (!rows.next()) fail("empty file, expected a header line and rows of numbers");
      take_header(rows);
      const auto lines = static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n'));
      values_.reserve(std::min((lines + 1) * table_.columns.size(), rows.rest() / 2 + 1));
      while (rows.next()) take_row(rows);
    } catch (const RowSplitter::Problem& problem) {
      fail(problem.line, fmt::format("{}: {}", column_label(rows.fields().size()), problem.text));
    }
    return take_table();
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw std::invalid_argument(fmt::format("{}: {}", table_.source, problem));
  }

  [[noreturn]] void fail(Index line, const std::string& problem) const {
    throw std::invalid_argument(fmt::format("{}:{}: {}", table_.source, line, problem));
  }

  std::string column_label(std::size_t i) const {
    return i < names_.size() ? "column " + shown(names_[i]) : fmt::format("column {}", i + 1);
  }

  void take_header(const RowSplitter& rows) {
    for (const CsvField& field : rows.fields()) names_.emplace_back(field.text);
    const std::string problem = header_problem(names_);
    if (!problem.empty()) fail(rows.line(), problem);
    if (!rows.has_quotes() && are_numbers(names_)) {
      fail(rows.line(), fmt::format("the first line ({}{}) looks like data, a header is expected",
                                    shown(names_.front()), names_.size() > 1 ? ", ..." : ""));
    }
    const std::unordered_set<std::string_view> all(names_.begin(), names_.end());
    for (const std::string& name : number_columns_) {
      if (all.count(name) == 0) fail(detail::no_column(name, names_));
    }
    const std::unordered_set<std::string_view> numbers(number_columns_.begin(), number_columns_.end());
    for (const std::string& name : names_) {
      const bool is_text = text_columns_.count(name) > 0;
      texts_.push_back(is_text ? &table_.texts[name] : nullptr);
      is_number_.push_back(!is_text && (numbers.empty() || numbers.count(name) > 0));
      if (is_number_.back()) table_.columns.push_back(name);
    }
  }

  void take_row(const RowSplitter& rows) {
    const std::size_t expected = names_.size();
    const std::vector<CsvField>& fields = rows.fields();
    if (rows.blank_line() != 0) {
      fail(rows.blank_line(), fmt::format("blank line between rows, expected {} fields", expected));
    }
    if (fields.size() != expected) {
      fail(rows.line(), fmt::format("{} fields, expected {}", fields.size(), expected));
    }
    for (std::size_t i = 0; i < expected; ++i) {
      if (texts_[i] != nullptr) texts_[i]->emplace_back(fields[i].text);
      if (!is_number_[i]) continue;
      double value = 0;
      const NumberStatus status = detail::parse_number(fields[i].text, value);
      if (status != NumberStatus::ok) {
        throw NotANumber(fmt::format("{}:{}: {}: {}", table_.source, fields[i].line, column_label(i),
                                     detail::number_problem(status, fields[i].text)),
                         names_[i]);
      }
      values_.push_back(value);
    }
    table_.lines.push_back(rows.line());
  }

  Table take_table() {
    if (table_.lines.empty()) fail("no data rows, expected at least one after the header");
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    table_.values = Eigen::Map<const RowMajor>(values_.data(), static_cast<Index>(table_.lines.size()),
                                               static_cast<Index>(table_.columns.size()));
    return std::move(table_);
  }

  const std::unordered_set<std::string_view> text_columns_;
  const std::vector<std::string>& number_columns_;
  Table table_;
  std::vector<std::string> names_;                ///< of all columns
  std::vector<std::vector<std::string>*> texts_;  ///< where each column's texts go; null for other columns
  std::vector<bool> is_number_;
  std::vector<double> values_;  ///< row by row, columns of numbers only
};

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

Table read_csv(const std::string& path, const std::vector<std::string>& text_columns,
               const std::vector<std::string>& number_columns) {
  const std::string content = read_file(path);
  std::string_view text = content;
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    throw std::invalid_argument(fmt::format("{}:{}: NUL byte, expected UTF-8 text", path, line));
  }
  return CsvReader(path, text_columns, number_columns).read(text);
}

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
  const std::string problem = header_problem(columns);
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
