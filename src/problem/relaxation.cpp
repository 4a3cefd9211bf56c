#include "relufit/relaxation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "base/random.h"
#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "problem/sample_sums.h"

namespace relufit {

namespace {

void require(bool fits, const std::string& message) {
  if (!fits) throw std::invalid_argument(message);
}

void require_shape(const Matrix& matrix, Index rows, Index cols, const std::string& name) {
  require(matrix.rows() == rows && matrix.cols() == cols,
          fmt::format("{}: {} x {}, expected {} x {}", name, matrix.rows(), matrix.cols(), rows, cols));
  require(matrix.allFinite(), name + ": not all values are finite");
}

void require_positive(double value, const std::string& name) {
  require(std::isfinite(value) && value > 0, fmt::format("{}: {}, expected a number > 0", name, value));
}

/// X = -W of product l, and Y = -H where that is not the X of a pair.
void move_product(const LiftedPoint& point, std::size_t l, ProductParameters& product) {
  product.x = -point.unit_weights(l + 1);
  if (point.activation == Activation::relu) {
    product.y.resize(0, 0);
  } else {
    product.y = -point.values(l);
  }
}

}  // namespace

Matrix rank_block(const Matrix& a, const Matrix& b, const Matrix& c, const Matrix& p, const Matrix& x, const Matrix& y,
                  const Matrix& v1, const Matrix& v2) {
  require_shape(a, c.rows(), p.rows(), "A");
  require_shape(x, c.rows(), p.rows(), "X");
  require_shape(b, p.cols(), c.cols(), "B");
  require_shape(y, p.cols(), c.cols(), "Y");
  require_shape(v1, c.rows(), c.rows(), "V1");
  require_shape(v2, c.cols(), c.cols(), "V2");
  Matrix block(c.rows() + p.rows(), c.cols() + p.cols());
  const Matrix xp = product(x, p);
  const Matrix upper = c + product(product(a, p), y) + product(xp, b) + product(xp, y);
  block.topLeftCorner(c.rows(), c.cols()) = product(product(v1, upper), v2);
  block.topRightCorner(c.rows(), p.cols()) = product(product(v1, Matrix(a + x)), p);
  block.bottomLeftCorner(p.rows(), c.cols()) = product(product(p, Matrix(b + y)), v2);
  block.bottomRightCorner(p.rows(), p.cols()) = p;
  return block;
}

double nuclear_norm(const Matrix& matrix) {
  if (matrix.size() == 0) return 0;
  // The thin QR factor has the same singular values and is at most square: exact for very wide blocks, and fast.
  const Matrix tall = matrix.rows() < matrix.cols() ? Matrix(matrix.transpose()) : matrix;
  return Eigen::JacobiSVD<Matrix>(triangle_of(tall)).singularValues().sum();
}

double nuclear_norm(double a, double b, double c, double d) {
  return std::sqrt(a * a + b * b + c * c + d * d + 2 * std::abs(a * d - b * c));
}

Matrix ProductParameters::left() const {
  return has_matrices() ? left_matrix : Matrix(left_scale * Matrix::Identity(x.rows(), x.rows()));
}

Matrix ProductParameters::right(Index samples) const {
  return has_matrices() ? right_matrix : Matrix(right_scale * Matrix::Identity(samples, samples));
}

RelaxationParameters parameters_at(LiftedPoint point) {
  RelaxationParameters parameters;
  for (std::size_t l = 0; l < point.active.size(); ++l) {
    move_product(point, l, parameters.product.emplace_back());
    for (Matrix* part : {&point.active[l], &point.slack[l]}) *part = -*part;  // where it lies
    parameters.pair.push_back({std::move(point.active[l]), std::move(point.slack[l]), Matrix::Ones(1, 1)});
  }
  return parameters;
}

void move_parameters(const LiftedPoint& point, RelaxationParameters& parameters) {
  for (std::size_t l = 0; l < point.active.size(); ++l) {
    parameters.pair[l].x = -point.active[l];
    parameters.pair[l].y = -point.slack[l];
    move_product(point, l, parameters.product[l]);
  }
}

void check(const RelaxationParameters& parameters, const LiftedProblem& problem) {
  const auto hidden = static_cast<std::size_t>(problem.network.hidden_layers());
  require(parameters.pair.size() == hidden && parameters.product.size() == hidden,
          fmt::format("parameters: {} pair and {} product terms, expected {} of each", parameters.pair.size(),
                      parameters.product.size(), hidden));
  for (std::size_t l = 0; l < hidden; ++l) {
    const auto& pair = parameters.pair[l];
    const auto& product = parameters.product[l];
    const Index inner = problem.network.widths[l + 1];
    const Index rows = problem.network.layers()[l + 1].rows;
    const Index pairs = inner * static_cast<Index>(lift_of(problem.network.activation).pieces.size());
    const std::string pair_name = fmt::format("pair[{}]", l);
    const std::string name = fmt::format("product[{}]", l);
    require_shape(pair.x, pairs, problem.samples(), pair_name + ".x");
    require_shape(pair.y, pairs, problem.samples(), pair_name + ".y");
    if (pair.scale.size() != 1) require_shape(pair.scale, pairs, problem.samples(), pair_name + ".scale");
    require_positive(pair.scale.minCoeff(), pair_name + ".scale");
    require_shape(product.x, rows, inner, name + ".x");
    if (product.y.size() > 0 || problem.network.activation != Activation::relu) {
      require_shape(product.y, inner, problem.samples(), name + ".y");
    }
    require_positive(product.left_scale, name + ".left_scale");
    require_positive(product.right_scale, name + ".right_scale");
    require(product.has_matrices() == (product.right_matrix.size() > 0),
            name + ": left_matrix and right_matrix must be given together");
    if (product.has_matrices()) {
      require_shape(product.left_matrix, rows, rows, name + ".left_matrix");
      require_shape(product.right_matrix, problem.samples(), problem.samples(), name + ".right_matrix");
    }
  }
}

double loss_value(const LiftedProblem& problem, const Matrix& output) {
  return sum_over(Chunks::of(problem), [&](Range samples) {
    const Matrix outputs = output.middleCols(samples.begin, samples.size);
    const Matrix targets = problem.targets.middleCols(samples.begin, samples.size);
    const Vector weights = weights_of(problem, samples);
    if (problem.loss == Loss::exact || problem.network.output == OutputActivation::linear) {
      return loss_value(problem.loss, outputs, targets, weights);
    }
    const Matrix errors = one_sided(outputs, targets) - targets;
    return loss_value(Loss::squared, errors, Matrix::Zero(errors.rows(), errors.cols()), weights);
  });
}

namespace {

/// The upper left and lower left parts of the rank block of a product with scalar scales, P = I.
Matrix left_block(const BilinearTerms& terms, const ProductParameters& parameters, const Matrix& y) {
  const double v1 = parameters.left_scale;
  const double v2 = parameters.right_scale;
  const Matrix& x = parameters.x;
  Matrix block(terms.c.rows() + terms.b.rows(), terms.c.cols());
  block << v1 * v2 * (terms.c + product(Matrix(terms.a + x), y) + product(x, terms.b)), v2 * (terms.b + y);
  return block;
}

/// ||M||_* of a product's rank block. Scalar scales are not made into matrices (V2 would be N x N), and M not put
/// together: its singular values are those of a triangular factor of M', to which rows can be added.
double product_norm(const Chunks& chunks, const LiftedPoint& point, const BilinearEquality& equality,
                    const ProductParameters& product, const Matrix& y) {
  const Index inner = product.x.cols();
  const Matrix identity = Matrix::Identity(inner, inner);
  if (product.has_matrices()) {
    const BilinearTerms terms = bilinear_terms(point, equality);
    return nuclear_norm(
        rank_block(terms.a, terms.b, terms.c, identity, product.x, y, product.left(), product.right(y.cols())));
  }
  Matrix right(product.x.rows() + inner, inner);
  right << product.left_scale * (point.unit_weights(static_cast<std::size_t>(equality.layer - 1)) + product.x),
      identity;
  const Matrix left = triangle_over(chunks, right.rows(), [&](Range samples) {
    const BilinearTerms terms = bilinear_terms(samples_of(point, samples.begin, samples.size), equality);
    return Matrix(left_block(terms, product, y.middleCols(samples.begin, samples.size)).transpose());
  });
  Matrix tall(left.rows() + inner, right.rows());
  tall << left, right.transpose();
  return nuclear_norm(tall);
}

/// Sum of ||M||_* - 1 over the pairs of a layer.
double pair_norms(const Matrix& active, const Matrix& slack, const PairParameters& parameters, Range samples) {
  double sum = 0;
  for (Index j = samples.begin; j < samples.begin + samples.size; ++j) {
    for (Index i = 0; i < active.rows(); ++i) {
      const double x = parameters.x(i, j);
      const double y = parameters.y(i, j);
      const double w = parameters.scale_at(i, j);
      const double r = active(i, j) * y + x * slack(i, j) + x * y;
      sum += nuclear_norm(w * w * r, w * (active(i, j) + x), w * (slack(i, j) + y), 1.0) - 1.0;
    }
  }
  return sum;
}

}  // namespace

double relaxation_objective(const LiftedProblem& problem, const RelaxationParameters& parameters,
                            const RelaxationWeights& weights, const LiftedPoint& point) {
  double objective = loss_value(problem, point.output);
  for (const Layer& layer : point.layers) objective += 0.5 * problem.ridge * layer.weights.squaredNorm();
  for (const WeightTerm& term : problem.weight_terms) {
    objective += term_value(term, point.layers[static_cast<std::size_t>(term.layer) - 1].weights);
  }
  const Chunks chunks = Chunks::of(problem);
  for (const BilinearEquality& equality : bilinear_equalities(problem)) {
    if (equality.kind == BilinearEquality::Kind::pair) {
      const auto l = static_cast<std::size_t>(equality.layer - 1);
      objective += weights.pair * sum_over(chunks, [&](Range samples) {
                     return pair_norms(point.active[l], point.slack[l], parameters.pair[l], samples);
                   });
    } else {
      const auto l = static_cast<std::size_t>(equality.layer - 2);
      const ProductParameters& product = parameters.product[l];
      const double constant = static_cast<double>(product.x.cols());  // ||P||_*
      objective += weights.product * (product_norm(chunks, point, equality, product, parameters.values(l)) - constant);
    }
  }
  return objective;
}

namespace {

/// The values of a random network whose units have arguments of standard deviation `scale` and switch at the values of
/// random samples.
LiftedPoint random_network_point(const LiftedProblem& problem, double scale, Random& random) {
  std::vector<Layer> layers = zero_point(problem).layers;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    const LiftedPoint below = lift_network(problem, layers);
    const Matrix values =
        l == 0 ? problem.inputs : seen(below.values(l - 1), problem.inputs, problem.network.skip_connections);
    layers[l].weights = random.normal(layers[l].weights.rows(), layers[l].weights.cols());
    const Matrix arguments = product(layers[l].weights, values);
    for (Index i = 0; i < arguments.rows(); ++i) {
      const double spread = (arguments.row(i).array() - arguments.row(i).mean()).matrix().norm();
      const double factor = scale * std::sqrt(static_cast<double>(problem.samples())) / std::max(spread, 1e-300);
      const double through = arguments(i, random.index(problem.samples()));
      layers[l].weights.row(i) *= factor;
      if (problem.bias) layers[l].bias(i) = -factor * through;
    }
  }
  layers.back().weights = scale * random.normal(layers.back().weights.rows(), layers.back().weights.cols());
  return lift_network(problem, layers);
}

/// Of as many columns as all ranks have samples, those of the samples here.
Matrix random_columns(Random& random, Index rows, const LiftedProblem& problem) {
  const Range mine = Chunks::of(problem).samples();
  random.skip_normals(rows * mine.begin);
  Matrix columns = random.normal(rows, mine.size);
  random.skip_normals(rows * (problem.total_samples() - mine.begin - mine.size));
  return columns;
}

}  // namespace

RelaxationParameters random_parameters(const LiftedProblem& problem, double scale, unsigned long long seed) {
  Random random(seed);
  if (lift_of(problem.network.activation).pieces.size() > 1)
    return parameters_at(random_network_point(problem, scale, random));
  LiftedPoint guess = zero_point(problem);
  for (std::size_t l = 0; l < guess.active.size(); ++l) {
    const Index rows = guess.active[l].rows();
    const Index units = problem.network.widths[l + 1];
    const Index outer = guess.layers[l + 1].weights.rows();
    guess.layers[l + 1].weights.leftCols(units) = scale * random.normal(outer, units);
    for (Matrix* part : {&guess.active[l], &guess.slack[l]}) {
      *part = random_columns(random, rows, problem);
      *part *= scale;
    }
  }
  return parameters_at(std::move(guess));
}

RelaxationParameters with_scales(RelaxationParameters parameters, const RelaxationScales& scales) {
  for (PairParameters& pair : parameters.pair) pair.scale.setConstant(1, 1, scales.pair);
  for (ProductParameters& product : parameters.product) {
    product.left_scale = scales.left;
    product.right_scale = scales.right;
  }
  return parameters;
}

}  // namespace relufit
