#include "relufit/constraints.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/infinity.h"
#include "base/refusal.h"
#include "constraints/class_outputs.h"
#include "constraints/monotone.h"
#include "linear_algebra/decompositions.h"

namespace relufit {

namespace {

using Kind = WeightTerm::Kind;

/// Bounds of one layer, with the constraint that set each of them, for messages about contradictions.
class LayerBounds {
 public:
  LayerBounds(Index layer, Index rows, Index cols)
      : layer_(layer),
        lower_(Matrix::Constant(rows, cols, -kInfinity)),
        upper_(Matrix::Constant(rows, cols, kInfinity)),
        lower_by_(static_cast<std::size_t>(rows * cols)),
        upper_by_(static_cast<std::size_t>(rows * cols)) {}

  void narrow(Index row, Index col, double lower, double upper, const std::string& by) {
    const auto at = static_cast<std::size_t>(row + col * lower_.rows());
    if (lower > lower_(row, col)) {
      lower_(row, col) = lower;
      lower_by_[at] = by;
    }
    if (upper < upper_(row, col)) {
      upper_(row, col) = upper;
      upper_by_[at] = by;
    }
    if (!(lower_(row, col) <= upper_(row, col))) {
      fail(fmt::format("{} contradicts {}: layer {}, unit {}, source {}: at least {} and at most {}", lower_by_[at],
                       upper_by_[at], layer_, row + 1, col + 1, lower_(row, col), upper_(row, col)));
    }
  }

  /// Nothing where there is no bound.
  std::optional<WeightTerm> term() const {
    if ((lower_.array() == -kInfinity).all() && (upper_.array() == kInfinity).all()) return std::nullopt;
    return WeightTerm{Kind::bounds, layer_, 0, lower_, upper_};
  }

  Index rows() const { return lower_.rows(); }
  Index cols() const { return lower_.cols(); }

 private:
  Index layer_;
  Matrix lower_, upper_;
  std::vector<std::string> lower_by_, upper_by_;
};

void add_weight_bound(const WeightBound& bound, std::size_t number, std::vector<LayerBounds>& layers) {
  const std::string name = fmt::format("weights[{}]", number);
  const auto in = [&](Index value, Index last, const char* member) {
    if (value < 1 || value > last) fail(fmt::format("{}.{}: {}, expected 1 to {}", name, member, value, last));
  };
  in(bound.layer, static_cast<Index>(layers.size()), "layer");
  LayerBounds& layer = layers[static_cast<std::size_t>(bound.layer) - 1];
  if (bound.unit) in(*bound.unit, layer.rows(), "unit");
  if (bound.source) in(*bound.source, layer.cols(), "source");
  if (!(bound.lower <= bound.upper)) fail(fmt::format("{}: lower {} above upper {}", name, bound.lower, bound.upper));
  for (Index i = 0; i < layer.rows(); ++i) {
    for (Index j = 0; j < layer.cols(); ++j) {
      if (bound.unit.value_or(i + 1) != i + 1 || bound.source.value_or(j + 1) != j + 1) continue;
      layer.narrow(i, j, bound.lower, bound.upper, name);
    }
  }
}

WeightTerm linear_term(const LinearBound& bound, std::size_t number, const NamedNetwork& shape) {
  const std::string name = fmt::format("linear[{}]", number);
  const auto in = [&](Index value, Index last, const std::string& member) {
    if (value < 1 || value > last) fail(fmt::format("{}.{}: {}, expected 1 to {}", name, member, value, last));
  };
  const std::vector<LayerShape> layers = shape.network.layers();
  in(bound.layer, static_cast<Index>(layers.size()), "layer");
  const auto [rows, columns] = layers[static_cast<std::size_t>(bound.layer) - 1];
  WeightTerm term{Kind::linear, bound.layer, 0, {}, {}};
  term.coefficients.setZero(rows, columns);
  for (std::size_t i = 0; i < bound.parts.size(); ++i) {
    const LinearBound::Part& part = bound.parts[i];
    in(part.unit, term.coefficients.rows(), fmt::format("sum[{}].unit", i));
    in(part.source, term.coefficients.cols(), fmt::format("sum[{}].source", i));
    double& coefficient = term.coefficients(part.unit - 1, part.source - 1);
    if (coefficient != 0) fail(fmt::format("{}.sum[{}]: a weight named twice", name, i));
    coefficient = part.factor;
  }
  if (!(bound.lower <= bound.upper)) fail(fmt::format("{}: lower {} above upper {}", name, bound.lower, bound.upper));
  term.least = bound.lower;
  term.most = bound.upper;
  return term;
}

/// sign of the weight: of the unit it goes to times that of where it comes from.
void narrow_sign(LayerBounds& layer, Index row, Index col, double sign, const std::string& by) {
  layer.narrow(row, col, sign > 0 ? 0 : -kInfinity, sign > 0 ? kInfinity : 0, by);
}

void add_shapes(const Constraints& constraints, const NamedNetwork& shape, std::vector<LayerBounds>& layers) {
  if (constraints.monotone.empty() && constraints.curvature.empty()) return;
  const ShapeSigns signs(constraints.monotone, constraints.curvature, shape);
  const std::string by = constraints.monotone.empty() ? "curvature" : "monotone";
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool last = l + 1 == layers.size();
    for (Index i = 0; i < layers[l].rows(); ++i) {
      const double to = last ? signs.rows[static_cast<std::size_t>(i)] : signs.unit(i % shape.network.widths[l + 1]);
      const Index units = l == 0 ? 0 : shape.network.widths[l];  // before the columns of inputs
      for (Index j = 0; j < layers[l].cols(); ++j) {
        const auto input = static_cast<std::size_t>(j - units);
        const double from = j < units ? signs.unit(j) : signs.inputs[input];
        if (to * from != 0) narrow_sign(layers[l], i, j, to * from, by);
        if (last && i == signs.between && from != 0) layers[l].narrow(i, j, 0, 0, by);
        if (last || !signs.has_curvature()) continue;
        const double wanted = j < units ? from : signs.fed[input];  // an affine part of the output does not bend it
        if (wanted != 0 && wanted != to) layers[l].narrow(i, j, 0, 0, "curvature");
      }
    }
  }
}

/// The norm r of each layer's weights for which the network's Lipschitz bound is `lipschitz`: r^layers, or with skip
/// connections L_1 = r, L_l = r sqrt(L_{l-1}^2 + 1), which grows with r.
double common_norm(double lipschitz, Index layers, bool skip_connections) {
  if (!skip_connections) return std::pow(lipschitz, 1.0 / static_cast<double>(layers));
  double least = 0, most = lipschitz;  // r <= L_l for every l
  for (int i = 0; i < 100; ++i) {
    const double norm = 0.5 * (least + most);
    double bound = norm;
    for (Index l = 2; l <= layers; ++l) bound = norm * std::hypot(bound, 1);
    (bound <= lipschitz ? least : most) = norm;
  }
  return least;
}

/// What the proofs of monotone and convex networks, and bounds on hidden units, suppose.
void check_activation(const Constraints& constraints, const NamedNetwork& shape) {
  const Activation& activation = shape.network.activation;
  for (std::size_t i = 0; i < constraints.hidden.size(); ++i) {
    const auto layers = static_cast<Index>(shape.network.widths.size()) - 2;
    const Index layer = constraints.hidden[i].layer.value_or(1);
    if (layer < 1 || layer > layers) {
      fail(fmt::format("hidden[{}].layer: {}, of {} hidden layers", i, layer, layers));
    }
    if (!is_homogeneous(activation)) {
      fail(fmt::format("hidden[{}]: with the activation {}, expected relu, leaky-relu or absolute", i,
                       to_string(activation)));
    }
  }
  if (constraints.convex && compares_outputs(shape) && has_probabilities(shape)) {
    fail(
        "convex: with scores under softmax, which mean nothing on their own, expected the logistic loss, whose one "
        "score is the log-odds of the second class");
  }
  if (!constraints.curvature.empty() && !shape.classification.empty()) {
    fail("curvature: of classes, whose scores and probabilities bend differently, expected a regression");
  }
  if (shape.network.widths.size() <= 2) return;
  if (!constraints.monotone.empty() && !is_increasing(activation)) {
    fail(fmt::format("monotone: with the activation {}, expected one that increases", to_string(activation)));
  }
  if (!constraints.convex && constraints.curvature.empty()) return;
  if (!is_convex(activation) || (shape.network.widths.size() > 3 && !is_increasing(activation))) {
    fail(fmt::format("{}: with the activation {}, expected a convex one, increasing with several hidden layers",
                     constraints.convex ? "convex" : "curvature", to_string(activation)));
  }
}

}  // namespace

bool Constraints::names_units() const {
  return !linear.empty() || std::any_of(weights.begin(), weights.end(), [](const WeightBound& bound) {
    return bound.unit || (bound.source && bound.layer > 1);
  });
}

std::vector<WeightTerm> weight_terms(const Constraints& constraints, const NamedNetwork& shape) {
  check_activation(constraints, shape);
  std::vector<LayerBounds> layers;
  for (const LayerShape& layer : shape.network.layers()) {
    layers.emplace_back(static_cast<Index>(layers.size()) + 1, layer.rows, layer.columns);
  }
  for (std::size_t i = 0; i < constraints.weights.size(); ++i) add_weight_bound(constraints.weights[i], i, layers);
  add_shapes(constraints, shape, layers);
  if (constraints.convex) {
    for (std::size_t l = 1; l < layers.size(); ++l) {
      for (Index i = 0; i < layers[l].rows(); ++i) {
        // An affine part of the inputs keeps a function convex, whatever its weights.
        for (Index j = 0; j < shape.network.widths[l]; ++j) narrow_sign(layers[l], i, j, 1, "convex");
      }
    }
  }
  std::vector<WeightTerm> terms;
  for (const LayerBounds& layer : layers) {
    if (const auto term = layer.term()) terms.push_back(*term);
  }
  for (std::size_t i = 0; i < constraints.linear.size(); ++i) {
    terms.push_back(linear_term(constraints.linear[i], i, shape));
  }
  for (std::size_t i = 0; i < constraints.norms.size(); ++i) {
    const NormBound& norm = constraints.norms[i];
    if (norm.layer < 1 || norm.layer > static_cast<Index>(layers.size())) {
      fail(fmt::format("norms[{}].layer: {}, expected 1 to {}", i, norm.layer, layers.size()));
    }
    terms.push_back({norm.norm, norm.layer, norm.at_most, {}, {}});
  }
  check(terms, shape.network.layers());
  return terms;
}

// Raw weights are the scaled ones times and divided by a scale, two roundings, and so are their bounds: 8 eps of a
// bound are more. Norms are summed up from that many squares, singular values are within eps of the norm times the
// size. Sums of weights are projected onto by Dykstra's algorithm, to less than kSumMargin for weights of the size of
// 1, which scaled ones are. A bound at 0 needs nothing: 0 is exact, and signs are.
void tighten(WeightTerm& term, const std::vector<LayerShape>& shapes) {
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  constexpr double kSumMargin = 2e-9;
  const auto inwards = [](double margin, double& lower, double& upper) {
    if (!std::isfinite(margin)) return;
    margin = std::min(margin, (upper - lower) / 4);
    lower += margin;
    upper -= margin;
  };
  const auto finite = [](double value) { return std::isfinite(value) ? std::abs(value) : 0; };
  if (term.kind == Kind::bounds) {
    for (Index i = 0; i < term.lower.size(); ++i) {
      const double room = (term.upper(i) - term.lower(i)) / 4;
      term.lower(i) += std::min(room, 8 * kEpsilon * finite(term.lower(i)));
      term.upper(i) -= std::min(room, 8 * kEpsilon * finite(term.upper(i)));
    }
  } else if (term.kind == Kind::linear) {
    inwards(kSumMargin * term.coefficients.norm(), term.least, term.most);
  } else {
    const auto [rows, columns] = shapes[static_cast<std::size_t>(term.layer) - 1];
    term.size *= 1 - static_cast<double>(16 + rows * columns) * kEpsilon;
  }
}

std::vector<WeightTerm> scaled_weight_terms(const Constraints& constraints, const NamedNetwork& shape,
                                            const Scaling& inputs, const Scaling& targets) {
  // Raw weights are scaled ones divided by the scales of the inputs, times those of the targets.
  std::vector<WeightTerm> terms = weight_terms(constraints, shape);
  const auto layers = static_cast<Index>(shape.network.widths.size()) - 1;
  for (WeightTerm& term : terms) {
    const bool sees_inputs = term.layer == 1 || shape.network.skip_connections;
    for (Matrix* bound : {&term.lower, &term.upper}) {
      if (term.kind != Kind::bounds) continue;
      if (sees_inputs) bound->rightCols(inputs.scale.size()) *= inputs.scale.asDiagonal();
      if (term.layer == layers) *bound = targets.scale.cwiseInverse().asDiagonal() * *bound;
      // 0 times infinity does not occur: scales are positive and finite.
    }
    if (term.kind == Kind::linear) {
      if (sees_inputs) {
        term.coefficients.rightCols(inputs.scale.size()) *= inputs.scale.cwiseInverse().asDiagonal();
      }
      if (term.layer == layers) term.coefficients = targets.scale.asDiagonal() * term.coefficients;
    }
    if (term.kind == Kind::bounds || term.kind == Kind::linear) continue;
    if (term.layer == 1) term.size *= inputs.scale(0);
    if (term.layer == layers) term.size /= targets.scale(0);
  }
  if (constraints.lipschitz) {
    const double scaled = *constraints.lipschitz * inputs.scale(0) / targets.scale(0);
    const double each = common_norm(scaled, layers, shape.network.skip_connections) * (1 - 1e-13);  // of the recursion
    for (Index l = 1; l <= layers; ++l) terms.push_back({Kind::spectral_ball, l, each, {}, {}});
  }
  for (WeightTerm& term : terms) tighten(term, shape.network.layers());
  check(terms, shape.network.layers());
  return terms;
}

}  // namespace relufit
