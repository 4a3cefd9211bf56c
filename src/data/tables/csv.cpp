#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "data/tables/csv_names.h"
#include "data/tables/csv_rows.h"
#include "files/mapped_file.h"
#include "files/text.h"
#include "relufit/files.h"
#include "relufit/table.h"

namespace relufit {
namespace {

using detail::NumberStatus;
using detail::shown;

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

/// Calls `visit` with the position of every such byte.
template <typename Visit>
void for_each_byte(std::string_view text, char byte, Visit&& visit) {
  for (std::size_t at = text.find(byte); at != std::string_view::npos; at = text.find(byte, at + 1)) visit(at);
}

/// Where bytes [begin, end) of a text end: how many lines they end, and whether they end within quotes.
struct Passed {
  Index lines = 0;
  bool in_quotes = false;
};

/// Quotes are doubled or at both ends of a field, so that what is behind an even number of them is outside quotes.
/// Where that is not so, there is a misplaced quote, for which the part with the first one is refused.
Passed pass_over(std::string_view text, std::size_t begin, std::size_t end) {
  constexpr std::size_t kBlock = std::size_t{1} << 18;  // within the processor's cache
  Passed passed;
  for (; begin < end; begin += kBlock) {
    const std::string_view block = text.substr(begin, std::min(kBlock, end - begin));
    for_each_byte(block, '"', [&](std::size_t) { passed.in_quotes = !passed.in_quotes; });
    for_each_byte(block, '\n', [&](std::size_t) { ++passed.lines; });
    for_each_byte(block, '\r', [&](std::size_t at) { passed.lines += text.substr(begin + at + 1, 1) == "\n" ? 0 : 1; });
  }
  return passed;
}

/// What to read of a file.
struct CsvColumns {
  std::vector<std::string> texts;
  std::optional<std::vector<std::string>> numbers;  ///< none: all that are not texts
};

/// A table from the rows of a text.
class CsvReader {
 public:
  CsvReader(const std::string& path, CsvColumns columns) : given_(std::move(columns)) { table_.source = path; }

  /// Reads one of the parts.
  Table read(std::string_view content, Index part, Index parts) {
    if (content.substr(0, kByteOrderMark.size()) == kByteOrderMark) content.remove_prefix(kByteOrderMark.size());
    CsvRows rows(content, detect_separator(content));
    if (parts == 1) check_no_nul(content, 0, content.size());
    try {
      if (!rows.find_row()) fail("empty file, expected a header line and rows of numbers");
      rows.read_row();
      take_header(rows);
      const std::size_t header = rows.position();
      const auto bound = [&](Index i) {
        const std::size_t size = content.size() - header;
        const auto count = static_cast<std::size_t>(parts);
        const auto k = static_cast<std::size_t>(i);
        return header + size / count * k + size % count * k / count;
      };
      if (parts > 1) check_no_nul(content, bound(part), bound(part + 1));
      if (bound(part) > header) go_to_row(rows, content, bound(part));
      read_rows(rows, content, bound(part + 1), part);
    } catch (const CsvRows::Problem& problem) {
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

  void check_no_nul(std::string_view content, std::size_t begin, std::size_t end) const {
    const std::size_t nul = content.substr(0, end).find('\0', begin);
    if (nul == std::string_view::npos) return;
    const auto line = 1 + std::count(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    fail(line, "NUL byte, expected UTF-8 text");
  }

  void take_header(const CsvRows& rows) {
    for (const CsvField& field : rows.fields()) names_.emplace_back(field.text);
    const std::string problem = csv_header_problem(names_);
    if (!problem.empty()) fail(rows.line(), problem);
    if (!rows.has_quotes() && are_numbers(names_)) {
      fail(rows.line(), fmt::format("the first line ({}{}) looks like data, a header is expected",
                                    shown(names_.front()), names_.size() > 1 ? ", ..." : ""));
    }
    table_.header = names_;
    const std::unordered_set<std::string_view> all(names_.begin(), names_.end());
    const std::unordered_set<std::string_view> texts(given_.texts.begin(), given_.texts.end());
    std::unordered_set<std::string_view> numbers = all;
    if (given_.numbers) numbers = {given_.numbers->begin(), given_.numbers->end()};
    for (const std::string_view name : given_.numbers.value_or(std::vector<std::string>())) {
      if (all.count(name) == 0) fail(detail::no_column(std::string(name), names_));
    }
    for (const std::string& name : names_) {
      const bool is_text = texts.count(name) > 0;
      const bool is_number = !is_text && numbers.count(name) > 0;
      texts_.push_back(is_text ? &table_.texts[name] : nullptr);
      kinds_.push_back(is_text ? Kind::text : is_number ? Kind::number : Kind::unused);
      if (is_number) table_.columns.push_back(name);
    }
  }

  /// To the first row that begins at this byte or behind it.
  static void go_to_row(CsvRows& rows, std::string_view content, std::size_t begin) {
    std::size_t at = begin - 1;
    Passed passed = pass_over(content, rows.position(), at);
    for (; at < content.size(); ++at) {
      if (content[at] == '"') passed.in_quotes = !passed.in_quotes;
      const bool is_pair = content.substr(at, 2) == "\r\n";
      if (is_pair || (content[at] != '\n' && content[at] != '\r')) continue;
      ++passed.lines;
      if (!passed.in_quotes) break;
    }
    rows.go_to(std::min(at + 1, content.size()), rows.next_line() + passed.lines);
  }

  /// Rows that begin before `end`.
  void read_rows(CsvRows& rows, std::string_view content, std::size_t end, Index part) {
    const std::size_t begin = rows.position();
    if (end > begin) reserve(content.substr(begin, end - begin));
    bool found = rows.find_row();
    if (!found && part == 0) fail("no data rows, expected at least one after the header");
    for (; found; found = rows.find_row()) {
      if (rows.blank_line() != 0) {
        rows.read_row();
        fail(rows.blank_line(), fmt::format("blank line between rows, expected {} fields", names_.size()));
      }
      if (rows.begin_of_row() >= end) break;
      if (take_plain_row(rows)) continue;
      rows.read_row();
      take_row(rows);
    }
  }

  void reserve(std::string_view text) {
    std::size_t lines = 1;
    for_each_byte(text, '\n', [&](std::size_t) { ++lines; });
    values_.reserve(std::min(lines * table_.columns.size(), text.size() / 2 + 1));
    table_.lines.reserve(std::min(lines, text.size() / 2 + 1));
  }

  /// Takes a row without quotes and without blanks around numbers, at once; false, and nothing taken, where it is not
  /// of this form or has any fault, which take_row then finds.
  bool take_plain_row(CsvRows& rows) {
    const std::string_view rest = rows.rest();
    const char* at = rest.data();
    const char* const end = at + rest.size();
    const std::size_t count = values_.size();
    bool ended = false;
    std::size_t i = 0;
    for (; i < kinds_.size() && !ended; ++i) {
      if (kinds_[i] == Kind::number) {
        double value = 0;
        // Not inf and nan, which from_chars would take.
        if (at == end || (*at != '-' && *at != '.' && (*at < '0' || *at > '9'))) break;
        const auto [stop, error] = std::from_chars(at, end, value);
        if (error != std::errc() || !std::isfinite(value)) break;
        at = stop;
        values_.push_back(value);
      } else {
        const char* const begin = at;
        while (at != end && !rows.ends_field(*at)) ++at;
        if (texts_[i] != nullptr) texts_[i]->emplace_back(detail::trim({begin, static_cast<std::size_t>(at - begin)}));
      }
      ended = at == end || *at == '\n' || *at == '\r';
      if (!ended && *at != rows.separator()) break;
      if (!ended) ++at;
    }
    if (!ended || i != kinds_.size()) {
      values_.resize(count);
      for (std::vector<std::string>* texts : texts_) {
        if (texts != nullptr) texts->resize(table_.lines.size());
      }
      return false;
    }
    rows.pass_over(static_cast<std::size_t>(at - rest.data()));
    table_.lines.push_back(rows.line());
    return true;
  }

  void take_row(const CsvRows& rows) {
    const std::size_t expected = names_.size();
    const std::vector<CsvField>& fields = rows.fields();
    if (fields.size() != expected) {
      fail(rows.line(), fmt::format("{} fields, expected {}", fields.size(), expected));
    }
    for (std::size_t i = 0; i < expected; ++i) {
      if (texts_[i] != nullptr) texts_[i]->emplace_back(fields[i].text);
      if (kinds_[i] != Kind::number) continue;
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
    const auto rows = static_cast<Index>(table_.lines.size());
    const auto columns = static_cast<Index>(table_.columns.size());
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const RowMajor> values(values_.data(), rows, columns);
    table_.values.resize(rows, columns);
    if (columns == 0) return std::move(table_);  // texts alone: there is no memory that blocks could be of
    constexpr Index kBlock = 64;  // rows whose values stay in the processor's cache until all columns are taken
    for (Index row = 0; row < rows; row += kBlock) {
      const Index count = std::min(kBlock, rows - row);
      table_.values.middleRows(row, count) = values.middleRows(row, count);
    }
    return std::move(table_);
  }

  enum class Kind { number, text, unused };

  const CsvColumns given_;
  Table table_;
  std::vector<std::string> names_;                ///< of all columns
  std::vector<std::vector<std::string>*> texts_;  ///< where each column's texts go; null for other columns
  std::vector<Kind> kinds_;
  std::vector<double> values_;  ///< row by row, columns of numbers only
};

Table read_whole(const std::string& path, CsvColumns columns) {
  return CsvReader(path, std::move(columns)).read(read_file(path), 0, 1);
}

/// No numbers named: all that are not texts.
CsvColumns columns_to_read(const std::vector<std::string>& texts, const std::vector<std::string>& numbers) {
  if (numbers.empty()) return {texts, std::nullopt};
  return {texts, numbers};
}

}  // namespace

Table read_csv(const std::string& path, const std::vector<std::string>& text_columns,
               const std::vector<std::string>& number_columns) {
  return read_whole(path, columns_to_read(text_columns, number_columns));
}

Table read_csv_part(const std::string& path, Index part, Index parts, const std::vector<std::string>& text_columns,
                    const std::vector<std::string>& number_columns) {
  constexpr Index kMostParts = 1000000;
  if (parts < 1 || parts > kMostParts) {
    throw std::invalid_argument(fmt::format("parts: {}, expected 1 to {}", parts, kMostParts));
  }
  if (part < 0 || part >= parts)
    throw std::invalid_argument(fmt::format("part: {}, expected 0 to {}", part, parts - 1));
  const detail::MappedFile file(path);
  return CsvReader(path, columns_to_read(text_columns, number_columns)).read(file.bytes(), part, parts);
}

Table read_inputs(const std::string& path, const std::vector<std::string>& inputs,
                  const std::vector<Category>& categories, const std::vector<std::string>& numbers,
                  const std::vector<std::string>& texts) {
  CsvColumns columns{texts, numbers};
  for (const Category& category : categories) columns.texts.push_back(category.column);
  for (const std::string& column : without_level_names(inputs, categories)) {
    const bool is_text = std::find(columns.texts.begin(), columns.texts.end(), column) != columns.texts.end();
    if (!is_text) columns.numbers->push_back(column);
  }
  return with_levels(read_whole(path, std::move(columns)), categories);
}

}  // namespace relufit
