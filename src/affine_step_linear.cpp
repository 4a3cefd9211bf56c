// The affine step of a network without hidden layer, a linear model. For the target T of Z = W U + b 1',
//
//     minimize over (W, b)   1/2 rho_z ||W U + b 1' - T||^2 + 1/2 ridge ||W||^2,
//
// whose solution is a shrunken projection onto the row space of the data (row_space.h): Z = T Q diag(gamma) Q'. Copies
// of W (weight terms) add p/2 ||W - mean||^2: the same for W - W* with W* = p mean / (ridge + p), with the ridge ridge
// + p, and T Q - P, P = W* (U - u 1') Q, in the place of T Q.

#include "affine_step.h"
#include "row_space.h"

namespace relufit {

namespace {

class LinearAffineStep final : public AffineStep {
 public:
  LinearAffineStep(const LiftedProblem& problem, const Chunks& chunks)
      : problem_(problem),
        rows_(problem.inputs, problem.bias),
        gamma_(rows_.rank()),
        partial_(static_cast<std::size_t>(chunks.count()), Matrix(problem.widths[1], rows_.rank())),
        projected_(problem.widths[1], rows_.rank()),
        shrunk_(problem.widths[1], rows_.rank()),
        layers_{{Matrix::Zero(problem.widths[1], problem.widths[0]), Vector::Zero(problem.widths[1])}} {}

  void prepare(const RelaxationParameters& /*parameters*/, const Penalties& penalties) override {
    pull_.penalty = WeightPull::penalty_of(problem_, penalties, 1);
    alpha_ = (problem_.ridge + pull_.penalty) / penalties.output;
    rows_.shrinkage(alpha_, gamma_);
  }

  void accumulate(const Copies& target, Range samples, Index slot) override {
    Matrix& sum = partial_[static_cast<std::size_t>(slot)];
    sum.setZero();
    for_each_block(samples, [&](Range block) {
      sum.noalias() += target.output().middleCols(block.begin, block.size) *
                       rows_.basis().middleCols(block.begin, block.size).transpose();
    });
  }

  void solve(const Copies& target) override {
    projected_.setZero();
    for (const Matrix& sum : partial_) projected_ += sum;
    Layer& layer = layers_.front();
    if (pull_.penalty > 0) {
      pull_.set_mean(problem_, target, 1);
      pull_.mean *= pull_.penalty / (problem_.ridge + pull_.penalty);
      rows_.project(pull_.mean, pull_q_);
      projected_ -= pull_q_;
    }
    shrunk_.noalias() = projected_ * gamma_.asDiagonal();
    rows_.weights(projected_, alpha_, layer);
    if (pull_.penalty == 0) return;
    layer.weights += pull_.mean;
    layer.bias.noalias() -= pull_.mean * rows_.mean();
    shrunk_ += pull_q_;
  }

  void recover(const Copies& /*target*/, Range samples, Index slot, Copies& image) override {
    if (slot == 0) {
      for (Copies::Part& weights : image.weights) weights = layers_.front().weights;
    }
    for_each_block(samples, [&](Range block) {
      image.output().middleCols(block.begin, block.size).noalias() =
          shrunk_ * rows_.basis().middleCols(block.begin, block.size);
    });
  }

  const std::vector<Layer>& layers() const override { return layers_; }

 private:
  const LiftedProblem& problem_;
  double alpha_ = 0;
  RowSpace rows_;
  Vector gamma_;
  std::vector<Matrix> partial_;  // T Q per chunk
  Matrix projected_, shrunk_;
  WeightPull pull_;  // its mean being W*
  Matrix pull_q_;    // P
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<AffineStep> make_linear_affine_step(const LiftedProblem& problem, const Chunks& chunks) {
  return std::make_unique<LinearAffineStep>(problem, chunks);
}

}  // namespace relufit
