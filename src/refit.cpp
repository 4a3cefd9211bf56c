#include <algorithm>

#include "relufit/polish.h"
#include "relufit/sequence.h"
#include "relufit/subproblem.h"

namespace relufit {

namespace {

constexpr double kMargin = 1e-8;      // of output bounds, scaled units
constexpr double kTolerance = 1e-11;  // of the convex problem
constexpr Index kIterations = 20000;

/// Training the output layer, a linear model of the last hidden layer's values.
LiftedProblem output_problem(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  LiftedProblem output = problem;
  const LiftedPoint point = lift_network(problem, layers);
  if (!point.active.empty()) {
    output.inputs = seen(point.values(point.active.size() - 1), problem.inputs, problem.skip_connections);
  }
  output.widths = {output.inputs.rows(), problem.widths.back()};
  output.skip_connections = false;
  if (output.loss == Loss::exact) output.loss = Loss::squared;
  output.weight_terms.clear();
  for (WeightTerm term : problem.weight_terms) {
    if (term.layer != static_cast<Index>(layers.size())) continue;
    term.layer = 1;
    output.weight_terms.push_back(std::move(term));
  }
  for (OutputTerm& term : output.output_terms) {
    const Vector margin = kMargin * term.coefficients.norm() *
                          ((term.upper - term.lower) / (4 * kMargin * term.coefficients.norm())).array().min(1.0);
    term.lower += margin;
    term.upper -= margin;
  }
  if (!problem.has_output_bounds()) return output;
  const auto room = (problem.output_upper - problem.output_lower).array();
  const Matrix margin = (room / 4).min(kMargin);
  output.output_lower += margin;
  output.output_upper -= margin;
  return output;
}

}  // namespace

double output_bound_violation(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  if (!problem.constrains_outputs()) return 0;
  const Matrix outputs = lift_network(problem, layers).output;
  double violation = 0;
  if (problem.has_output_bounds()) {
    violation =
        std::max({violation, (problem.output_lower - outputs).maxCoeff(), (outputs - problem.output_upper).maxCoeff()});
  }
  for (const OutputTerm& term : problem.output_terms) {
    const Vector values = outputs.transpose() * term.coefficients;
    violation = std::max({violation, (term.lower - values).maxCoeff(), (values - term.upper).maxCoeff()});
  }
  return violation;
}

PolishResult refit_output(const LiftedProblem& problem, const std::vector<Layer>& layers,
                          const PolishOptions& options) {
  check(problem);
  PolishResult result;
  result.layers = layers;
  result.before = result.after = network_loss(problem, layers);
  const LiftedProblem convex = output_problem(problem, layers);
  SubproblemSolver solver(convex, {});
  solver.set_point(lift_network(convex, {layers.back()}));
  SubproblemOptions solving;
  solving.tolerance = kTolerance;
  solving.max_iterations = kIterations;
  solving.should_stop = options.should_stop;
  const SubproblemResult solved = solver.solve(solving);
  result.iterations = solved.iterations;
  result.interrupted = solved.status == SubproblemStatus::interrupted;

  std::vector<Layer> refitted = layers;
  refitted.back() = solver.network().front();
  const double loss = network_loss(problem, refitted);
  const double before = output_bound_violation(problem, layers);
  const double after = output_bound_violation(problem, refitted);
  if (after < before || (after == before && loss < result.after)) {
    result.layers = std::move(refitted);
    result.after = loss;
  }
  return result;
}

}  // namespace relufit
