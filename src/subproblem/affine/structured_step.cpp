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
  StructuredAffineStep(const LiftedProblem& problem, const Chunks& chunks, Index workers)
      : problem_(problem), units_(problem.network.activation) {
    const bool shared = values_are_shared(problem, 1);
    if (shared || problem.network.skip_connections) rows_.emplace(problem.inputs, problem.bias, chunks);
    if (!shared) {
      first_.emplace(problem, chunks);
      arguments_.assign(static_cast<std::size_t>(workers), Matrix(problem.network.layers()[0].rows, Chunks::block));
    }
    const auto hidden = static_cast<std::size_t>(problem.network.hidden_layers());
    for (std::size_t i = 0; i < hidden; ++i) {
      products_.emplace_back(problem, units_, i, rows_ ? &*rows_ : nullptr, chunks, workers);
    }
    layers_.resize(hidden + 1);
    copy_layers();
  }

  void set(const RelaxationParameters& parameters, const Penalties& penalties) override {
    if (first_) first_->prepare(penalties.pair * units_.argument_penalty(), penalties);
    for (ProductStep& product : products_) product.set(parameters, penalties);
  }

  void accumulate_parameters(const Block& block) override {
    for (ProductStep& product : products_) product.accumulate_parameters(block);
  }

  void factorize() override {
    for (ProductStep& product : products_) product.factorize();
  }

  void clear(Index chunk) override {
    if (first_) first_->clear(chunk);
    for (ProductStep& product : products_) product.clear(chunk);
  }

  void accumulate(const Copies& target, const Block& block) override {
    if (first_) accumulate_first(target, block);
    for (ProductStep& product : products_) product.accumulate(target, block);
  }

  void solve(const Copies& target) override {
    if (first_) first_->solve(target);
    for (ProductStep& product : products_) product.solve(target);
    copy_layers();
  }

  void recover(const Copies& target, const Block& block, Copies& image) override {
    if (first_) recover_first(target, block, image);
    for (const ProductStep& product : products_) product.recover(target, block, image);
  }

  void recover_shared(Copies& image) override {
    for (const ProductStep& product : products_) product.recover_shared(image);
    for (std::size_t i = 0; i < image.weights.size(); ++i) {
      image.weights[i] = layers_[static_cast<std::size_t>(problem_.weight_terms[i].layer) - 1].weights;
    }
  }

  const std::vector<Layer>& layers() const override { return layers_; }

 private:
  auto arguments(const Block& block) { return arguments_[static_cast<std::size_t>(block.worker)].leftCols(block.size); }

  void accumulate_first(const Copies& target, const Block& block) {
    auto sums = arguments(block);
    sums.setZero();
    const auto columns = [&](auto& part) { return part.middleCols(block.begin, block.size); };
    units_.add_arguments(columns(target.active[0]), columns(target.slack[0]), linear_of(target, 0, block), 1, sums);
    first_->add(sums, block);
  }

  void recover_first(const Copies& target, const Block& block, Copies& image) {
    const auto columns = [&](auto& part) { return part.middleCols(block.begin, block.size); };
    const auto first = [&](auto& part) { return part.leftCols(block.size); };
    auto values = arguments(block);
    first_->evaluate(block, values);
    units_.follow(columns(target.active[0]), columns(target.slack[0]), values, first(image.active[0]),
                  first(image.slack[0]), linear_of(image, 0, {0, block.size}));
  }

  void copy_layers() {
    layers_[0] = first_ ? first_->layer() : products_[0].first_layer();
    for (std::size_t i = 0; i < products_.size(); ++i) layers_[i + 1] = products_[i].layer();
  }

  const LiftedProblem& problem_;
  UnitCopies units_;
  std::optional<RowSpace> rows_;    // where the first layer's H is shared, or the inputs skip to later layers
  std::optional<LinearFit> first_;  // where it is not
  std::vector<Matrix> arguments_;   // of the first layer's units, one block of samples per thread
  std::vector<ProductStep> products_;
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<AffineStep> make_structured_affine_step(const LiftedProblem& problem, const Chunks& chunks,
                                                        Index workers) {
  return std::make_unique<StructuredAffineStep>(problem, chunks, workers);
}

}  // namespace relufit
