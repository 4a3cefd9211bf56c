// The affine step separates into one problem per product (product_step.cpp): layers meet only in the copies. The first
// layer of a ReLU network is part of the first product; otherwise it is a problem of its own, a linear fit to the
// arguments of its units.

#include <optional>

#include "subproblem/affine/affine_step.h"
#include "subproblem/affine/linear_fit.h"
#include "subproblem/affine/product_step.h"

namespace relufit {

namespace {

class StructuredAffineStep final : public AffineStep {
 public:
  StructuredAffineStep(const LiftedProblem& problem, const Chunks& chunks)
      : problem_(problem), units_(problem.activation) {
    const bool shared = values_are_shared(problem, 1);
    if (shared || problem.skip_connections) rows_.emplace(problem.inputs, problem.bias);
    if (!shared) {
      first_.emplace(problem, chunks.count());
      arguments_.assign(static_cast<std::size_t>(chunks.count()), Matrix(problem.shapes()[0].rows, Chunks::block));
    }
    const auto hidden = static_cast<std::size_t>(problem.hidden_layers());
    for (std::size_t i = 0; i < hidden; ++i) {
      products_.emplace_back(problem, units_, i, rows_ ? &*rows_ : nullptr, chunks.count());
    }
    layers_.resize(hidden + 1);
    copy_layers();
  }

  void prepare(const RelaxationParameters& parameters, const Penalties& penalties) override {
    if (first_) first_->prepare(penalties.pair * units_.argument_penalty(), penalties);
    for (std::size_t i = 0; i < products_.size(); ++i) products_[i].prepare(parameters.product[i], penalties);
  }

  void accumulate(const Copies& target, Range samples, Index slot) override {
    if (first_) accumulate_first(target, samples, slot);
    for (ProductStep& product : products_) product.accumulate(target, samples, slot);
  }

  void solve(const Copies& target) override {
    if (first_) first_->solve(target);
    for (ProductStep& product : products_) product.solve(target);
    copy_layers();
  }

  void recover(const Copies& target, Range samples, Index slot, Copies& image) override {
    if (first_) recover_first(target, samples, slot, image);
    for (ProductStep& product : products_) product.recover(target, samples, slot, image);
    if (slot != 0) return;
    for (std::size_t i = 0; i < image.weights.size(); ++i) {
      image.weights[i] = layers_[static_cast<std::size_t>(problem_.weight_terms[i].layer) - 1].weights;
    }
  }

  const std::vector<Layer>& layers() const override { return layers_; }

 private:
  void accumulate_first(const Copies& target, Range samples, Index slot) {
    first_->clear(slot);
    for_each_block(samples, [&](Range block) {
      auto arguments = arguments_[static_cast<std::size_t>(slot)].leftCols(block.size);
      arguments.setZero();
      const auto columns = [&](auto& part) { return part.middleCols(block.begin, block.size); };
      units_.add_arguments(columns(target.active[0]), columns(target.slack[0]), linear_of(target, 0, block), 1,
                           arguments);
      first_->add(arguments, block, slot);
    });
  }

  void recover_first(const Copies& target, Range samples, Index slot, Copies& image) {
    for_each_block(samples, [&](Range block) {
      const auto columns = [&](auto& part) { return part.middleCols(block.begin, block.size); };
      auto arguments = arguments_[static_cast<std::size_t>(slot)].leftCols(block.size);
      first_->evaluate(block, arguments);
      units_.follow(columns(target.active[0]), columns(target.slack[0]), arguments, columns(image.active[0]),
                    columns(image.slack[0]), linear_of(image, 0, block));
    });
  }

  void copy_layers() {
    layers_[0] = first_ ? first_->layer() : products_[0].first_layer();
    for (std::size_t i = 0; i < products_.size(); ++i) layers_[i + 1] = products_[i].layer();
  }

  const LiftedProblem& problem_;
  UnitCopies units_;
  std::optional<RowSpace> rows_;    // where the first layer's H is shared, or the inputs skip to later layers
  std::optional<LinearFit> first_;  // where it is not
  std::vector<Matrix> arguments_;   // of the first layer's units, one block of samples per chunk
  std::vector<ProductStep> products_;
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<AffineStep> make_structured_affine_step(const LiftedProblem& problem, const Chunks& chunks) {
  return std::make_unique<StructuredAffineStep>(problem, chunks);
}

}  // namespace relufit
