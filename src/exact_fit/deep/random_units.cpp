#include "exact_fit/deep/random_units.h"

#include <algorithm>
#include <cmath>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "network/layer_values.h"
#include "network/units.h"

namespace relufit {

namespace {

/// What the layer after `layer` sees, one column per sample, for what that one does.
Matrix seen_after(const LiftedProblem& problem, const Layer& layer, const Matrix& values) {
  return seen(unit_values(layer, problem.network.activation, values), problem.inputs, problem.network.skip_connections);
}

/// Row `row` of a layer. `values`: what the layer sees.
void randomize(const LiftedProblem& problem, const Matrix& values, Random& random, Index row, Layer& layer) {
  layer.weights.row(row) = random.normal(1, values.rows());
  Eigen::RowVectorXd arguments = layer.weights.row(row) * values;
  const double through = problem.bias ? arguments(random.index(values.cols())) : 0;
  const double mean = arguments.mean();
  const double spread = (arguments.array() - mean).matrix().norm() / std::sqrt(static_cast<double>(arguments.size()));
  const double scale = spread > 0 ? 1 / spread : 1;
  layer.weights.row(row) *= scale;
  layer.bias(row) = -scale * through;
}

/// How much a unit of some values (one per sample) could lower the squared error beside those that there are.
class Usefulness {
 public:
  /// features: what the next layer sees, and a constant where it has biases; slopes: of the loss by its arguments.
  Usefulness(Matrix features, Matrix slopes) : features_(std::move(features)), slopes_(std::move(slopes)) {
    constexpr double kDamping = 1e-9;
    Matrix gram = product(features_, features_.transpose());
    gram.diagonal().array() += kDamping * gram.trace() + 1e-300;
    factor_.compute(gram);
  }

  double of(const Vector& values) const {
    constexpr double kLeastPart = 1e-6;  // of |f|^2 that is the units' own to rounding
    const Vector products = features_ * values;
    const double size = values.squaredNorm();
    const double own = size - products.dot(factor_.solve(products));
    return (slopes_ * values).squaredNorm() / std::max(own, kLeastPart * size + 1e-300);
  }

 private:
  Matrix features_, slopes_;
  Eigen::LLT<Matrix> factor_;
};

}  // namespace

std::vector<Layer> random_network(const LiftedProblem& problem, Random& random, const Layer& given) {
  std::vector<Layer> layers = zero_point(problem).layers;
  Matrix values = problem.inputs;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    for (Index row = 0; row < layers[l].weights.rows(); ++row) randomize(problem, values, random, row, layers[l]);
    if (l == 0 && given.weights.rows() > 0) {
      layers[0].weights.topRows(given.weights.rows()) = given.weights;
      layers[0].bias.head(given.bias.size()) = given.bias;
    }
    values = seen_after(problem, layers[l], values);
  }
  Layer& last = layers.back();
  const double size = 1 / std::sqrt(std::max(values.squaredNorm() / static_cast<double>(values.cols()), 1e-300));
  last.weights = size * random.normal(last.weights.rows(), last.weights.cols());
  return layers;
}

void replace_unit(const LiftedProblem& problem, NetworkErrors& errors, std::size_t layer, Index unit, Random& random,
                  std::vector<Layer>& layers) {
  constexpr int kCandidates = 20;
  Matrix values = problem.inputs;
  for (std::size_t below = 0; below < layer; ++below) values = seen_after(problem, layers[below], values);
  Matrix features = seen_after(problem, layers[layer], values);
  if (problem.bias) {
    features.conservativeResize(features.rows() + 1, Eigen::NoChange);
    features.bottomRows(1).setOnes();
  }
  const Usefulness usefulness(std::move(features), errors.slopes(errors.pack(layers))[layer + 1]);
  const Index arguments = arguments_per_unit(problem.network.activation);
  Layer best;
  double most = -1;
  for (int i = 0; i < kCandidates; ++i) {
    Layer candidate{Matrix(arguments, values.rows()), Vector(arguments)};
    for (Index row = 0; row < arguments; ++row) randomize(problem, values, random, row, candidate);
    const double use = usefulness.of(unit_values(candidate, problem.network.activation, values).transpose());
    if (!(use > most)) continue;
    most = use;
    best = std::move(candidate);
  }
  if (best.weights.size() == 0) return;  // nothing is finite any more
  const auto rows = unit_rows(layers[layer], unit, problem.network.widths[layer + 1]);
  layers[layer].weights(rows, Eigen::all) = best.weights;
  layers[layer].bias(rows) = best.bias;
  layers[layer + 1].weights.col(unit).setZero();
}

std::vector<Layer> widened(const std::vector<Layer>& layers, const Architecture& architecture) {
  const std::vector<LayerShape> shapes = architecture.layers();
  const Index arguments = arguments_per_unit(architecture.activation);
  std::vector<Layer> wide;
  Index units_below = architecture.inputs();  // of the given network, below this layer
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    const Index groups = l + 1 < layers.size() ? arguments : 1;
    const Index units = layer.weights.rows() / groups;
    const Index skipped = layer.weights.cols() - units_below;
    Layer& to = wide.emplace_back(Layer{Matrix::Zero(shapes[l].rows, shapes[l].columns), Vector::Zero(shapes[l].rows)});
    for (Index g = 0; g < groups; ++g) {
      const auto from = layer.weights.middleRows(g * units, units);
      auto rows = to.weights.middleRows(g * (shapes[l].rows / groups), units);
      rows.leftCols(units_below) = from.leftCols(units_below);
      rows.rightCols(skipped) = from.rightCols(skipped);
      to.bias.segment(g * (shapes[l].rows / groups), units) = layer.bias.segment(g * units, units);
    }
    units_below = units;
  }
  return wide;
}

}  // namespace relufit
