// How a model keeps constraints, recomputed from its folded network.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/infinity.h"
#include "constraints/class_outputs.h"
#include "constraints/monotone.h"
#include "constraints/output_slack.h"
#include "linear_algebra/decompositions.h"
#include "relufit/constraints.h"

namespace relufit {

namespace {

using Kind = WeightTerm::Kind;

/// Least distance of weights to their bounds. A value that all constraints together leave no room around is kept to
/// 1e-14 of it: it is stored scaled.
double box_slack(const WeightTerm& box, const std::vector<WeightTerm>& together, const Matrix& weights) {
  constexpr double kTolerance = 1e-14;
  double slack = kInfinity;
  for (const WeightTerm& all : together) {
    if (all.kind != Kind::bounds || all.layer != box.layer) continue;
    for (Index i = 0; i < weights.size(); ++i) {
      const double tolerance = kTolerance * std::min(std::abs(all.lower(i)), std::abs(all.upper(i)));
      const double room = all.upper(i) - all.lower(i) <= 2 * tolerance ? tolerance : 0;
      slack = std::min({slack, weights(i) - box.lower(i) + room, box.upper(i) - weights(i) + room});
    }
  }
  return slack;
}

/// The same of a sum: one without room is kept to 1e-9 of the sum of its factors times the largest weight of each
/// source.
double linear_slack(const WeightTerm& term, const Matrix& weights) {
  constexpr double kTolerance = 1e-9;
  const Matrix sizes = weights.cwiseAbs().colwise().maxCoeff().replicate(weights.rows(), 1);
  const double tolerance = kTolerance * term.coefficients.cwiseAbs().cwiseProduct(sizes).sum();
  return -term_violation(term, weights) + (term.most - term.least <= 2 * tolerance ? tolerance : 0);
}

/// Least distance to what the term allows, `together` being all terms.
double term_slack(const WeightTerm& term, const std::vector<WeightTerm>& together, const Matrix& weights) {
  if (term.kind == Kind::bounds) return box_slack(term, together, weights);
  if (term.kind == Kind::linear) return linear_slack(term, weights);
  return -term_violation(term, weights);
}

std::vector<Layer> folded_layers(const Model& model) { return model.folded().layers(); }

double spectral_norm(const Matrix& weights) { return Eigen::JacobiSVD<Matrix>(weights).singularValues()(0); }

NamedNetwork shape_of(const Model& model) {
  return {model.network.architecture(), model.input_names, model.target_names,
          meaning_of(model.classification, recorded_loss(model), model.target_names)};
}

}  // namespace

std::vector<ConstraintCheck> check_constraints(const Constraints& constraints, const Model& model,
                                               const Matrix& samples) {
  const NamedNetwork shape = shape_of(model);
  const std::vector<Layer> layers = folded_layers(model);
  std::vector<ConstraintCheck> checks;
  const std::vector<WeightTerm> together = weight_terms(constraints, shape);  // which finds contradictions, too
  const auto add = [&](const std::string& name, const Constraints& part) {
    double slack = kInfinity;
    for (const WeightTerm& term : weight_terms(part, shape)) {
      slack = std::min(slack, term_slack(term, together, layers[static_cast<std::size_t>(term.layer) - 1].weights));
    }
    checks.push_back({name, slack});
  };
  for (std::size_t i = 0; i < constraints.weights.size(); ++i) {
    Constraints part;
    part.weights = {constraints.weights[i]};
    add(fmt::format("weights[{}]: layer {}", i, constraints.weights[i].layer), part);
  }
  for (std::size_t i = 0; i < constraints.linear.size(); ++i) {
    Constraints part;
    part.linear = {constraints.linear[i]};
    add(fmt::format("linear[{}]: layer {}", i, constraints.linear[i].layer), part);
  }
  for (std::size_t i = 0; i < constraints.monotone.size(); ++i) {
    const Monotone& demand = constraints.monotone[i];
    checks.push_back(
        {fmt::format("monotone[{}]: {}", i, description(demand, shape)), monotone_slack(demand, shape, layers)});
  }
  for (const std::vector<Curvature>& joint : joint_curvatures(constraints.curvature)) {
    checks.push_back({fmt::format("curvature: {}", description(joint)), curvature_slack(joint, shape, layers)});
  }
  for (std::size_t i = 0; i < constraints.norms.size(); ++i) {
    Constraints part;
    part.norms = {constraints.norms[i]};
    add(fmt::format("norms[{}]: {} of layer {}", i, to_string(constraints.norms[i].norm), constraints.norms[i].layer),
        part);
  }
  if (constraints.lipschitz)
    checks.push_back({shape.classification.empty() ? "lipschitz" : "lipschitz: scores",
                      *constraints.lipschitz - lipschitz_bound(model)});
  if (constraints.convex) {
    Constraints part;
    part.convex = true;
    add("convex", part);
  }
  for (std::size_t i = 0; i < constraints.outputs.size(); ++i) {
    const OutputBound& bound = constraints.outputs[i];
    if (bound.at_samples() && samples.cols() == 0) continue;
    const bool probability = has_probabilities(shape) && !bound.is_sum;
    checks.push_back({fmt::format("outputs[{}]: {} at {} {}", i,
                                  probability ? fmt::format("P({})", description(bound)) : description(bound),
                                  bound.at_samples() ? samples.cols() : bound.points.values.rows(),
                                  bound.at_samples() ? "samples" : "points"),
                      output_slack(bound, i, shape, model, samples)});
  }
  for (std::size_t i = 0; i < constraints.hidden.size() && samples.cols() > 0; ++i) {
    checks.push_back({fmt::format("hidden[{}]: at {} samples", i, samples.cols()),
                      hidden_slack(constraints.hidden[i], samples, model)});
  }
  for (ConstraintCheck& check : checks) check.slack += 0.0;  // -0 is 0
  return checks;
}

// With skip connections the units h of a layer change by at most ||[W, V]|| sqrt(L^2 + 1), L being the bound of those
// before it, and by at most ||W|| L + ||V||.
double lipschitz_bound(const Model& model) {
  const std::vector<Layer> layers = folded_layers(model);
  double bound = spectral_norm(layers.front().weights);
  for (std::size_t l = 1; l < layers.size(); ++l) {
    const Matrix& weights = layers[l].weights;
    const double norm = spectral_norm(weights);
    if (!model.network.skip_connections()) {
      bound *= norm;
      continue;
    }
    const Index inputs = model.network.input_size();
    const double apart =
        spectral_norm(weights.leftCols(weights.cols() - inputs)) * bound + spectral_norm(weights.rightCols(inputs));
    bound = std::min(apart, norm * std::hypot(bound, 1));
  }
  return bound;
}

}  // namespace relufit
