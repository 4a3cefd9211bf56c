#include "problem/network_errors.h"

#include <algorithm>
#include <cmath>

#include "linear_algebra/products.h"
#include "network/smooth_activation.h"

namespace relufit {

namespace {

// Samples whose rows of the Jacobian are formed at a time: a few hundred columns of them fit the L2 cache, and the
// product of so many rows goes at full speed.
constexpr Index kGramBlock = 256;

}  // namespace

NetworkErrors::NetworkErrors(const LiftedProblem& problem) : problem_(problem), shapes_(problem.shapes()) {
  activations_.push_back(problem.inputs);
  slopes_.emplace_back();
  for (std::size_t l = 0; l < shapes_.size(); ++l) {
    const Index rows = shapes_[l].rows;
    offsets_.push_back(parameters_);
    parameters_ += rows * shapes_[l].columns + biases(l);
    arguments_.emplace_back(rows, problem.samples());
    const bool hidden = l + 1 < shapes_.size();
    // What the next layer sees; the inputs below the units stay.
    activations_.emplace_back(hidden ? shapes_[l + 1].columns : rows, problem.samples());
    if (hidden && problem.skip_connections) activations_.back().bottomRows(problem.inputs.rows()) = problem.inputs;
    slopes_.emplace_back(hidden ? rows : 0, hidden ? problem.samples() : 0);
    backward_.emplace_back();
  }
  inputs_of_.resize(offsets_.size());
  slopes_of_.resize(offsets_.size());
  ridge_.setConstant(parameters_, std::sqrt(problem.ridge));
  for (std::size_t l = 0; l < offsets_.size(); ++l) {
    ridge_.segment(offsets_[l] + shapes_[l].rows * shapes_[l].columns, biases(l)).setZero();
  }
}

Vector NetworkErrors::pack(const std::vector<Layer>& layers) const {
  Vector parameters(parameters_);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Index size = layers[l].weights.size();
    parameters.segment(offsets_[l], size) = layers[l].weights.reshaped();
    parameters.segment(offsets_[l] + size, biases(l)) = layers[l].bias.head(biases(l));
  }
  return parameters;
}

std::vector<Layer> NetworkErrors::unpack(const Vector& parameters) const {
  std::vector<Layer> layers;
  for (std::size_t l = 0; l < offsets_.size(); ++l) {
    const Weights w = weights(parameters, l);
    layers.push_back({w, Vector::Zero(w.rows())});
    layers.back().bias.head(biases(l)) = parameters.segment(offsets_[l] + w.size(), biases(l));
  }
  return layers;
}

NetworkErrors::Weights NetworkErrors::weights(const Vector& parameters, std::size_t layer) const {
  return {parameters.data() + offsets_[layer], shapes_[layer].rows, shapes_[layer].columns};
}

void NetworkErrors::forward(const Vector& parameters) {
  for (std::size_t l = 0; l < offsets_.size(); ++l) {
    const Weights w = weights(parameters, l);
    const bool last = l + 1 == offsets_.size();
    Matrix& arguments = last ? activations_.back() : arguments_[l];
    set_product(arguments, w, activations_[l]);
    if (problem_.bias) arguments.colwise() += parameters.segment(offsets_[l] + w.size(), w.rows());
    if (last) break;
    auto values = activations_[l + 1].topRows(problem_.widths[l + 1]);
    if (smoothing_ > 0) {
      evaluate_smoothed(problem_.activation, smoothing_, arguments, values, slopes_[l + 1]);
    } else {
      differentiate(problem_.activation, arguments, slopes_[l + 1]);
      evaluate(problem_.activation, arguments, values);
    }
  }
  errors_ = activations_.back() - problem_.targets;
  if (problem_.output == OutputActivation::linear) return;
  errors_ = (problem_.targets.array() > 0).select(errors_, activations_.back().cwiseMax(0.0));
}

void NetworkErrors::values(const Vector& parameters, Vector& values) {
  forward(parameters);
  values.resize(value_count());
  values.head(errors_.size()) = errors_.transpose().reshaped();
  if (problem_.ridge > 0) values.tail(parameters_) = ridge_.cwiseProduct(parameters);
}

void NetworkErrors::jacobian(const Vector& parameters, Matrix& jacobian) {
  forward(parameters);
  jacobian.resize(value_count(), parameters_);
  const Range all{0, problem_.samples()};
  transpose(all);
  for (Index o = 0; o < errors_.rows(); ++o) {
    seed(all, o, false);
    fill_jacobian(parameters, jacobian.middleRows(o * all.size, all.size));
  }
  if (problem_.ridge > 0) {
    jacobian.bottomRows(parameters_).setZero();
    jacobian.bottomRows(parameters_).diagonal() = ridge_;
  }
}

/// What the Jacobian needs of these samples, which become rows.
void NetworkErrors::transpose(Range samples) {
  for (std::size_t l = 0; l < offsets_.size(); ++l) {
    inputs_of_[l] = activations_[l].middleCols(samples.begin, samples.size).transpose();
    if (l > 0) slopes_of_[l] = slopes_[l].middleCols(samples.begin, samples.size).transpose();
    backward_[l].resize(samples.size, shapes_[l].rows);
  }
}

/// The derivatives by the network's outputs that the Jacobian's rows of one output begin with: of its error, or if
/// `curved` those that make J'J the Gauss-Newton matrix, row `output` of L' where L L' is the curvature of the loss.
/// Cross-entropy, p the softmax and q its root: diag(p) - p p' = L L' with L = diag(q) - p q'.
void NetworkErrors::seed(Range samples, Index output, bool curved) {
  Matrix& last = backward_.back();
  last.setZero();
  const bool softmax = curved && problem_.loss.kind == Loss::Kind::cross_entropy;
  for (Index i = 0; i < samples.size; ++i) {
    const Index n = samples.begin + i;
    const auto z = activations_.back().col(n);
    double root = 1;
    if (softmax) {
      const double most = z.maxCoeff();
      const double sum = (z.array() - most).exp().sum();
      root = std::sqrt(std::exp(z(output) - most) / sum);
      last.row(i) = (-root / sum) * (z.array() - most).exp().transpose();
    } else if (curved) {
      root = std::sqrt(curvature(z(output), problem_.targets(output, n)));
    }
    // Where an output must vanish, and does, its error is constant.
    const bool free =
        problem_.output == OutputActivation::linear || problem_.targets(output, n) > 0 || errors_(output, n) > 0;
    last(i, output) += free ? root : 0;
    if (curved && problem_.sample_weights.size() > 0) last.row(i) *= std::sqrt(problem_.sample_weights(n));
  }
}

/// Rows of the samples that were transposed, from their seed. A column is a product over the samples: derivative by the
/// argument times the weight's input.
void NetworkErrors::fill_jacobian(const Vector& parameters, Eigen::Ref<Matrix> rows) {
  for (std::size_t l = offsets_.size(); l-- > 0;) {
    const Matrix& slope = backward_[l];
    const Index inputs = inputs_of_[l].cols();
    for (Index j = 0; j < inputs; ++j) {
      rows.middleCols(offsets_[l] + j * slope.cols(), slope.cols()).array() =
          slope.array().colwise() * inputs_of_[l].col(j).array();
    }
    rows.middleCols(offsets_[l] + inputs * slope.cols(), biases(l)) = slope.leftCols(biases(l));
    if (l == 0) continue;
    const Index units = problem_.widths[l];
    Matrix& before = backward_[l - 1];
    set_product(before.leftCols(units), slope, weights(parameters, l).leftCols(units));
    for (Index j = units; j < before.cols(); j += units) before.middleCols(j, units) = before.leftCols(units);
    before.array() *= slopes_of_[l].array();
  }
}

bool NetworkErrors::is_least_squares() const {
  return (problem_.loss == Loss::exact || problem_.loss == Loss::squared) && problem_.sample_weights.size() == 0;
}

bool NetworkErrors::is_of_errors() const { return problem_.output == OutputActivation::relu || is_least_squares(); }

double NetworkErrors::output_loss() const {
  const Vector& weights = problem_.sample_weights;
  if (!is_of_errors()) return loss_value(problem_.loss, activations_.back(), problem_.targets, weights);
  if (weights.size() == 0) return 0.5 * errors_.squaredNorm();
  return 0.5 * errors_.colwise().squaredNorm().transpose().cwiseProduct(weights).sum();
}

/// The derivatives of that by the outputs.
Matrix NetworkErrors::output_slope() const {
  const Vector& weights = problem_.sample_weights;
  if (!is_of_errors()) return loss_gradient(problem_.loss, activations_.back(), problem_.targets, weights);
  return weights.size() == 0 ? errors_ : Matrix(errors_ * weights.asDiagonal());
}

double NetworkErrors::loss(const Vector& parameters) {
  forward(parameters);
  return output_loss() + 0.5 * ridge_.cwiseProduct(parameters).squaredNorm();
}

template <class Visit>
void NetworkErrors::backward(const Vector& parameters, Visit&& visit) {
  Matrix slope = output_slope();
  for (std::size_t l = offsets_.size(); l-- > 0;) {
    visit(l, slope);
    if (l == 0) break;
    const Matrix of_units = weights(parameters, l).leftCols(problem_.widths[l]).transpose() * slope;
    slope = of_units.replicate(arguments_per_unit(problem_.activation), 1).cwiseProduct(slopes_[l]);
  }
}

std::vector<Matrix> NetworkErrors::slopes(const Vector& parameters) {
  forward(parameters);
  std::vector<Matrix> slopes(offsets_.size());
  backward(parameters, [&](std::size_t l, const Matrix& slope) { slopes[l] = slope; });
  return slopes;
}

double NetworkErrors::loss(const Vector& parameters, Eigen::Ref<Vector> gradient) {
  forward(parameters);
  const double value = output_loss();
  backward(parameters, [&](std::size_t l, const Matrix& slope) {
    const Index weights = shapes_[l].rows * shapes_[l].columns;
    gradient.segment(offsets_[l], weights) = (slope * activations_[l].transpose()).reshaped();
    if (problem_.bias) gradient.segment(offsets_[l] + weights, shapes_[l].rows) = slope.rowwise().sum();
  });
  const Vector weighted = ridge_.cwiseProduct(parameters);
  gradient += ridge_.cwiseProduct(weighted);
  return value + 0.5 * weighted.squaredNorm();
}

bool NetworkErrors::has_curvature() const {
  const Loss::Kind kind = problem_.loss.kind;
  return kind != Loss::Kind::absolute && kind != Loss::Kind::quantile && kind != Loss::Kind::hinge;
}

/// Of the loss of one output. Huber: of the quadratic that touches the loss there and lies above it elsewhere.
double NetworkErrors::curvature(double output, double target) const {
  if (problem_.loss.kind == Loss::Kind::logistic) {
    const double p = 1 / (1 + std::exp(-std::abs(output)));
    return p * (1 - p);
  }
  if (problem_.loss.kind == Loss::Kind::huber) {
    return problem_.loss.parameter / std::max(problem_.loss.parameter, std::abs(output - target));
  }
  return 1;
}

void NetworkErrors::gauss_newton(const Vector& parameters, Vector& gradient, Matrix& gram) {
  gradient.resize(parameters_);
  loss(parameters, gradient);
  gram.setZero(parameters_, parameters_);
  for (Index begin = 0; begin < problem_.samples(); begin += kGramBlock) {
    const Range block{begin, std::min(kGramBlock, problem_.samples() - begin)};
    transpose(block);
    rows_.resize(block.size, parameters_);
    for (Index o = 0; o < errors_.rows(); ++o) {
      seed(block, o, !is_least_squares());
      fill_jacobian(parameters, rows_);
      gram.selfadjointView<Eigen::Lower>().rankUpdate(rows_.transpose());
    }
  }
  gram.diagonal() += ridge_.cwiseAbs2();  // what the rows of the ridge would add
}

}  // namespace relufit
