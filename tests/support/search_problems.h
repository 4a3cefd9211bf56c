/// \file
/// Problems drawn from random networks, and the residual of a network, for the tests of the exact-fit searches.
#pragma once

#include <vector>

#include "relufit/lift.h"
#include "relufit/teacher.h"

namespace relufit::testing_search {

inline LiftedProblem teacher_problem(const std::vector<Index>& widths, OutputActivation output, Index samples,
                                     unsigned long long seed) {
  const Teacher teacher = make_teacher(widths, output, samples, seed);
  LiftedProblem problem;
  problem.inputs = teacher.inputs;
  problem.targets = teacher.targets;
  problem.network.widths = widths;
  problem.network.output = output;
  return problem;
}

inline double forward_residual(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  const Matrix outputs = Network(layers, problem.network.output).forward(problem.inputs);
  return (outputs - problem.targets).norm() / problem.targets.norm();
}

}  // namespace relufit::testing_search
