/// \file
/// Hidden units of the first layer of a deep ReLU network, read off exact data (continued_pieces.h).
#pragma once

#include <functional>
#include <vector>

#include "relufit/network.h"

namespace relufit {

/// Sets of units that may be the first hidden layer, or all but one of it: layers of at most `width` rows, whose
/// arguments have standard deviation 1; the likelier ones first. None where the data do not show any; then little time
/// is lost. `inputs`: n x N; `targets`: m x N, of networks with biases. `should_stop` may be empty; true ends the
/// reading.
std::vector<Layer> first_layer_guesses(const Matrix& inputs, const Matrix& targets, Index width,
                                       const std::function<bool()>& should_stop);

}  // namespace relufit
