#include "relufit/fit.h"

#include <algorithm>

namespace relufit {

double relative_residual(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  Matrix targets = problem.targets;
  Matrix errors = network_of(problem, layers).forward(problem.inputs) - targets;
  if (problem.sample_weights.size() > 0) {
    const auto weights = problem.sample_weights.cwiseSqrt().asDiagonal();
    targets *= weights;
    errors *= weights;
  }
  const double size = targets.norm();
  return size > 0 ? errors.norm() / size : errors.norm();
}

double network_loss(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  const Loss& measure = problem.loss == Loss::exact ? Loss::squared : problem.loss;
  double loss =
      loss_value(measure, network_of(problem, layers).forward(problem.inputs), problem.targets, problem.sample_weights);
  for (const Layer& layer : layers) loss += 0.5 * problem.ridge * layer.weights.squaredNorm();
  for (const WeightTerm& term : problem.weight_terms) {
    loss += term_value(term, layers[static_cast<std::size_t>(term.layer) - 1].weights);
  }
  return loss;
}

double output_bound_violation(const OutputBounds& bounds, const Matrix& outputs) {
  double largest = 0;
  if (bounds.lower.size() > 0) {
    largest = std::max({largest, (bounds.lower - outputs).maxCoeff(), (outputs - bounds.upper).maxCoeff()});
  }
  for (const OutputTerm& term : bounds.terms) {
    const Vector values = outputs.transpose() * term.coefficients;
    largest = std::max({largest, (term.lower - values).maxCoeff(), (values - term.upper).maxCoeff()});
  }
  return largest;
}

double output_bound_violation(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  if (!problem.constrains_outputs()) return 0;
  return output_bound_violation({problem.output_lower, problem.output_upper, problem.output_terms},
                                lift_network(problem, layers).output);
}

}  // namespace relufit
