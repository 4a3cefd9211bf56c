#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <iterator>
#include <new>
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

struct CsvField {
  std::string text;
  Index line;  ///< where it begins
};

/// Feeds a text to libcsv one physical line at a time, which is how each field and row gets its line number although
/// quoted fields may contain line ends.
class CsvReader {
 public:
  CsvReader(const std::string& path, char separator, const std::vector<std::string>& text_columns,
            const std::vector<std::string>& number_columns)
      : text_columns_(text_columns.begin(), text_columns.end()), number_columns_(number_columns) {
    table_.source = path;
    constexpr unsigned options = CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL;
    if (csv_init(&parser_, static_cast<unsigned char>(options)) != 0) throw std::runtime_error("csv_init failed");
    csv_set_delim(&parser_, static_cast<unsigned char>(separator));
  }
  ~CsvReader() { csv_free(&parser_); }
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  Table read(std::string_view content) {
    while (!content.empty()) {
      const std::string_view line = content.substr(0, line_length(content));
      content.remove_prefix(line.size());
      ++line_;
      if (fields_.empty() && row_ended_) row_line_ = field_line_ = line_;
      row_ended_ = false;
      if (names_.empty() && line.find('"') != std::string_view::npos) is_quoted_ = true;
      const std::size_t parsed = csv_parse(&parser_, line.data(), line.size(), on_field, on_row, this);
      check_parser(parsed == line.size(), line_,
                   "misplaced quote, expected quotes around a whole field and doubled inside it");
      if (row_ended_) finish_row();
    }
    // At the end of a text without a final line end the last row is still open.
    const bool was_open = !row_ended_;
    row_ended_ = false;
    const bool was_complete = csv_fini(&parser_, on_field, on_row, this) == 0;
    check_parser(was_complete, field_line_, "the opening quote has no closing quote");
    if (was_open && row_ended_) finish_row();
    return take_table();
  }

 private:
  /// Up to and with the line end: LF, CR LF, or a CR alone.
  static std::size_t line_length(std::string_view content) {
    const std::size_t end = content.find_first_of("\r\n");
    if (end == std::string_view::npos) return content.size();
    return end + (content.substr(end, 2) == "\r\n" ? 2 : 1);
  }

  static void on_field(void* text, std::size_t size, void* self) {
    auto& reader = *static_cast<CsvReader*>(self);
    // An exception must not pass through the C library.
    try {
      reader.fields_.push_back({std::string(static_cast<const char*>(text), size), reader.field_line_});
    } catch (...) {
      reader.failure_ = std::current_exception();
    }
    reader.field_line_ = reader.line_;
  }

  /// Also called for blank lines and, a second time, for the LF of a CR LF.
  static void on_row(int, void* self) { static_cast<CsvReader*>(self)->row_ended_ = true; }

  [[noreturn]] void fail(Index line, const std::string& problem) const {
    throw std::invalid_argument(fmt::format("{}:{}: {}", table_.source, line, problem));
  }

  std::string column_label(std::size_t i) const {
    return i < names_.size() ? "column " + shown(names_[i]) : fmt::format("column {}", i + 1);
  }

  void check_parser(bool succeeded, Index line, const char* problem) {
    if (failure_) std::rethrow_exception(failure_);
    if (succeeded) return;
    const int error = csv_error(&parser_);
    if (error == CSV_ENOMEM) throw std::bad_alloc();
    if (error != CSV_EPARSE) throw std::runtime_error(fmt::format("{}: {}", table_.source, csv_strerror(error)));
    fail(line, fmt::format("{}: {}", column_label(fields_.size()), problem));
  }

  void finish_row() {
    if (fields_.empty()) {
      if (blank_line_ == 0) blank_line_ = line_;
      return;
    }
    if (names_.empty()) {
      take_header();
    } else {
      take_row();
    }
    fields_.clear();
    blank_line_ = 0;
  }

  void take_header() {
    for (const CsvField& field : fields_) names_.push_back(field.text);
    const std::string problem = header_problem(names_);
    if (!problem.empty()) fail(row_line_, problem);
    if (!is_quoted_ && are_numbers(names_)) {
      fail(row_line_, fmt::format("the first line ({}{}) looks like data, a header is expected", shown(names_.front()),
                                  names_.size() > 1 ? ", ..." : ""));
    }
    const std::unordered_set<std::string_view> all(names_.begin(), names_.end());
    for (const std::string& name : number_columns_) {
      if (all.count(name) == 0) {
        throw std::invalid_argument(fmt::format("{}: {}", table_.source, detail::no_column(name, names_)));
      }
    }
    const std::unordered_set<std::string_view> numbers(number_columns_.begin(), number_columns_.end());
    for (const std::string& name : names_) {
      const bool is_text = text_columns_.count(name) > 0;
      texts_.push_back(is_text ? &table_.texts[name] : nullptr);
      is_number_.push_back(!is_text && (numbers.empty() || numbers.count(name) > 0));
      if (is_number_.back()) table_.columns.push_back(name);
    }
  }

  void take_row() {
    const std::size_t expected = names_.size();
    if (blank_line_ != 0) fail(blank_line_, fmt::format("blank line between rows, expected {} fields", expected));
    if (fields_.size() != expected) {
      fail(row_line_, fmt::format("{} fields, expected {}", fields_.size(), expected));
    }
    for (std::size_t i = 0; i < expected; ++i) {
      if (texts_[i] != nullptr) texts_[i]->push_back(fields_[i].text);
      if (!is_number_[i]) continue;
      double value = 0;
      const NumberStatus status = detail::parse_number(fields_[i].text, value);
      if (status != NumberStatus::ok) {
        throw NotANumber(fmt::format("{}:{}: {}: {}", table_.source, fields_[i].line, column_label(i),
                                     detail::number_problem(status, fields_[i].text)),
                         names_[i]);
      }
      values_.push_back(value);
    }
    table_.lines.push_back(row_line_);
  }

  Table take_table() {
    if (names_.empty()) {
      throw std::invalid_argument(table_.source + ": empty file, expected a header line and rows of numbers");
    }
    if (table_.lines.empty()) {
      throw std::invalid_argument(table_.source + ": no data rows, expected at least one after the header");
    }
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    table_.values = Eigen::Map<const RowMajor>(values_.data(), static_cast<Index>(table_.lines.size()),
                                               static_cast<Index>(table_.columns.size()));
    return std::move(table_);
  }

  csv_parser parser_ = {};
  const std::unordered_set<std::string_view> text_columns_;
  const std::vector<std::string>& number_columns_;
  Table table_;
  std::vector<std::string> names_;                ///< of all columns
  std::vector<std::vector<std::string>*> texts_;  ///< where each column's texts go; null for other columns
  std::vector<bool> is_number_;
  std::vector<double> values_;    ///< row by row, columns of numbers only
  std::vector<CsvField> fields_;  ///< of the row being read
  std::exception_ptr failure_;
  Index line_ = 0;
  Index row_line_ = 1;
  Index field_line_ = 1;  ///< where the field being read begins
  Index blank_line_ = 0;  ///< the first since the last row, or 0
  bool row_ended_ = true;
  bool is_quoted_ = false;  ///< a name in the header
};

bool needs_quotes(std::string_view name) {
  if (name.empty()) return false;
  return name.find_first_of(",;\t\"\r\n") != std::string_view::npos || name.front() == ' ' || name.back() == ' ' ||
         name.substr(0, kByteOrderMark.size()) == kByteOrderMark;
}

std::string csv_field(const std::string& name, bool quoted = false) {
  if (!quoted && !needs_quotes(name)) return name;
  std::string result(2 * name.size() + 2, '\0');
  result.resize(csv_write(result.data(), result.size(), name.data(), name.size()));
  return result;
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
  return CsvReader(path, detect_separator(text), text_columns, number_columns).read(text);
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
