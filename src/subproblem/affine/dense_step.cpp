// The affine step for general matrices V1, V2, which couple all samples: the map A is assembled column by column from
// the definitions, and the normal equations of all unknowns are factorized once per change of parameters or penalties.

#include <fmt/format.h>

#include <stdexcept>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "subproblem/affine/affine_step.h"
#include "subproblem/affine/row_space.h"

namespace relufit {

namespace {

constexpr Index kLargestSystem = 3000;

/// All unknowns of the step. The first layer is known through W_1 U + b_1 1' = first * basis of the row space: also
/// where the inputs are rank deficient, the system is regular. S_1 = H_1 - first * basis; from the second layer on H
/// has two copies.
struct Unknowns {
  Matrix first;
  std::vector<Layer> layers;
  std::vector<Matrix> active, active_in, slack;
  Matrix output;  // empty for an exact linear output, which is data
  bool bias;

  Unknowns(const LiftedProblem& problem, Index rank)
      : first(Matrix::Zero(problem.network.widths[1], rank)), bias(problem.bias) {
    const LiftedPoint zero = zero_point(problem);
    layers = zero.layers;
    for (std::size_t i = 0; i < zero.active.size(); ++i) {
      active.push_back(zero.active[i]);
      active_in.push_back(i == 0 ? Matrix() : zero.active[i]);
      slack.push_back(i == 0 ? Matrix() : zero.slack[i]);
    }
    if (output_is_copied(problem) || problem.loss != Loss::exact) output = zero.output;
  }

  Index size() {
    Index total = 0;
    for_each_part([&](const double*, Index size) { total += size; });
    return total;
  }

  /// Calls `visit(data, size)` for each part, in the order of the vector of unknowns.
  template <class Visit>
  void for_each_part(Visit&& visit) {
    visit(first.data(), first.size());
    for (std::size_t l = 1; l < layers.size(); ++l) {
      visit(layers[l].weights.data(), layers[l].weights.size());
      if (bias) visit(layers[l].bias.data(), layers[l].bias.size());
    }
    for (auto* family : {&active, &active_in, &slack}) {
      for (Matrix& part : *family) visit(part.data(), part.size());
    }
    visit(output.data(), output.size());
  }
};

class DenseAffineStep final : public AffineStep {
 public:
  explicit DenseAffineStep(const LiftedProblem& problem)
      : problem_(problem), rows_(problem.inputs, problem.bias), unknowns_(problem, rows_.rank()), image_(problem) {
    size_ = unknowns_.size();
  }

  void set(const RelaxationParameters& parameters, const Penalties& penalties) override {
    parameters_ = &parameters;
    penalties_ = penalties;
  }
  void accumulate_parameters(const Block& /*block*/) override {}
  void factorize() override {
    set_unknowns(Vector::Zero(size_));
    constant_ = image();
    map_.resize(constant_.size(), size_);
    Vector ridge = Vector::Zero(size_);
    for (Index j = 0; j < size_; ++j) {
      set_unknowns(Vector::Unit(size_, j));
      map_.col(j) = image() - constant_;
      // Different unknowns belong to orthogonal weights.
      for (const Layer& layer : unknowns_.layers) ridge(j) += problem_.ridge * layer.weights.squaredNorm();
    }
    weights_ = penalty_vector(penalties_);
    weighted_map_ = weights_.asDiagonal() * map_;
    Matrix normal = product(map_.transpose(), weighted_map_);
    normal.diagonal() += ridge;
    loss_target_ = Vector::Zero(size_);
    const Index outputs = unknowns_.output.size();
    if (quadratic_loss()) {
      normal.diagonal().tail(outputs).array() += 1;
      loss_target_.tail(outputs) = problem_.targets.reshaped();
    }
    factor_.compute(normal);
  }

  void clear(Index /*chunk*/) override {}
  void accumulate(const Copies& /*target*/, const Block& /*block*/) override {}

  void solve(const Copies& target) override {
    const Vector right = weighted_map_.transpose() * (stack(target) - constant_) + loss_target_;
    set_unknowns(factor_.solve(right));
    image();
  }

  void recover(const Copies& /*target*/, const Block& block, Copies& image) override {
    const auto copy = [&](const Copies::Part& from, Copies::Part& to) {
      if (from.size() > 0) to.leftCols(block.size) = from.middleCols(block.begin, block.size);
    };
    for (std::size_t i = 0; i < image.hidden_layers(); ++i) {
      copy(image_.active[i], image.active[i]);
      copy(image_.values[i], image.values[i]);
      copy(image_.slack[i], image.slack[i]);
      copy(image_.block_left[i], image.block_left[i]);
    }
    for (std::size_t i = 0; i < image.outputs.size(); ++i) copy(image_.outputs[i], image.outputs[i]);
  }

  void recover_shared(Copies& image) override {
    for (std::size_t i = 0; i < image.hidden_layers(); ++i) image.block_right[i] = image_.block_right[i];
  }

  const std::vector<Layer>& layers() const override { return unknowns_.layers; }

 private:
  bool quadratic_loss() const { return !output_is_copied(problem_) && problem_.loss == Loss::squared; }

  void set_unknowns(const Vector& values) {
    Index at = 0;
    unknowns_.for_each_part([&](double* data, Index size) {
      Eigen::Map<Vector>(data, size) = values.segment(at, size);
      at += size;
    });
    rows_.weights(unknowns_.first, 0, unknowns_.layers[0]);
  }

  /// Sets image_ from the unknowns by the definitions, and returns it stacked.
  Vector image() {
    const auto& u = unknowns_;
    for (std::size_t i = 0; i < u.active.size(); ++i) {
      image_.active[i] = u.active[i];
      if (i > 0) image_.values[i] = u.active_in[i];
      image_.slack[i] = i > 0 ? u.slack[i] : Matrix(u.active[0] - product(u.first, rows_.basis()));
      const ProductParameters& parameters = parameters_->product[i];
      const bool last = i + 1 == u.active.size();
      const Matrix output = u.output.size() > 0 ? u.output : problem_.targets;
      const Matrix affine = last ? output : Matrix(u.active[i + 1] - u.slack[i + 1]);
      const Index inner = u.active[i].rows();
      const Matrix block =
          rank_block(u.layers[i + 1].weights, i == 0 ? u.active[0] : u.active_in[i],
                     affine.colwise() - u.layers[i + 1].bias, Matrix::Identity(inner, inner), parameters.x,
                     parameters_->values(i), parameters.left(), parameters.right(problem_.samples()));
      image_.block_left[i] = block.leftCols(problem_.samples());
      image_.block_right[i] = block.rightCols(inner);
      if (!last) continue;
      image_.output() = output;
      image_.share_output({0, problem_.samples()});
    }
    return stack(image_);
  }

  template <class Visit>
  void for_each_copy(const Copies& copies, Visit&& visit) const {
    const Penalties unit{1, 1, 1};
    for_each_copy(copies, unit, visit);
  }

  /// Calls `visit(matrix, penalty)` for each family of copies.
  template <class Visit>
  void for_each_copy(const Copies& copies, const Penalties& penalties, Visit&& visit) const {
    for (std::size_t i = 0; i < copies.hidden_layers(); ++i) {
      visit(copies.active[i], penalties.pair);
      visit(copies.values[i], penalties.pair);
      visit(copies.slack[i], penalties.pair * (i == 0 ? 1 : 2));
      visit(copies.block_left[i], penalties.product);
      visit(copies.block_right[i], penalties.product);
    }
    if (!output_is_copied(problem_)) return;
    for (const Copies::Part& output : copies.outputs) visit(output, penalties.output);
  }

  Vector stack(const Copies& copies) const {
    Index size = 0;
    for_each_copy(copies, [&](const Copies::Part& part, double) { size += part.size(); });
    Vector stacked(size);
    Index at = 0;
    for_each_copy(copies, [&](const Copies::Part& part, double) {
      stacked.segment(at, part.size()) = part.reshaped();
      at += part.size();
    });
    return stacked;
  }

  Vector penalty_vector(const Penalties& penalties) const {
    Vector weights(constant_.size());
    Index at = 0;
    for_each_copy(image_, penalties, [&](const Copies::Part& part, double penalty) {
      weights.segment(at, part.size()).setConstant(penalty);
      at += part.size();
    });
    return weights;
  }

  const LiftedProblem& problem_;
  const RelaxationParameters* parameters_ = nullptr;
  Penalties penalties_;
  RowSpace rows_;
  Unknowns unknowns_;
  Copies image_;
  Index size_ = 0;
  Vector constant_, weights_, loss_target_;
  Matrix map_, weighted_map_;
  Eigen::LLT<Matrix> factor_;
};

}  // namespace

void check_general_scales(const LiftedProblem& problem) {
  if (!problem.weight_terms.empty()) {
    throw std::invalid_argument(
        "reweighting: general scales V1, V2 do not go with constraints or regularizers on weights");
  }
  if (problem.network.skip_connections) {
    throw std::invalid_argument("skip connections: general scales V1, V2 (reweighting) expect none");
  }
  if (problem.network.activation != Activation::relu) {
    throw std::invalid_argument(fmt::format("activation: {}, general scales V1, V2 (reweighting) expect relu",
                                            to_string(problem.network.activation)));
  }
  const Index size = Unknowns(problem, problem.network.widths[0] + (problem.bias ? 1 : 0)).size();
  if (size <= kLargestSystem) return;
  throw std::invalid_argument(
      fmt::format("reweighting: general scales V1, V2 need a dense system of {} unknowns, at most {} are supported",
                  size, kLargestSystem));
}

std::unique_ptr<AffineStep> make_dense_affine_step(const LiftedProblem& problem) {
  check_general_scales(problem);
  return std::make_unique<DenseAffineStep>(problem);
}

}  // namespace relufit
