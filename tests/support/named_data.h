/// \file
/// Data sets of given matrices, for tests of training.
#pragma once

#include <string>
#include <utility>

#include "relufit/data.h"

namespace relufit::testing_data {

/// Inputs u0, u1, ... and targets y0, y1, ...
inline Dataset dataset(Matrix inputs, Matrix targets) {
  Dataset data{std::move(inputs), std::move(targets), {}, {}};
  for (Index i = 0; i < data.inputs.rows(); ++i) data.input_names.push_back("u" + std::to_string(i));
  for (Index i = 0; i < data.targets.rows(); ++i) data.target_names.push_back("y" + std::to_string(i));
  return data;
}

}  // namespace relufit::testing_data
