/// \file
/// Proximal map of the lift's loss, a function of the local copy of Z.
#pragma once

#include "parallel/chunks.h"
#include "relufit/lift.h"

namespace relufit {

/// Minimizes  loss(Z) + penalty/2 ||Z - in||^2  over the outputs of a range of samples; `in` and `out` are the columns
/// of these samples. Linear output: prox_loss. ReLU output: the exact or squared loss as the lift defines them, max(0,
/// Z) = Y or its convex bound. With output bounds: within them. Allocates nothing.
void prox_output(const LiftedProblem& problem, double penalty, Range samples, const Eigen::Ref<const Matrix>& in,
                 Eigen::Ref<Matrix> out);

/// The nearest outputs that keep the term, likewise.
void project_outputs(const OutputTerm& term, Range samples, const Eigen::Ref<const Matrix>& in, Eigen::Ref<Matrix> out);

}  // namespace relufit
