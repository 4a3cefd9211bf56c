/// \file
/// Internal: local refinement under weight terms.
#pragma once

#include "least_squares.h"
#include "relufit/polish.h"

namespace relufit {

/// Decreases network_loss of a problem with weight terms and a loss that has a curvature from `layers`, which should
/// satisfy its constraints; those of the result hold to rounding. See constrained_polish.cpp.
PolishResult polish_constrained(const LiftedProblem& problem, const std::vector<Layer>& layers,
                                const PolishOptions& options);

}  // namespace relufit
