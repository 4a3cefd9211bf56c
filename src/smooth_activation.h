/// \file
/// Internal: activations with their corners rounded off.
#pragma once

#include "relufit/activation.h"

namespace relufit {

/// The lift of an activation (activation.h) with max(u, 0) replaced by (u + sqrt(u^2 + width^2)) / 2, which is smooth,
/// larger by at most width / 2, and the same in the limit of a small width. Every entry z of `values` becomes the
/// smoothed a(z), and `slopes`, of the same shape, its derivative. width > 0.
void apply_smoothed(const Activation& activation, double width, Matrix& values, Matrix& slopes);

}  // namespace relufit
