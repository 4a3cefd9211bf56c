/// \file
/// How well the plain network with given layers solves a training problem, from the definitions.
#pragma once

#include <vector>

#include "relufit/lift.h"

namespace relufit {

/// ||F(U) - Y||_F / ||Y||_F of the plain network with these layers, samples counting with their weights (||Y|| = 0: the
/// absolute norm).
double relative_residual(const LiftedProblem& problem, const std::vector<Layer>& layers);

/// Loss of the plain network's outputs, with the sample weights, + ridge/2 sum ||W||^2 + weight terms (exact loss: that
/// of the squared).
double network_loss(const LiftedProblem& problem, const std::vector<Layer>& layers);

/// How far outputs of the plain network are beyond the problem's output bounds and terms, at most; 0 where they hold or
/// there are none.
double output_bound_violation(const LiftedProblem& problem, const std::vector<Layer>& layers);

/// Bounds on outputs, and on sums of them, as LiftedProblem has them.
struct OutputBounds {
  Matrix lower, upper;
  std::vector<OutputTerm> terms;
};

/// How far outputs (outputs x samples) are beyond the bounds, at most; 0 where they hold or there are none.
double output_bound_violation(const OutputBounds& bounds, const Matrix& outputs);

}  // namespace relufit
