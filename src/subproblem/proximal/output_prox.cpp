#include "subproblem/proximal/output_prox.h"

#include <algorithm>

namespace relufit {

namespace {

/// Half squares of (z - y) where y > 0, of (max(z, 0) - y) elsewhere.
void prox_relu_squared(const LiftedProblem& problem, double rho, Range samples, const Eigen::Ref<const Matrix>& in,
                       Eigen::Ref<Matrix> out) {
  const auto y = problem.targets.middleCols(samples.begin, samples.size).array();
  const auto v = in.array();
  if (problem.sample_weights.size() == 0) {
    const auto pulled = (y + rho * v) / (1 + rho);
    out.array() = (y > 0).select(pulled, (v < 0).select(v, pulled.max(0.0)));
    return;
  }
  for (Index j = 0; j < samples.size; ++j) {
    const double weight = problem.sample_weights(samples.begin + j);
    const auto pulled = (weight * y.col(j) + rho * v.col(j)) / (weight + rho);
    out.col(j).array() = (y.col(j) > 0).select(pulled, (v.col(j) < 0).select(v.col(j), pulled.max(0.0)));
  }
}

}  // namespace

void prox_output(const LiftedProblem& problem, double penalty, Range samples, const Eigen::Ref<const Matrix>& in,
                 Eigen::Ref<Matrix> out) {
  const auto targets = problem.targets.middleCols(samples.begin, samples.size);
  const bool weighted = problem.sample_weights.size() > 0;
  const auto weights = problem.sample_weights.segment(weighted ? samples.begin : 0, weighted ? samples.size : 0);
  if (problem.network.output == OutputActivation::linear) {
    prox_loss(problem.loss, penalty, targets, weights, in, out);
  } else if (problem.loss == Loss::exact) {
    out.array() = (targets.array() > 0).select(targets.array(), in.array().min(0.0));
  } else {
    prox_relu_squared(problem, penalty, samples, in, out);
  }
  // Output by output the function is convex in one variable: its minimizer in an interval is the nearest point to that
  // without.
  if (!problem.has_output_bounds()) return;
  out = out.cwiseMax(problem.output_lower.middleCols(samples.begin, samples.size))
            .cwiseMin(problem.output_upper.middleCols(samples.begin, samples.size));
}

void project_outputs(const OutputTerm& term, Range samples, const Eigen::Ref<const Matrix>& in,
                     Eigen::Ref<Matrix> out) {
  const double square = term.coefficients.squaredNorm();
  for (Index j = 0; j < samples.size; ++j) {
    const double value = term.coefficients.dot(in.col(j));
    const double kept = std::clamp(value, term.lower(samples.begin + j), term.upper(samples.begin + j));
    out.col(j) = in.col(j) + (kept - value) / square * term.coefficients;
  }
}

}  // namespace relufit
