/// \file
/// Internal to training: what options ask of the data, and what train.h does not need to say.
#pragma once

#include "relufit/train.h"

namespace relufit {

/// Whether the output weights are given.
inline bool has_fixed_output(const TrainOptions& options) { return options.fixed_output.size() > 0; }

/// The largest slope of the loss of an output for scaled targets, where it is below 1: what the weights and penalties
/// of the relaxation are multiplied by, being in units of it.
double loss_slope(const LiftedProblem& problem);

/// Throws std::invalid_argument for a loss that is not the one the classes of the data are encoded for, and given
/// output weights that do not fit the data.
void check_suits(const Dataset& data, const TrainOptions& options);

/// One stream of seeds per start; the odd constant keeps neighbouring seeds apart.
unsigned long long start_seed(unsigned seed, Index start);

}  // namespace relufit
