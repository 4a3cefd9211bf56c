// The affine step of a network without hidden layer, a linear model: Z = W U + b 1' is fitted to the target of its
// copy.

#include "subproblem/affine/affine_step.h"
#include "subproblem/affine/linear_fit.h"

namespace relufit {

namespace {

class LinearAffineStep final : public AffineStep {
 public:
  LinearAffineStep(const LiftedProblem& problem, const Chunks& chunks)
      : copies_(static_cast<double>(output_copies(problem))),
        fit_(problem, chunks.count()),
        outputs_(static_cast<std::size_t>(chunks.count()), Matrix(problem.widths.back(), Chunks::block)),
        layers_{fit_.layer()} {}

  void prepare(const RelaxationParameters& /*parameters*/, const Penalties& penalties) override {
    fit_.prepare(copies_ * penalties.output, penalties);
  }

  void accumulate(const Copies& target, Range samples, Index slot) override {
    fit_.clear(slot);
    for_each_block(samples, [&](Range block) {
      auto outputs = outputs_[static_cast<std::size_t>(slot)].leftCols(block.size);
      outputs.setZero();
      target.add_mean_output(block, 1, outputs);
      fit_.add(outputs, block, slot);
    });
  }

  void solve(const Copies& target) override {
    fit_.solve(target);
    layers_.front() = fit_.layer();
  }

  void recover(const Copies& /*target*/, Range samples, Index slot, Copies& image) override {
    if (slot == 0) {
      for (Copies::Part& weights : image.weights) weights = layers_.front().weights;
    }
    for_each_block(samples, [&](Range block) {
      fit_.evaluate(block, image.output().middleCols(block.begin, block.size));
      image.share_output(block);
    });
  }

  const std::vector<Layer>& layers() const override { return layers_; }

 private:
  double copies_;  // of Z
  LinearFit fit_;
  std::vector<Matrix> outputs_;  // one block of samples per chunk
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<AffineStep> make_linear_affine_step(const LiftedProblem& problem, const Chunks& chunks) {
  return std::make_unique<LinearAffineStep>(problem, chunks);
}

}  // namespace relufit
