/// \file
/// Networks whose ridge is as small as their function allows.
#pragma once

#include <vector>

#include "relufit/lift.h"

namespace relufit {

/// A unit of a positively homogeneous activation (is_homogeneous) does the same with its incoming weights w and bias
/// times s > 0 and its outgoing weights v divided by s. Of these the ridge, |w|^2 s^2 + |v|^2 / s^2, is least for
/// s^2 = |v| / |w|, where both norms are sqrt(|w| |v|). Units whose w or v is 0 stay as they are. With one hidden layer
/// every unit is its own; with several, layers are gone over until nothing changes but rounding (each step lowers the
/// ridge).
///
/// The balanced network: the given one without ridge, with weight terms, and for other activations.
std::vector<Layer> balanced(const LiftedProblem& problem, std::vector<Layer> layers);

}  // namespace relufit
