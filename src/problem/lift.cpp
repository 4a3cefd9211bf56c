#include "relufit/lift.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "linear_algebra/products.h"
#include "parallel/chunks.h"

namespace relufit {

namespace {

void check_output_terms(const LiftedProblem& problem) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  if (problem.output_terms.empty()) return;
  if (problem.network.output == OutputActivation::relu)
    fail("output terms: several outputs together, with ReLU outputs");
  for (const OutputTerm& term : problem.output_terms) {
    if (term.coefficients.size() != problem.targets.rows() || term.lower.size() != problem.samples() ||
        term.upper.size() != problem.samples()) {
      fail(fmt::format("output terms: {} coefficients and {} and {} bounds, expected {} and {}",
                       term.coefficients.size(), term.lower.size(), term.upper.size(), problem.targets.rows(),
                       problem.samples()));
    }
    if (!term.coefficients.allFinite() || term.coefficients.isZero(0)) {
      fail("output terms: coefficients, expected finite numbers that are not all 0");
    }
    for (Index j = 0; j < problem.samples(); ++j) {
      if (term.lower(j) <= term.upper(j)) continue;  // not a number fails too
      fail(fmt::format("output terms: between {} and {} at sample {}: no such number", term.lower(j), term.upper(j),
                       j + 1));
    }
  }
}

void check_output_bounds(const LiftedProblem& problem) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  const Matrix& lower = problem.output_lower;
  const Matrix& upper = problem.output_upper;
  const bool unknown = problem.has_output_bounds() && problem.loss == Loss::cross_entropy;
  if (unknown || (problem.constrains_outputs() && problem.loss == Loss::exact)) {
    fail(fmt::format("output bounds: given with the loss {}, expected another loss", to_string(problem.loss)));
  }
  check_output_terms(problem);
  if (lower.size() == 0 && upper.size() == 0) return;
  for (const Matrix* bound : {&lower, &upper}) {
    if (bound->rows() == problem.targets.rows() && bound->cols() == problem.samples()) continue;
    fail(fmt::format("output bounds: {} x {}, expected {} x {}", bound->rows(), bound->cols(), problem.targets.rows(),
                     problem.samples()));
  }
  for (Index j = 0; j < problem.samples(); ++j) {
    for (Index i = 0; i < lower.rows(); ++i) {
      if (lower(i, j) <= upper(i, j)) continue;  // not a number fails too
      fail(fmt::format("output bounds: output {} of sample {} between {} and {}: no such number", i + 1, j + 1,
                       lower(i, j), upper(i, j)));
    }
  }
}

void check_here(const LiftedProblem& problem) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  check(problem.network);
  if (problem.inputs.rows() != problem.network.inputs()) {
    fail(fmt::format("inputs: {} rows, expected {}", problem.inputs.rows(), problem.network.inputs()));
  }
  if (problem.targets.rows() != problem.network.outputs()) {
    fail(fmt::format("targets: {} rows, expected {}", problem.targets.rows(), problem.network.outputs()));
  }
  if (problem.samples() < 1) fail("inputs: no samples");
  if (problem.targets.cols() != problem.samples()) {
    fail(fmt::format("targets: {} samples, expected {} as in inputs", problem.targets.cols(), problem.samples()));
  }
  if (!problem.inputs.allFinite()) fail("inputs: not all values are finite");
  if (!problem.targets.allFinite()) fail("targets: not all values are finite");
  if (!(problem.ridge >= 0 && std::isfinite(problem.ridge)))
    fail(fmt::format("ridge: {}, expected a number >= 0", problem.ridge));
  check(problem.weight_terms, problem.network.layers());
  check_output_bounds(problem);
  check(problem.loss);
  check_targets(problem.loss, problem.targets);
  if (problem.network.hidden_layers() == 0 && problem.loss == Loss::exact)
    fail("loss: exact, which needs a hidden layer");
  if (problem.network.output != OutputActivation::relu) return;
  if (problem.loss != Loss::exact && problem.loss != Loss::squared) {
    fail(fmt::format("loss: {} with a ReLU output, expected exact or squared", to_string(problem.loss)));
  }
  if (problem.loss == Loss::exact && problem.targets.minCoeff() < 0) {
    fail(fmt::format("targets: {} is negative, a ReLU output cannot reach it", problem.targets.minCoeff()));
  }
}

}  // namespace

void check(const LiftedProblem& problem) {
  collectively(problem.share.ranks, [&] { check_here(problem); });
  const Matrix weights = gathered_columns(problem.share.ranks, problem.sample_weights.transpose());
  check_sample_weights(problem.loss, weights.transpose(), problem.total_samples());
}

Network network_of(const LiftedProblem& problem, std::vector<Layer> layers) {
  return Network(std::move(layers), problem.network.output, problem.network.activation,
                 problem.network.skip_connections);
}

LiftedPoint zero_point(const LiftedProblem& problem) {
  LiftedPoint point;
  point.activation = problem.network.activation;
  if (problem.network.skip_connections) point.skipped = problem.inputs;
  const Index samples = problem.samples();
  const auto pieces = static_cast<Index>(lift_of(problem.network.activation).pieces.size());
  for (const LayerShape& shape : problem.network.layers()) {
    point.layers.push_back({Matrix::Zero(shape.rows, shape.columns), Vector::Zero(shape.rows)});
    if (point.layers.size() + 1 == problem.network.widths.size()) break;
    const Index units = problem.network.widths[point.layers.size()];
    point.active.push_back(Matrix::Zero(pieces * units, samples));
    point.slack.push_back(Matrix::Zero(pieces * units, samples));
    if (problem.network.activation == Activation::maxout) point.linear.push_back(Matrix::Zero(units, samples));
  }
  point.output = Matrix::Zero(problem.network.outputs(), samples);
  return point;
}

namespace {

/// The network's own values for these inputs.
LiftedPoint lift_inputs(const LiftedProblem& problem, const std::vector<Layer>& layers, const Matrix& inputs) {
  LiftedPoint point;
  point.layers = layers;
  point.activation = problem.network.activation;
  if (problem.network.skip_connections) point.skipped = inputs;
  const std::vector<ActivationPiece> pieces = lift_of(problem.network.activation).pieces;
  Matrix values = inputs;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    Matrix z = product(layers[l].weights, values).colwise() + layers[l].bias;
    if (l + 1 == layers.size()) {
      point.output = z;
      break;
    }
    if (problem.network.activation == Activation::maxout) {
      const Index units = z.rows() / 2;
      const double half = std::sqrt(0.5);
      point.linear.emplace_back(half * (z.topRows(units) + z.bottomRows(units)));
      z = (half * (z.topRows(units) - z.bottomRows(units))).eval();
    }
    Matrix& active = point.active.emplace_back(static_cast<Index>(pieces.size()) * z.rows(), z.cols());
    Matrix& slack = point.slack.emplace_back(active.rows(), z.cols());
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      const Index first = static_cast<Index>(p) * z.rows();
      active.middleRows(first, z.rows()) = (z.array() - pieces[p].threshold).max(0.0);
      slack.middleRows(first, z.rows()) = (pieces[p].threshold - z.array()).max(0.0);
    }
    values = seen(point.values(l), inputs, problem.network.skip_connections);
  }
  return point;
}

}  // namespace

LiftedPoint lift_network(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  return lift_inputs(problem, layers, problem.inputs);
}

LiftedPoint samples_of(const LiftedPoint& point, Index begin, Index size) {
  const auto columns = [&](const Matrix& of) { return of.size() > 0 ? Matrix(of.middleCols(begin, size)) : of; };
  LiftedPoint part{point.layers, {}, {}, columns(point.output), point.activation, columns(point.skipped), {}};
  for (const Matrix& active : point.active) part.active.push_back(columns(active));
  for (const Matrix& slack : point.slack) part.slack.push_back(columns(slack));
  for (const Matrix& linear : point.linear) part.linear.push_back(columns(linear));
  return part;
}

Matrix LiftedPoint::unit_weights(std::size_t layer) const {
  const Matrix& weights = layers[layer].weights;
  return weights.leftCols(layer == 0 ? weights.cols() : weights.cols() - skipped.rows());
}

Matrix LiftedPoint::arguments(std::size_t layer) const {
  if (activation == Activation::maxout) {
    const Matrix difference = active[layer] - slack[layer];
    Matrix both(2 * difference.rows(), difference.cols());
    both << linear[layer] + difference, linear[layer] - difference;
    return std::sqrt(0.5) * both;
  }
  const Index rows = layers[layer].weights.rows();
  const double threshold = lift_of(activation).pieces.front().threshold;
  return (active[layer].topRows(rows) - slack[layer].topRows(rows)).array() + threshold;
}

Matrix LiftedPoint::values(std::size_t layer) const {
  const ActivationLift lift = lift_of(activation);
  const Index rows = active[layer].rows() / static_cast<Index>(lift.pieces.size());
  Matrix sum = Matrix::Constant(rows, active[layer].cols(), lift.offset);
  for (std::size_t p = 0; p < lift.pieces.size(); ++p) {
    const Index first = static_cast<Index>(p) * rows;
    sum += lift.pieces[p].above * active[layer].middleRows(first, rows) +
           lift.pieces[p].below * slack[layer].middleRows(first, rows);
  }
  if (!linear.empty()) sum += lift.linear * linear[layer];
  return sum;
}

std::vector<BilinearEquality> bilinear_equalities(const LiftedProblem& problem) {
  std::vector<BilinearEquality> list;
  const Index hidden = problem.network.hidden_layers();
  for (Index l = 1; l <= hidden; ++l) list.push_back({BilinearEquality::Kind::pair, l});
  for (Index l = 2; l <= hidden + 1; ++l) list.push_back({BilinearEquality::Kind::product, l});
  return list;
}

BilinearTerms bilinear_terms(const LiftedPoint& point, const BilinearEquality& equality) {
  const auto l = static_cast<std::size_t>(equality.layer - 1);
  if (equality.kind == BilinearEquality::Kind::pair) {
    return {point.active[l], point.slack[l], Matrix::Zero(point.active[l].rows(), point.active[l].cols())};
  }
  Matrix c = (l < point.active.size() ? point.arguments(l) : point.output).colwise() - point.layers[l].bias;
  if (point.skipped.size() > 0) c -= product(point.layers[l].weights.rightCols(point.skipped.rows()), point.skipped);
  return {point.unit_weights(l), point.values(l - 1), c};
}

Matrix bilinear_residual(const LiftedPoint& point, const BilinearEquality& equality) {
  const BilinearTerms terms = bilinear_terms(point, equality);
  if (equality.kind == BilinearEquality::Kind::pair) return terms.c - terms.a.cwiseProduct(terms.b);
  return terms.c - product(terms.a, terms.b);
}

namespace {

double largest(const Matrix& values) { return values.size() > 0 ? values.cwiseAbs().maxCoeff() : 0.0; }

double output_violation(const LiftedProblem& problem, const Matrix& output, const Matrix& targets) {
  if (problem.loss != Loss::exact) return 0;
  const Matrix difference = output - targets;
  if (problem.network.output == OutputActivation::linear) return largest(difference);
  const auto positive = targets.array() > 0;
  return largest(positive.select(difference.array(), difference.array().max(0.0)).matrix());
}

/// How far the arguments of the units by their further pieces are from those by the first.
double piece_violation(const LiftedPoint& point, std::size_t layer) {
  const std::vector<ActivationPiece> pieces = lift_of(point.activation).pieces;
  if (pieces.size() == 1) return 0;
  const Index rows = point.layers[layer].weights.rows();
  const Matrix arguments = point.arguments(layer);
  double violation = 0;
  for (std::size_t p = 1; p < pieces.size(); ++p) {
    const Index first = static_cast<Index>(p) * rows;
    const Matrix own = point.active[layer].middleRows(first, rows) - point.slack[layer].middleRows(first, rows);
    violation = std::max(violation, largest(((own - arguments).array() + pieces[p].threshold).matrix()));
  }
  return violation;
}

/// What the samples of `part`, from `begin`, add to the largest violations.
void include(const LiftedProblem& problem, Index begin, const LiftedPoint& part, Violations& result) {
  const Index size = part.output.cols();
  const Layer& first = part.layers.front();
  const Matrix z = product(first.weights, problem.inputs.middleCols(begin, size)).colwise() + first.bias;
  const Matrix& last = part.output;
  result.affine = std::max(result.affine, part.active.empty() ? largest(z - last) : largest(z - part.arguments(0)));
  for (std::size_t l = 0; l < part.active.size(); ++l) {
    result.affine = std::max(result.affine, piece_violation(part, l));
    result.sign = std::max({result.sign, -part.active[l].minCoeff(), -part.slack[l].minCoeff()});
  }
  result.output = std::max(result.output, output_violation(problem, last, problem.targets.middleCols(begin, size)));
  for (const BilinearEquality& equality : bilinear_equalities(problem)) {
    double& family = equality.kind == BilinearEquality::Kind::pair ? result.pair : result.product;
    family = std::max(family, largest(bilinear_residual(part, equality)));
  }
}

/// part(begin, size): the point's values at these samples, so few that no array is as large as the point.
template <class Part>
Violations violations_of(const LiftedProblem& problem, Part&& part) {
  constexpr Index kBlock = 1024;
  Violations result;
  const Chunks chunks = Chunks::of(problem);
  for (Index i = 0; i < chunks.count(); ++i) {
    const auto visit = [&](Range samples) {
      include(problem, samples.begin, part(samples.begin, samples.size), result);
    };
    for_each_block(chunks[i], visit, kBlock);
  }
  for (double* value : {&result.affine, &result.sign, &result.output, &result.pair, &result.product}) {
    *value = largest_of(problem.share.ranks, *value);
  }
  return result;
}

}  // namespace

Violations violations(const LiftedProblem& problem, const LiftedPoint& point) {
  return violations_of(problem, [&](Index begin, Index size) { return samples_of(point, begin, size); });
}

Violations violations(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  return violations_of(problem, [&](Index begin, Index size) {
    return lift_inputs(problem, layers, problem.inputs.middleCols(begin, size));
  });
}

}  // namespace relufit
