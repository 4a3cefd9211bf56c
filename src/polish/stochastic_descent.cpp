#include "polish/stochastic_descent.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/random.h"
#include "checkpoint/by_first_rank.h"
#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "problem/network_errors.h"
#include "problem/sample_sums.h"

namespace relufit {

namespace {

constexpr double kRate = 1e-2;          // of the first steps, in scaled units
constexpr double kWarmUp = 100;         // steps over which it rises to that
constexpr double kMomentum = 0.95;      // what stays of a mean after a step: of the gradient,
constexpr double kSquares = 0.99;       // of its squares,
constexpr double kMoments = 0.96;       // of G G' and G' G
constexpr double kLeastSquare = 1e-16;  // of a gradient whose entries are of any size
constexpr Index kMomentInterval = 4;    // steps between those that these means take in
constexpr Index kRenewal = 20;          // steps between orthogonal iterations
constexpr Index kLargestSide = 512;     // of a matrix in whose basis steps are taken: that costs sides cubed
constexpr Index kBatchesDrawn = 16;     // at a time

/// Q of a running mean A of G G' or of G' G; empty for sides that are too large, whose basis stays their own.
struct Basis {
  Matrix mean, vectors;

  explicit Basis(Index side = 0) {
    if (side <= kLargestSide) mean.setZero(side, side);
  }

  bool turns() const { return mean.size() > 0; }

  void begin() {
    if (turns()) vectors = Eigen::SelfAdjointEigenSolver<Matrix>(mean).eigenvectors();
  }

  void renew() {
    if (!turns()) return;
    const Eigen::HouseholderQR<Matrix> qr(product(mean, vectors));
    vectors = qr.householderQ();
  }

  void visit_state(StateVisitor& visitor) { visitor(mean, vectors); }
};

/// Steps of one layer's matrix.
class LayerSteps {
 public:
  explicit LayerSteps(Index rows = 0, Index columns = 0)
      : left_(rows), right_(columns), momentum_(Matrix::Zero(rows, columns)), squares_(Matrix::Zero(rows, columns)) {}

  /// The `count`-th step, count >= 1, for this gradient, for a rate of 1.
  const Matrix& step(const Matrix& gradient, Index count) {
    if (count % kMomentInterval == 1) {
      if (left_.turns()) add_moment(left_, gradient, gradient.transpose());
      if (right_.turns()) add_moment(right_, gradient.transpose(), gradient);
    }
    if (count == 1) {
      left_.begin();
      right_.begin();
    } else if (count % kRenewal == 0) {
      left_.renew();
      right_.renew();
    }
    momentum_ += (1 - kMomentum) * (gradient - momentum_);
    turn(gradient, false);
    squares_ += (1 - kSquares) * (turned_.cwiseAbs2() - squares_);
    turn(momentum_, false);
    const auto steps = static_cast<double>(count);
    const double seen = 1 - std::pow(kMomentum, steps);
    const double seen_squares = 1 - std::pow(kSquares, steps);
    turned_.array() /= seen * ((squares_.array() / seen_squares).sqrt() + std::sqrt(kLeastSquare));
    other_.swap(turned_);
    turn(other_, true);
    return turned_;
  }

  void visit_state(StateVisitor& visitor) { visitor(left_, right_, momentum_, squares_); }

 private:
  void add_moment(Basis& basis, Factor a, Factor b) {
    set_product(moment_, a, b);
    basis.mean += (1 - kMoments) * (moment_ - basis.mean);
  }

  /// turned_ = Q_l' matrix Q_r, or Q_l matrix Q_r'.
  void turn(const Matrix& matrix, bool back) {
    half_ = matrix;
    if (left_.turns()) set_product(half_, back ? Factor(left_.vectors) : Factor(left_.vectors.transpose()), matrix);
    turned_ = half_;
    if (right_.turns()) set_product(turned_, half_, back ? Factor(right_.vectors.transpose()) : Factor(right_.vectors));
  }

  Basis left_, right_;
  Matrix momentum_, squares_;
  Matrix turned_, other_, half_, moment_;
};

class StochasticDescent {
 public:
  StochasticDescent(const LiftedProblem& problem, const std::vector<Layer>& layers, const StochasticOptions& options)
      : problem_(problem),
        options_(options),
        begins_(begins_of(Chunks::of(problem))),
        batch_(with_samples(problem, Matrix(problem.inputs.rows(), kDescentBatch),
                            Matrix(problem.targets.rows(), kDescentBatch), {})),
        random_(options.seed) {
    if (problem.sample_weights.size() > 0) batch_.sample_weights.setOnes(kDescentBatch);
    batch_.ridge *= static_cast<double>(kDescentBatch) / static_cast<double>(problem.total_samples());
    errors_.emplace(batch_, options.threads);
    parameters_ = errors_->pack(layers);
    gradient_.resize(parameters_.size());
    for (const LayerShape& shape : problem.network.layers()) {
      rows_.push_back(shape.rows);
      layers_.emplace_back(shape.rows, shape.columns + (problem.bias ? 1 : 0));
    }
  }

  std::vector<Layer> run() {
    const auto visit = [this](StateVisitor& visitor) { visitor(parameters_, layers_, random_, done_); };
    const Ranks* ranks = problem_.share.ranks;
    const bool steps = ranks == nullptr || ranks->rank() == 0;
    options_.piece.restore(visit);
    while (done_ < options_.steps) {
      const bool stops = agreed(ranks, options_.should_stop && options_.should_stop());
      options_.piece.offer(stops, visit);
      if (stops) break;
      const Index batches = std::min(kBatchesDrawn, options_.steps - done_);
      draw(batches);
      for (Index i = 0; i < batches; ++i) {
        ++done_;
        if (steps) step(i);
      }
    }
    return errors_->unpack(by_first_rank(ranks, [this] { return parameters_; }));
  }

 private:
  void draw(Index batches) {
    std::vector<Index> columns(static_cast<std::size_t>(batches * kDescentBatch));
    for (Index& column : columns) column = random_.index(begins_.back());
    const auto taken = [&](const Matrix& from) { return columns_at(problem_.share.ranks, begins_, from, columns); };
    inputs_ = taken(problem_.inputs);
    targets_ = taken(problem_.targets);
    if (problem_.sample_weights.size() > 0) weights_ = taken(problem_.sample_weights.transpose());
  }

  void step(Index batch) {
    const Index begin = batch * kDescentBatch;
    batch_.inputs = inputs_.middleCols(begin, kDescentBatch);
    batch_.targets = targets_.middleCols(begin, kDescentBatch);
    if (weights_.size() > 0) batch_.sample_weights = weights_.middleCols(begin, kDescentBatch).transpose();
    errors_->loss(parameters_, gradient_);
    gradient_ /= static_cast<double>(kDescentBatch);
    const auto done = static_cast<double>(done_);
    const double fall = 0.5 * (1 + std::cos(std::numbers::pi * done / static_cast<double>(options_.steps)));
    const double rate = kRate * std::min(1.0, done / kWarmUp) * fall;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Index rows = rows_[l];
      const Index size = (l + 1 < layers_.size() ? errors_->offset(l + 1) : parameters_.size()) - errors_->offset(l);
      of_layer_ = gradient_.segment(errors_->offset(l), size).reshaped(rows, size / rows);
      parameters_.segment(errors_->offset(l), size) -= rate * layers_[l].step(of_layer_, done_).reshaped();
    }
  }

  const LiftedProblem& problem_;
  const StochasticOptions& options_;
  std::vector<Index> begins_;
  LiftedProblem batch_;
  std::optional<NetworkErrors> errors_;  // of the batch
  Vector parameters_, gradient_;
  std::vector<Index> rows_;
  std::vector<LayerSteps> layers_;
  Random random_;
  Index done_ = 0;  // steps
  Matrix inputs_, targets_, weights_, of_layer_;
};

}  // namespace

std::vector<Layer> descend(const LiftedProblem& problem, const std::vector<Layer>& layers,
                           const StochasticOptions& options) {
  return StochasticDescent(problem, layers, options).run();
}

}  // namespace relufit
