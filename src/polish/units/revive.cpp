#include "polish/units/revive.h"

#include <algorithm>
#include <cmath>

#include "base/infinity.h"
#include "base/random.h"
#include "linear_algebra/products.h"
#include "network/layer_values.h"
#include "polish/units/unit_worth.h"
#include "problem/network_errors.h"

namespace relufit {

namespace {

constexpr double kNoEffect = 1e-3;  // product of the norms of incoming and outgoing weights, scaled units
constexpr Index kDirections = 64;   // tried at random for each unit
constexpr Index kSamples = 2000;    // at most, to try them on
constexpr int kClimbs = 4;          // of them, the best ones, improved
constexpr AscentSteps kAscent{.most = 15, .first = 1, .least = 0, .longest = 1, .longer = 1, .shorter = 4};
constexpr double kGain = 1.01;          // a direction must be worth this many times the ridge
constexpr double kLargestEffect = 0.1;  // of a new unit: a start for local steps

/// The intersection of all bounds on the weights of each layer.
struct LayerBounds {
  Matrix lower, upper;
};

bool is_on_signs(const WeightTerm& term) {
  const auto is_sign = [](double bound) { return bound == 0 || std::isinf(bound); };
  const auto are_signs = [&](const Matrix& bounds) {
    return std::all_of(bounds.data(), bounds.data() + bounds.size(), is_sign);
  };
  return term.kind == WeightTerm::Kind::bounds && are_signs(term.lower) && are_signs(term.upper);
}

std::vector<LayerBounds> bounds_of(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  std::vector<LayerBounds> bounds;
  for (const Layer& layer : layers) {
    const Matrix upper = Matrix::Constant(layer.weights.rows(), layer.weights.cols(), kInfinity);
    bounds.push_back({-upper, upper});
  }
  for (const WeightTerm& term : problem.weight_terms) {
    LayerBounds& own = bounds[static_cast<std::size_t>(term.layer) - 1];
    own.lower = own.lower.cwiseMax(term.lower);
    own.upper = own.upper.cwiseMin(term.upper);
  }
  return bounds;
}

/// Directions for one layer, whose inputs and G are given for all samples.
class Directions {
 public:
  Directions(const LiftedProblem& problem, const Matrix& inputs, const Matrix& slopes, const UnitCone& cone,
             const UnitWorth& worth, Random& random)
      : problem_(problem), inputs_(inputs), slopes_(slopes), cone_(cone), worth_(worth), random_(random) {}

  FreeUnit best() {
    const Index samples = inputs_.cols();
    std::vector<Index> some(static_cast<std::size_t>(std::min(samples, kSamples)));
    for (std::size_t i = 0; i < some.size(); ++i) {
      some[i] = samples <= kSamples ? static_cast<Index>(i) : random_.index(samples);
    }
    Matrix weights = random_.normal(inputs_.rows(), kDirections);
    Vector biases = Vector::Zero(kDirections);
    for (Index k = 0; k < kDirections; ++k) {
      // Half of them from one sample to another, so that directions in which the data lie come first.
      const Vector difference = inputs_.col(random_.index(samples)) - inputs_.col(random_.index(samples));
      if (k % 2 == 0 && difference.norm() > 0) weights.col(k) = difference;
      weights.col(k) = cone_.incoming(weights.col(k));
      weights.col(k).normalize();
      const Index bend = random_.index(samples);
      if (problem_.bias) biases(k) = -weights.col(k).dot(inputs_.col(bend));
    }
    Matrix values;
    set_product(values, weights.transpose().eval(), inputs_(Eigen::all, some).eval());
    values.colwise() += biases;
    const Matrix arguments = values;
    evaluate(problem_.network.activation, arguments, values);
    const Matrix outputs = -(values * slopes_(Eigen::all, some).transpose());
    Vector worth = outputs.cwiseMax(cone_.lower_out.transpose().replicate(kDirections, 1))
                       .cwiseMin(cone_.upper_out.transpose().replicate(kDirections, 1))
                       .rowwise()
                       .norm();
    FreeUnit best;
    for (int i = 0; i < kClimbs; ++i) {
      Index k = 0;
      worth.maxCoeff(&k);
      worth(k) = 0;
      FreeUnit unit = worth_.improved(worth_.at(weights.col(k), biases(k)), kAscent);
      if (i == 0 || unit.worth > best.worth) best = std::move(unit);
    }
    return best;
  }

 private:
  const LiftedProblem& problem_;
  const Matrix& inputs_;
  const Matrix& slopes_;
  const UnitCone& cone_;
  const UnitWorth& worth_;
  Random& random_;
};

bool has_effect(const std::vector<Layer>& layers, std::size_t layer, Index unit) {
  return layers[layer].weights.row(unit).norm() * layers[layer + 1].weights.col(unit).norm() > kNoEffect;
}

/// What the layers see: inputs, values of the hidden layers (with skip connections above the inputs).
std::vector<Matrix> layer_inputs(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  std::vector<Matrix> inputs = {problem.inputs};
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    const Matrix values = unit_values(layers[l], problem.network.activation, inputs[l]);
    inputs.push_back(seen(values, problem.inputs, problem.network.skip_connections));
  }
  return inputs;
}

}  // namespace

bool constrains_signs_alone(const LiftedProblem& problem) {
  return std::all_of(problem.weight_terms.begin(), problem.weight_terms.end(), is_on_signs);
}

Index revive_units(const LiftedProblem& problem, std::vector<Layer>& layers, unsigned long long seed) {
  if (arguments_per_unit(problem.network.activation) != 1) return 0;
  if (!constrains_signs_alone(problem)) return 0;
  const std::vector<LayerBounds> bounds = bounds_of(problem, layers);
  NetworkErrors errors(problem);
  Random random(seed);
  Index revived = 0;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    for (Index unit = 0; unit < layers[l].weights.rows(); ++unit) {
      if (has_effect(layers, l, unit)) continue;
      std::vector<Layer> tried = layers;
      tried[l].weights.row(unit).setZero();
      tried[l].bias(unit) = 0;
      tried[l + 1].weights.col(unit).setZero();
      const Matrix slopes = errors.slopes(errors.pack(tried))[l + 1];
      const Matrix inputs = layer_inputs(problem, tried)[l];
      const UnitCone cone = {bounds[l].lower.row(unit), bounds[l].upper.row(unit), bounds[l + 1].lower.col(unit),
                             bounds[l + 1].upper.col(unit)};
      const UnitWorth worth(problem.network.activation, inputs, slopes, problem.bias, cone);
      const FreeUnit best = Directions(problem, inputs, slopes, cone, worth, random).best();
      if (!(best.worth > kGain * problem.ridge)) {
        if (problem.weight_terms.empty()) break;  // nor will there be one for the next unit
        continue;
      }
      const double curvature = worth.values(best).squaredNorm();
      const double effect = std::min((best.worth - problem.ridge) / curvature, kLargestEffect);
      const double size = std::sqrt(effect);
      tried[l].weights.row(unit) = size * best.weights.transpose();
      tried[l].bias(unit) = size * best.bias;
      tried[l + 1].weights.col(unit) = size * best.output;
      layers = std::move(tried);
      ++revived;
    }
  }
  return revived;
}

bool is_idle(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    const auto outgoing = layers[l + 1].weights.leftCols(problem.network.widths[l + 1]);
    if (!(layers[l].weights.norm() * outgoing.norm() > kNoEffect)) return true;
  }
  return false;
}

}  // namespace relufit
