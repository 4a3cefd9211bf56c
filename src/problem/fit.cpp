#include "relufit/fit.h"

#include <algorithm>
#include <cmath>

#include "problem/sample_sums.h"

namespace relufit {

namespace {

Matrix columns_of(const Matrix& matrix, Range samples) { return matrix.middleCols(samples.begin, samples.size); }

}  // namespace

double relative_residual(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  const Network network = network_of(problem, layers);
  const Matrix none = Matrix::Zero(problem.targets.rows(), problem.samples());
  const auto square = [&](const Matrix& outputs, Range samples) {
    return loss_value(Loss::squared, outputs, columns_of(problem.targets, samples), weights_of(problem, samples));
  };
  const Chunks chunks = Chunks::of(problem);
  const double errors = sum_over(
      chunks, [&](Range samples) { return square(network.forward(columns_of(problem.inputs, samples)), samples); });
  const double targets = sum_over(chunks, [&](Range samples) { return square(columns_of(none, samples), samples); });
  return std::sqrt(targets > 0 ? errors / targets : 2 * errors);
}

double network_loss(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  const Loss& measure = problem.loss == Loss::exact ? Loss::squared : problem.loss;
  const Network network = network_of(problem, layers);
  double loss = sum_over(Chunks::of(problem), [&](Range samples) {
    return loss_value(measure, network.forward(columns_of(problem.inputs, samples)),
                      columns_of(problem.targets, samples), weights_of(problem, samples));
  });
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
