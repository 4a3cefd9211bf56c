// The output layer alone, under bounds on outputs. Two things keep a bound in the result:
//
// Margins. Outputs that are computed in another order, by another processor or from the folded network differ from the
// exact ones by at most r, a matrix of outputs x samples (rounding.h). Those computed here must keep bounds tightened
// by 2 r: the exact ones then keep r, and all others keep the bounds. The convex problem is solved for bounds tightened
// by the larger of 4 r and kMargin, which its residual of kTolerance cannot use up but for very many samples. Nowhere
// is more than a quarter of the room taken; bounds without room stay as they are.
//
// Repair. Where outputs are still outside of bounds tightened by 2 r, they are moved to those tightened by 3 r (to the
// value itself where there is no room): the step d of weights and biases with the least norm that does so is linear,
// A d = need, with a row for each bound that was broken in one of the rounds so far.

#include <algorithm>
#include <limits>

#include "constraints/rounding.h"
#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "relufit/fit.h"
#include "relufit/polish.h"
#include "relufit/subproblem.h"

namespace relufit {

namespace {

constexpr double kMargin = 1e-8;      // of output bounds, scaled units
constexpr double kTolerance = 1e-11;  // of the convex problem
constexpr Index kIterations = 20000;
constexpr int kRepairs = 20;
constexpr std::size_t kMostRepaired = 3000;  // bounds in one system

/// Of the problem, each tightened by its part of the margin (outputs x samples) and at most a quarter of its room.
OutputBounds tightened(const LiftedProblem& problem, const Matrix& margin) {
  OutputBounds bounds{problem.output_lower, problem.output_upper, problem.output_terms};
  if (bounds.lower.size() > 0) {
    const Matrix taken = ((bounds.upper - bounds.lower).array() / 4).min(margin.array());
    bounds.lower += taken;
    bounds.upper -= taken;
  }
  for (OutputTerm& term : bounds.terms) {
    const Vector own = margin.transpose() * term.coefficients.cwiseAbs();
    const Vector taken = ((term.upper - term.lower).array() / 4).min(own.array());
    term.lower += taken;
    term.upper -= taken;
  }
  return bounds;
}

Matrix outputs_of(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  return lift_network(problem, layers).output;
}

/// r for the outputs of these layers.
Matrix rounding_of(const LiftedProblem& problem, const std::vector<Layer>& layers, const PolishOptions& options) {
  const bool given = options.input_sizes.size() > 0;
  Matrix sizes =
      value_sizes(layers, problem.network, given ? options.input_sizes : Matrix(problem.inputs.cwiseAbs())).back();
  if (options.output_offset.size() > 0) sizes.colwise() += 2 * options.output_offset;
  return rounding_factor(layers, layers.size()) * sizes;
}

/// Training the output layer, a linear model of the last hidden layer's values.
LiftedProblem output_problem(const LiftedProblem& problem, const std::vector<Layer>& layers, const Matrix& rounding) {
  LiftedProblem output = problem;
  const LiftedPoint point = lift_network(problem, layers);
  if (!point.active.empty()) {
    output.inputs = seen(point.values(point.active.size() - 1), problem.inputs, problem.network.skip_connections);
  }
  output.network.widths = {output.inputs.rows(), problem.network.outputs()};
  output.network.skip_connections = false;
  if (output.loss == Loss::exact) output.loss = Loss::squared;
  output.weight_terms.clear();
  for (WeightTerm term : problem.weight_terms) {
    if (term.layer != static_cast<Index>(layers.size())) continue;
    term.layer = 1;
    output.weight_terms.push_back(std::move(term));
  }
  OutputBounds bounds = tightened(problem, (4 * rounding).cwiseMax(kMargin));
  output.output_lower = std::move(bounds.lower);
  output.output_upper = std::move(bounds.upper);
  output.output_terms = std::move(bounds.terms);
  return output;
}

/// See above.
class Repair {
 public:
  Repair(const LiftedProblem& problem, const LiftedProblem& convex, const Matrix& rounding)
      : convex_(convex), kept_(tightened(problem, 2 * rounding)), aim_(tightened(problem, 3 * rounding)) {
    for (Index i = 0; i < kept_.lower.rows(); ++i) {
      add(Vector::Unit(kept_.lower.rows(), i), kept_.lower.row(i), kept_.upper.row(i), aim_.lower.row(i),
          aim_.upper.row(i), rounding.row(i).transpose());
    }
    for (std::size_t t = 0; t < kept_.terms.size(); ++t) {
      const OutputTerm& kept = kept_.terms[t];
      const OutputTerm& aim = aim_.terms[t];
      add(kept.coefficients, kept.lower, kept.upper, aim.lower, aim.upper,
          rounding.transpose() * kept.coefficients.cwiseAbs());
    }
  }

  /// The layer of all rounds that keeps the bounds best: weight terms may leave no way to keep them.
  void apply(Layer& layer) {
    Layer moved = layer;
    double least = std::numeric_limits<double>::infinity();
    for (int round = 0; round <= kRepairs; ++round) {
      const Matrix outputs = product(moved.weights, convex_.inputs).colwise() + moved.bias;
      if (!outputs.allFinite()) return;
      const double broken = output_bound_violation(kept_, outputs);
      if (broken < least) {
        least = broken;
        layer = moved;
      }
      if (!find_broken(outputs) || broken_.size() > kMostRepaired) return;
      move(outputs, moved);
      project_onto_constraints(convex_.weight_terms, 1, moved.weights);
    }
  }

 private:
  struct Form {
    Vector coefficients;
    Vector lower, upper, aim_lower, aim_upper, rounding;
  };
  struct Broken {
    std::size_t form;
    Index sample;
    double value;  ///< to move to
  };

  void add(const Vector& coefficients, const Vector& lower, const Vector& upper, const Vector& aim_lower,
           const Vector& aim_upper, const Vector& rounding) {
    forms_.push_back({coefficients, lower, upper, aim_lower, aim_upper, rounding});
  }

  /// Adds what is outside; whether anything is.
  bool find_broken(const Matrix& outputs) {
    bool found = false;
    for (std::size_t f = 0; f < forms_.size(); ++f) {
      const Form& form = forms_[f];
      const Vector values = outputs.transpose() * form.coefficients;
      for (Index j = 0; j < values.size(); ++j) {
        // No computed value is a given one.
        const double tolerance = form.upper(j) - form.lower(j) <= 4 * form.rounding(j) ? form.rounding(j) : 0;
        const bool below = values(j) < form.lower(j) - tolerance;
        if (!below && !(values(j) > form.upper(j) + tolerance)) continue;
        found = true;
        const auto same = std::find_if(broken_.begin(), broken_.end(),
                                       [&](const Broken& other) { return other.form == f && other.sample == j; });
        const double value = below ? form.aim_lower(j) : form.aim_upper(j);
        if (same == broken_.end()) broken_.push_back({f, j, value});
      }
    }
    return found;
  }

  void move(const Matrix& outputs, Layer& layer) const {
    const Index weights = layer.weights.size();
    const auto count = static_cast<Index>(broken_.size());
    Matrix system(count, weights + (convex_.bias ? layer.bias.size() : 0));
    Vector need(count);
    for (Index row = 0; row < count; ++row) {
      const Broken& broken = broken_[static_cast<std::size_t>(row)];
      const Vector& coefficients = forms_[broken.form].coefficients;
      const Matrix by_weights = coefficients * convex_.inputs.col(broken.sample).transpose();
      system.row(row).head(weights) = by_weights.reshaped().transpose();
      if (convex_.bias) system.row(row).tail(layer.bias.size()) = coefficients.transpose();
      need(row) = broken.value - coefficients.dot(outputs.col(broken.sample));
    }
    const Vector step = system.completeOrthogonalDecomposition().solve(need);
    layer.weights.reshaped() += step.head(weights);
    if (convex_.bias) layer.bias += step.tail(layer.bias.size());
  }

  const LiftedProblem& convex_;
  OutputBounds kept_, aim_;
  std::vector<Form> forms_;
  std::vector<Broken> broken_;
};

}  // namespace

PolishResult refit_output(const LiftedProblem& problem, const std::vector<Layer>& layers,
                          const PolishOptions& options) {
  check(problem);
  PolishResult result;
  result.layers = layers;
  result.before = result.after = network_loss(problem, layers);
  const Matrix rounding = rounding_of(problem, layers, options);
  const LiftedProblem convex = output_problem(problem, layers, rounding);
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
  // Of constraints that contradict each other multipliers grow without end.
  if (!refitted.back().weights.allFinite() || !refitted.back().bias.allFinite()) return result;
  const Matrix refitted_rounding = rounding_of(problem, refitted, options);
  if (problem.constrains_outputs()) Repair(problem, convex, refitted_rounding).apply(refitted.back());
  const double loss = network_loss(problem, refitted);
  const double before = output_bound_violation(tightened(problem, 2 * rounding), outputs_of(problem, layers));
  const double after = output_bound_violation(tightened(problem, 2 * refitted_rounding), outputs_of(problem, refitted));
  if (after < before || (after == before && loss < result.after)) {
    result.layers = std::move(refitted);
    result.after = loss;
  }
  return result;
}

}  // namespace relufit
