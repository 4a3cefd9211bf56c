/// \file
/// How a model keeps a bound on its outputs.
#pragma once

#include "relufit/constraints.h"

namespace relufit {

/// The least distance of what the bound is about (an output, a sum, a probability) from its bounds at the bound's
/// points, or at `samples` (inputs x samples, raw); >= 0 where it holds. Bounds that leave no room are widened by a
/// tolerance first (output_bounds.cpp). Throws as bounded_points; `number` is for messages.
double output_slack(const OutputBound& bound, std::size_t number, const NamedNetwork& shape, const Model& model,
                    const Matrix& samples);

}  // namespace relufit
