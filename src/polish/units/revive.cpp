#include "polish/units/revive.h"

#include <algorithm>
#include <cmath>

#include "base/infinity.h"
#include "base/random.h"
#include "linear_algebra/products.h"
#include "problem/network_errors.h"

namespace relufit {

namespace {

constexpr double kNoEffect = 1e-3;      // product of the norms of incoming and outgoing weights, scaled units
constexpr Index kDirections = 64;       // tried at random for each unit
constexpr Index kSamples = 2000;        // at most, to try them on
constexpr int kClimbs = 4;              // of them, the best ones, improved
constexpr int kAscents = 15;            // steps for each
constexpr double kGain = 1.01;          // a direction must be worth this many times the ridge
constexpr double kLargestEffect = 0.1;  // of a new unit: a start for local steps

/// What the signs of a unit's incoming and outgoing weights may be: bounds of 0 or none, so that any multiple > 0 of
/// weights within them is within them, too.
struct UnitCone {
  Vector lower_in, upper_in, lower_out, upper_out;

  Vector incoming(const Vector& weights) const { return weights.cwiseMax(lower_in).cwiseMin(upper_in); }
  Vector outgoing(const Vector& weights) const { return weights.cwiseMax(lower_out).cwiseMin(upper_out); }
};

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

/// A unit that might be added to a hidden layer: its values are those of the activation at weights' inputs + bias.
struct Direction {
  Vector weights;  // norm 1
  double bias = 0;
  Vector output;     // norm 1: outgoing weights
  double worth = 0;  // |G h|
};

/// Directions for one layer, whose inputs and G are given for all samples.
class Directions {
 public:
  Directions(const LiftedProblem& problem, const Matrix& inputs, const Matrix& slopes, const UnitCone& cone,
             Random& random)
      : problem_(problem), inputs_(inputs), slopes_(slopes), cone_(cone), random_(random) {}

  Direction best() {
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
    Direction best;
    for (int i = 0; i < kClimbs; ++i) {
      Index k = 0;
      worth.maxCoeff(&k);
      worth(k) = 0;
      Direction direction = improved(valued(weights.col(k), biases(k)));
      if (i == 0 || direction.worth > best.worth) best = std::move(direction);
    }
    return best;
  }

  Vector values(const Direction& direction) const {
    const Matrix arguments = arguments_of(direction);
    Matrix values = arguments;
    evaluate(problem_.network.activation, arguments, values);
    return values.transpose();
  }

 private:
  Matrix arguments_of(const Direction& direction) const {
    Matrix arguments = direction.weights.transpose() * inputs_;
    arguments.array() += direction.bias;
    return arguments;
  }

  Direction valued(const Vector& weights, double bias) const {
    Direction direction{weights, bias, {}, 0};
    direction.output = cone_.outgoing(-slopes_ * values(direction));
    direction.worth = direction.output.norm();
    if (direction.worth > 0) direction.output /= direction.worth;
    return direction;
  }

  /// Steps along the gradient of |G h(u)| on the sphere, the bias along with it, quartered until they help.
  Direction improved(Direction direction) const {
    double step = 1;
    for (int i = 0; i < kAscents && direction.worth > 0; ++i) {
      const Matrix arguments = arguments_of(direction);
      Matrix derivatives = arguments;
      differentiate(problem_.network.activation, arguments, derivatives);
      const Vector pull = -(direction.output.transpose() * slopes_).cwiseProduct(derivatives).transpose();
      const Vector by_weights = inputs_ * pull;
      const double size = std::hypot(by_weights.norm(), pull.sum());
      if (!(size > 0)) break;
      const Vector weights = cone_.incoming(direction.weights + (step / size) * by_weights);
      double bias = direction.bias + (problem_.bias ? step / size * pull.sum() : 0);
      const double norm = weights.norm();
      Direction tried = norm > 0 ? valued(weights / norm, bias / norm) : Direction();
      if (tried.worth > direction.worth) {
        direction = std::move(tried);
      } else {
        step /= 4;
      }
    }
    return direction;
  }

  const LiftedProblem& problem_;
  const Matrix& inputs_;
  const Matrix& slopes_;
  const UnitCone& cone_;
  Random& random_;
};

bool has_effect(const std::vector<Layer>& layers, std::size_t layer, Index unit) {
  return layers[layer].weights.row(unit).norm() * layers[layer + 1].weights.col(unit).norm() > kNoEffect;
}

/// What the layers see: inputs, values of the hidden layers (with skip connections above the inputs).
std::vector<Matrix> layer_inputs(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  std::vector<Matrix> inputs = {problem.inputs};
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    Matrix arguments;
    set_product(arguments, layers[l].weights, inputs[l]);
    arguments.colwise() += layers[l].bias;
    const Index skipped = problem.network.skip_connections ? problem.inputs.rows() : 0;
    Matrix values(arguments.rows() + skipped, arguments.cols());
    evaluate(problem.network.activation, arguments, values.topRows(arguments.rows()));
    values.bottomRows(skipped) = problem.inputs.topRows(skipped);
    inputs.push_back(std::move(values));
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
      Directions directions(problem, inputs, slopes, cone, random);
      const Direction direction = directions.best();
      if (!(direction.worth > kGain * problem.ridge)) {
        if (problem.weight_terms.empty()) break;  // nor will there be one for the next unit
        continue;
      }
      const double curvature = directions.values(direction).squaredNorm();
      const double effect = std::min((direction.worth - problem.ridge) / curvature, kLargestEffect);
      const double size = std::sqrt(effect);
      tried[l].weights.row(unit) = size * direction.weights.transpose();
      tried[l].bias(unit) = size * direction.bias;
      tried[l + 1].weights.col(unit) = size * direction.output;
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
