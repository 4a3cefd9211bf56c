/// \file
/// Columns of text as inputs: one input for each text that occurs, its level, which is 1 where a sample has that text
/// and 0 elsewhere (one-hot).
#pragma once

#include <string>
#include <vector>

#include "relufit/matrix.h"

namespace relufit {

/// A column of texts, and its levels. A column that holds numbers has their texts as levels.
struct Category {
  std::string column;
  std::vector<std::string> levels;  ///< different, not empty, at least 2; as find_levels gives them sorted by bytes

  bool operator==(const Category&) const = default;
};

/// The different texts of a column, sorted by their bytes. `column` is for messages. Throws std::invalid_argument for
/// fewer than 2 or more than 1000 of them, and where level_problem of one is not empty.
std::vector<std::string> find_levels(const std::string& column, const std::vector<std::string>& texts);

/// The empty string, or why this text cannot be a level: it is empty, or no UTF-8 text.
std::string level_problem(const std::string& text);

/// Position among the levels of every text; -1 for texts that are none of them.
std::vector<Index> level_indices(const Category& category, const std::vector<std::string>& texts);

/// Names of the inputs, "column=level".
std::vector<std::string> level_names(const Category& category);

/// These names, columns of the categories replaced by the inputs of their levels, in their place.
std::vector<std::string> with_level_names(const std::vector<std::string>& columns,
                                          const std::vector<Category>& categories);

/// The other way: columns that these inputs are made of, each once.
std::vector<std::string> without_level_names(const std::vector<std::string>& inputs,
                                             const std::vector<Category>& categories);

}  // namespace relufit
