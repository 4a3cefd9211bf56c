/// \file
/// Internal to training: what train.h does not need to say.
#pragma once

#include "relufit/train.h"

namespace relufit {

/// Whether the output weights are given.
bool has_fixed_output(const TrainOptions& options);

/// One stream of seeds per start; the odd constant keeps neighbouring seeds apart.
unsigned long long start_seed(unsigned seed, Index start);

}  // namespace relufit
