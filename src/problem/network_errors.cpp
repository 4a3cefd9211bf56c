#include "problem/network_errors.h"

#include <algorithm>
#include <cmath>

#include "linear_algebra/products.h"
#include "network/smooth_activation.h"
#include "problem/sample_sums.h"

namespace relufit {

namespace {

// Samples whose rows of the Jacobian are formed at a time: a few hundred columns of them fit the L2 cache, and the
// product of so many rows goes at full speed.
constexpr Index kGramBlock = 256;

}  // namespace

NetworkErrors::NetworkErrors(const LiftedProblem& problem, int threads)
    : problem_(problem),
      shapes_(problem.network.layers()),
      chunks_(Chunks::of(problem)),
      losses_(chunks_, 1),
      gradients_(chunks_, 0),
      passes_(static_cast<std::size_t>(threads)),
      workers_(std::make_shared<Workers>(threads)) {
  for (std::size_t l = 0; l < shapes_.size(); ++l) {
    offsets_.push_back(parameters_);
    parameters_ += shapes_[l].rows * shapes_[l].columns + biases(l);
  }
  backward_.resize(shapes_.size());
  inputs_of_.resize(shapes_.size());
  slopes_of_.resize(shapes_.size());
  ridge_.setConstant(parameters_, std::sqrt(problem.ridge));
  for (std::size_t l = 0; l < offsets_.size(); ++l) {
    ridge_.segment(offsets_[l] + shapes_[l].rows * shapes_[l].columns, biases(l)).setZero();
  }
}

/// Memory for these samples, and their inputs.
void NetworkErrors::enter(Pass& pass, Range samples) const {
  const std::size_t layers = shapes_.size();
  pass.samples = samples;
  pass.arguments.resize(layers);
  pass.activations.resize(layers + 1);
  pass.slopes.resize(layers + 1);
  const auto inputs = problem_.inputs.middleCols(samples.begin, samples.size);
  pass.activations[0] = inputs;
  for (std::size_t l = 0; l < layers; ++l) {
    const bool hidden = l + 1 < layers;
    pass.arguments[l].resize(shapes_[l].rows, samples.size);
    // What the next layer sees; the inputs lie below the units.
    pass.activations[l + 1].resize(hidden ? shapes_[l + 1].columns : shapes_[l].rows, samples.size);
    if (hidden && problem_.network.skip_connections) pass.activations[l + 1].bottomRows(inputs.rows()) = inputs;
    if (hidden) pass.slopes[l + 1].resize(shapes_[l].rows, samples.size);
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

void NetworkErrors::forward(const Vector& parameters, Pass& pass) const {
  for (std::size_t l = 0; l < offsets_.size(); ++l) {
    const Weights w = weights(parameters, l);
    const bool last = l + 1 == offsets_.size();
    Matrix& arguments = last ? pass.activations.back() : pass.arguments[l];
    set_product(arguments, w, pass.activations[l]);
    if (problem_.bias) arguments.colwise() += parameters.segment(offsets_[l] + w.size(), w.rows());
    if (last) break;
    auto values = pass.activations[l + 1].topRows(problem_.network.widths[l + 1]);
    if (smoothing_ > 0) {
      evaluate_smoothed(problem_.network.activation, smoothing_, arguments, values, pass.slopes[l + 1]);
    } else {
      differentiate(problem_.network.activation, arguments, pass.slopes[l + 1]);
      evaluate(problem_.network.activation, arguments, values);
    }
  }
  const auto targets = problem_.targets.middleCols(pass.samples.begin, pass.samples.size);
  pass.errors = pass.activations.back() - targets;
  if (problem_.network.output == OutputActivation::linear) return;
  pass.errors = (targets.array() > 0).select(pass.errors, pass.activations.back().cwiseMax(0.0));
}

const NetworkErrors::Pass& NetworkErrors::forward_all(const Vector& parameters) {
  if (all_.samples.size == 0) enter(all_, {0, problem_.samples()});
  forward(parameters, all_);
  return all_;
}

void NetworkErrors::values(const Vector& parameters, Vector& values) {
  const Matrix& errors = forward_all(parameters).errors;
  values.resize(value_count());
  values.head(errors.size()) = errors.transpose().reshaped();
  if (problem_.ridge > 0) values.tail(parameters_) = ridge_.cwiseProduct(parameters);
}

void NetworkErrors::jacobian(const Vector& parameters, Matrix& jacobian) {
  forward_all(parameters);
  jacobian.resize(value_count(), parameters_);
  const Range all{0, problem_.samples()};
  transpose(all);
  for (Index o = 0; o < all_.errors.rows(); ++o) {
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
    inputs_of_[l] = all_.activations[l].middleCols(samples.begin, samples.size).transpose();
    if (l > 0) slopes_of_[l] = all_.slopes[l].middleCols(samples.begin, samples.size).transpose();
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
    const auto z = all_.activations.back().col(n);
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
    const bool free = problem_.network.output == OutputActivation::linear || problem_.targets(output, n) > 0 ||
                      all_.errors(output, n) > 0;
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
    const Index units = problem_.network.widths[l];
    Matrix& before = backward_[l - 1];
    set_product(before.leftCols(units), slope, weights(parameters, l).leftCols(units));
    for (Index j = units; j < before.cols(); j += units) before.middleCols(j, units) = before.leftCols(units);
    before.array() *= slopes_of_[l].array();
  }
}

bool NetworkErrors::is_least_squares() const {
  return (problem_.loss == Loss::exact || problem_.loss == Loss::squared) && problem_.sample_weights.size() == 0;
}

bool NetworkErrors::is_of_errors() const {
  return problem_.network.output == OutputActivation::relu || is_least_squares();
}

double NetworkErrors::output_loss(const Pass& pass) const {
  const Range samples = pass.samples;
  const Vector weights = weights_of(problem_, samples);
  if (!is_of_errors()) {
    return loss_value(problem_.loss, pass.activations.back(), problem_.targets.middleCols(samples.begin, samples.size),
                      weights);
  }
  if (weights.size() == 0) return 0.5 * pass.errors.squaredNorm();
  return 0.5 * pass.errors.colwise().squaredNorm().transpose().cwiseProduct(weights).sum();
}

/// The derivatives of that by the outputs.
Matrix NetworkErrors::output_slope(const Pass& pass) const {
  const Range samples = pass.samples;
  const Vector weights = weights_of(problem_, samples);
  if (!is_of_errors()) {
    return loss_gradient(problem_.loss, pass.activations.back(),
                         problem_.targets.middleCols(samples.begin, samples.size), weights);
  }
  return weights.size() == 0 ? pass.errors : Matrix(pass.errors * weights.asDiagonal());
}

template <class Visit>
void NetworkErrors::backward(const Vector& parameters, const Pass& pass, Visit&& visit) const {
  Matrix slope = output_slope(pass);
  for (std::size_t l = offsets_.size(); l-- > 0;) {
    visit(l, slope);
    if (l == 0) break;
    Matrix of_units;
    set_product(of_units, weights(parameters, l).leftCols(problem_.network.widths[l]).transpose(), slope);
    slope = of_units.replicate(arguments_per_unit(problem_.network.activation), 1).cwiseProduct(pass.slopes[l]);
  }
}

std::vector<Matrix> NetworkErrors::slopes(const Vector& parameters) {
  std::vector<Matrix> slopes(offsets_.size());
  backward(parameters, forward_all(parameters), [&](std::size_t l, const Matrix& slope) { slopes[l] = slope; });
  return slopes;
}

/// Calls work(chunk, pass) for all samples, pass by pass; those of a chunk in their order.
template <class Work>
void NetworkErrors::for_all_chunks(const Work& work) {
  workers_->run(chunks_.count(), [&](Index chunk, Index worker) {
    Pass& pass = passes_[static_cast<std::size_t>(worker)];
    const auto go = [&](Range samples) {
      enter(pass, samples);
      work(chunk, pass);
    };
    for_each_block(chunks_[chunk], go, Chunks::pass);
  });
}

double NetworkErrors::loss(const Vector& parameters) {
  for (Index chunk = 0; chunk < chunks_.count(); ++chunk) losses_.clear(chunk);
  for_all_chunks([&](Index chunk, Pass& pass) {
    forward(parameters, pass);
    *losses_.data(chunk) += output_loss(pass);
  });
  return 0.5 * ridge_.cwiseProduct(parameters).squaredNorm() + losses_.total()(0);
}

void NetworkErrors::add_gradient(const Vector& parameters, const Pass& pass, Eigen::Ref<Vector> gradient) const {
  backward(parameters, pass, [&](std::size_t l, const Matrix& slope) {
    const Index rows = shapes_[l].rows;
    const Index columns = shapes_[l].columns;
    Eigen::Map<Matrix> by_weights(gradient.data() + offsets_[l], rows, columns);
    add_product(by_weights, slope, pass.activations[l].transpose());
    if (problem_.bias) gradient.segment(offsets_[l] + rows * columns, rows) += slope.rowwise().sum();
  });
}

double NetworkErrors::loss(const Vector& parameters, Eigen::Ref<Vector> gradient) {
  if (gradients_.size() == 0) gradients_ = ChunkSums(chunks_, parameters_ + 1);
  for (Index chunk = 0; chunk < chunks_.count(); ++chunk) gradients_.clear(chunk);
  for_all_chunks([&](Index chunk, Pass& pass) {
    forward(parameters, pass);
    auto sum = gradients_[chunk];
    sum(parameters_) += output_loss(pass);
    add_gradient(parameters, pass, sum.head(parameters_));
  });
  const Vector weighted = ridge_.cwiseProduct(parameters);
  const auto total = gradients_.total();
  gradient = ridge_.cwiseProduct(weighted) + total.head(parameters_);
  return 0.5 * weighted.squaredNorm() + total(parameters_);
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
  forward_all(parameters);
  gram.setZero(parameters_, parameters_);
  for (Index begin = 0; begin < problem_.samples(); begin += kGramBlock) {
    const Range block{begin, std::min(kGramBlock, problem_.samples() - begin)};
    transpose(block);
    rows_.resize(block.size, parameters_);
    for (Index o = 0; o < all_.errors.rows(); ++o) {
      seed(block, o, !is_least_squares());
      fill_jacobian(parameters, rows_);
      gram.selfadjointView<Eigen::Lower>().rankUpdate(rows_.transpose());
    }
  }
  gram.diagonal() += ridge_.cwiseAbs2();  // what the rows of the ridge would add
}

}  // namespace relufit
