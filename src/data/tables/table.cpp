#include "relufit/table.h"

#include <fmt/format.h>

#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "files/text.h"

namespace relufit {

namespace {

using detail::list_of;
using detail::shown;

/// Of a table that is not from a file: numbers first.
std::vector<std::string> header_of(const Table& table) {
  if (!table.header.empty()) return table.header;
  std::vector<std::string> header = table.columns;
  for (const auto& [column, texts] : table.texts) header.push_back(column);
  return header;
}

const std::vector<std::string>& texts_of(const Table& table, const std::string& column) {
  const auto found = table.texts.find(column);
  if (found != table.texts.end()) return found->second;
  throw std::invalid_argument(fmt::format("{}: {}", table.source, detail::no_column(column, header_of(table))));
}

std::string place(const Table& table, std::size_t row, const std::string& column) {
  return fmt::format("{}:{}: column {}", table.source, table.lines[row], shown(column));
}

/// One row per level.
Matrix level_values(const Table& table, const Category& category) {
  const std::vector<std::string>& texts = texts_of(table, category.column);
  const std::vector<Index> indices = level_indices(category, texts);
  Matrix values = Matrix::Zero(static_cast<Index>(texts.size()), static_cast<Index>(category.levels.size()));
  for (std::size_t row = 0; row < indices.size(); ++row) {
    if (indices[row] < 0) {
      const std::string problem = level_problem(texts[row]);
      throw std::invalid_argument(fmt::format(
          "{}: {}", place(table, row, category.column),
          !problem.empty()
              ? problem
              : fmt::format("{} is no level, expected one of {}", shown(texts[row]), list_of(category.levels))));
    }
    values(static_cast<Index>(row), indices[row]) = 1;
  }
  return values;
}

/// Column "a" with the level "b=c" would have the name of column "a=b" with the level "c".
void check_different(const Table& table, const std::vector<std::string>& columns) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& column : columns) {
    if (seen.insert(column).second) continue;
    throw std::invalid_argument(
        fmt::format("{}: two inputs would have the name {}, expected other columns", table.source, shown(column)));
  }
}

}  // namespace

std::vector<Category> find_categories(const Table& table, const std::vector<std::string>& columns) {
  std::vector<Category> categories;
  for (const std::string& column : columns) {
    const std::vector<std::string>& texts = texts_of(table, column);
    for (std::size_t row = 0; row < texts.size(); ++row) {
      const std::string problem = level_problem(texts[row]);
      if (!problem.empty()) throw std::invalid_argument(fmt::format("{}: {}", place(table, row, column), problem));
    }
    try {
      categories.push_back({column, find_levels(column, texts)});
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(fmt::format("{}: {}", table.source, error.what()));
    }
  }
  return categories;
}

Table with_levels(Table table, const std::vector<Category>& categories) {
  if (categories.empty()) return table;
  std::unordered_map<std::string, Matrix> levels;
  for (const Category& category : categories) levels.emplace(category.column, level_values(table, category));
  std::unordered_map<std::string, Index> positions;
  for (const std::string& column : table.columns) positions.emplace(column, static_cast<Index>(positions.size()));
  std::vector<std::string> columns;
  std::vector<std::pair<const Matrix*, Index>> sources;  // of every column
  for (const std::string& column : header_of(table)) {
    const auto level = levels.find(column);
    const auto number = positions.find(column);
    if (level == levels.end() && number == positions.end()) continue;
    const bool is_number = level == levels.end();
    if (is_number) sources.emplace_back(&table.values, number->second);
    for (Index i = 0; !is_number && i < level->second.cols(); ++i) sources.emplace_back(&level->second, i);
    const std::vector<std::string> names = with_level_names({column}, categories);
    columns.insert(columns.end(), names.begin(), names.end());
  }
  check_different(table, columns);
  Matrix values(table.values.rows(), static_cast<Index>(sources.size()));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    values.col(static_cast<Index>(i)) = sources[i].first->col(sources[i].second);
  }
  table.columns = std::move(columns);
  table.values = std::move(values);
  for (const Category& category : categories) table.texts.erase(category.column);
  table.categories.insert(table.categories.end(), categories.begin(), categories.end());
  return table;
}

}  // namespace relufit
