/// \file
/// Synthetic problems with a known exact network.
#pragma once

#include "relufit/network.h"

namespace relufit {

struct Teacher {
  Network network;
  Matrix inputs;   ///< n0 x samples, standard normal
  Matrix targets;  ///< the network's outputs
};

/// Weights 0.5 randn, biases 0.1 randn, inputs randn, as in the author's script. The same seed gives the same problem
/// on every platform. Throws std::invalid_argument for fewer than two widths, or a width or number of samples below 1.
Teacher make_teacher(const std::vector<Index>& widths, OutputActivation output, Index samples, unsigned long long seed);

}  // namespace relufit
