/// \file
/// Activations with their corners rounded off.
#pragma once

#include "relufit/activation.h"

namespace relufit {

/// The lift of an activation (activation.h) with max(u, 0) replaced by (u + sqrt(u^2 + width^2)) / 2, which is smooth,
/// larger by at most width / 2, and the same in the limit of a small width. `values` (units x samples) become the
/// smoothed values for these arguments, `slopes`, of the arguments' shape, their derivatives. width > 0.
void evaluate_smoothed(const Activation& activation, double width, const Eigen::Ref<const Matrix>& arguments,
                       Eigen::Ref<Matrix> values, Eigen::Ref<Matrix> slopes);

}  // namespace relufit
