#include "relufit/categories.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "files/text.h"

namespace relufit {

namespace {

using detail::shown;

constexpr std::size_t kMostLevels =
    1000;  // a column with more is a name or a number, which nothing can be learned from

std::string level_name(const Category& category, const std::string& level) { return category.column + "=" + level; }

}  // namespace

std::string level_problem(const std::string& text) {
  if (detail::trim(text).empty()) return "missing value, expected a text";
  if (!detail::is_valid_utf8(text) || text.find('\0') != std::string::npos) return shown(text) + " is not UTF-8 text";
  return {};
}

std::vector<std::string> find_levels(const std::string& column, const std::vector<std::string>& texts) {
  const std::unordered_set<std::string_view> different(texts.begin(), texts.end());
  std::vector<std::string> levels(different.begin(), different.end());
  std::sort(levels.begin(), levels.end());
  for (const std::string& level : levels) {
    const std::string problem = level_problem(level);
    if (!problem.empty()) throw std::invalid_argument(fmt::format("column {}: {}", shown(column), problem));
  }
  if (levels.size() < 2) {
    throw std::invalid_argument(fmt::format("column {}: {} in all {} rows, expected at least 2 different texts",
                                            shown(column), levels.empty() ? "nothing" : shown(levels.front()),
                                            texts.size()));
  }
  if (levels.size() > kMostLevels) {
    throw std::invalid_argument(fmt::format("column {}: {} different texts in {} rows, expected at most {}",
                                            shown(column), levels.size(), texts.size(), kMostLevels));
  }
  return levels;
}

std::vector<Index> level_indices(const Category& category, const std::vector<std::string>& texts) {
  std::unordered_map<std::string_view, Index> positions;
  for (const std::string& level : category.levels) positions.emplace(level, static_cast<Index>(positions.size()));
  std::vector<Index> indices;
  indices.reserve(texts.size());
  for (const std::string& text : texts) {
    const auto found = positions.find(text);
    indices.push_back(found == positions.end() ? -1 : found->second);
  }
  return indices;
}

std::vector<std::string> level_names(const Category& category) {
  std::vector<std::string> names;
  for (const std::string& level : category.levels) names.push_back(level_name(category, level));
  return names;
}

std::vector<std::string> with_level_names(const std::vector<std::string>& columns,
                                          const std::vector<Category>& categories) {
  std::vector<std::string> names;
  for (const std::string& column : columns) {
    const auto found = std::find_if(categories.begin(), categories.end(),
                                    [&](const Category& category) { return category.column == column; });
    if (found == categories.end()) {
      names.push_back(column);
    } else {
      for (const std::string& level : found->levels) names.push_back(level_name(*found, level));
    }
  }
  return names;
}

std::vector<std::string> without_level_names(const std::vector<std::string>& inputs,
                                             const std::vector<Category>& categories) {
  std::unordered_map<std::string, std::string> columns;
  for (const Category& category : categories) {
    for (const std::string& name : level_names(category)) columns.emplace(name, category.column);
  }
  std::unordered_set<std::string> seen;
  std::vector<std::string> names;
  for (const std::string& input : inputs) {
    const auto found = columns.find(input);
    const std::string& column = found == columns.end() ? input : found->second;
    if (seen.insert(column).second) names.push_back(column);
  }
  return names;
}

}  // namespace relufit
