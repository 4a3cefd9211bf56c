/// \file
/// Checks shared by the writer and the reader of model files, so that whatever is written can be read. Each
/// returns what is wrong, beginning with the place, or "".
#pragma once

#include <string>
#include <vector>

#include "relufit/model.h"

namespace relufit {

/// At least one, not empty, UTF-8, and different from each other.
std::string names_problem(const std::string& path, const std::vector<std::string>& names);

/// Finite values, as many as `size`; scales > 0; offsets 0 where asked.
std::string scaling_problem(const std::string& path, const Scaling& scaling, std::size_t size, bool offset_is_zero);

/// A label, classes that suit the link and the outputs, and linear outputs.
std::string classification_problem(const Classification& classification, std::size_t outputs,
                                   OutputActivation activation);

/// Columns with at least 2 different levels each; the names of all levels among the inputs, no column and no name
/// twice.
std::string categories_problem(const std::vector<Category>& categories, const std::vector<std::string>& input_names);

}  // namespace relufit
