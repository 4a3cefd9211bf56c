// The affine step of a network without hidden layer, a linear model: Z = W U + b 1' is fitted to the target of its
// copy.

#include "subproblem/affine/affine_step.h"
#include "subproblem/affine/linear_fit.h"

namespace relufit {

namespace {

class LinearAffineStep final : public AffineStep {
 public:
  LinearAffineStep(const LiftedProblem& problem, const Chunks& chunks, Index workers)
      : copies_(static_cast<double>(output_copies(problem))),
        fit_(problem, chunks),
        outputs_(static_cast<std::size_t>(workers), Matrix(problem.network.outputs(), Chunks::block)),
        layers_{fit_.layer()} {}

  void set(const RelaxationParameters& /*parameters*/, const Penalties& penalties) override {
    fit_.prepare(copies_ * penalties.output, penalties);
  }

  void accumulate_parameters(const Block& /*block*/) override {}
  void factorize() override {}
  void clear(Index chunk) override { fit_.clear(chunk); }

  void accumulate(const Copies& target, const Block& block) override {
    auto outputs = outputs_[static_cast<std::size_t>(block.worker)].leftCols(block.size);
    outputs.setZero();
    target.add_mean_output(block, 1, outputs);
    fit_.add(outputs, block);
  }

  void solve(const Copies& target) override {
    fit_.solve(target);
    layers_.front() = fit_.layer();
  }

  void recover(const Copies& /*target*/, const Block& block, Copies& image) override {
    fit_.evaluate(block, image.output().leftCols(block.size));
    image.share_output({0, block.size});
  }

  void recover_shared(Copies& image) override {
    for (Copies::Part& weights : image.weights) weights = layers_.front().weights;
  }

  const std::vector<Layer>& layers() const override { return layers_; }

 private:
  double copies_;  // of Z
  LinearFit fit_;
  std::vector<Matrix> outputs_;  // one block of samples per thread
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<AffineStep> make_linear_affine_step(const LiftedProblem& problem, const Chunks& chunks, Index workers) {
  return std::make_unique<LinearAffineStep>(problem, chunks, workers);
}

}  // namespace relufit
