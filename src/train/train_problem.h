/// \file
/// Internal to training: checks of options, and what train.h does not need to say.
#pragma once

#include "relufit/train.h"

namespace relufit {

/// Whether the output weights are given.
inline bool has_fixed_output(const TrainOptions& options) { return options.output_weights.size() > 0; }

/// The largest slope of the loss of an output for scaled targets, where it is below 1: what the weights and penalties
/// of the relaxation are multiplied by, being in units of it.
double loss_slope(const LiftedProblem& problem);

/// Throws std::invalid_argument for options out of range, or that do not go together.
void check(const TrainOptions& options);

/// Likewise for a loss that is not the one the classes of the data are encoded for.
void check_classes(const Dataset& data, const TrainOptions& options);

/// Likewise for given output weights, which must fit the data and the method.
void check_output_weights(const Dataset& data, const TrainOptions& options);

/// One stream of seeds per start; the odd constant keeps neighbouring seeds apart.
unsigned long long start_seed(unsigned seed, Index start);

}  // namespace relufit
