/// \file
/// Internal: checks of training options.
#pragma once

#include "relufit/train.h"

namespace relufit {

inline bool has_fixed_output(const TrainOptions& options) { return options.output_weights.size() > 0; }

/// Throws std::invalid_argument for options out of range, or that do not go together.
void check(const TrainOptions& options);

/// Likewise for given output weights, which must fit the data and the method.
void check_output_weights(const Dataset& data, const TrainOptions& options);

}  // namespace relufit
