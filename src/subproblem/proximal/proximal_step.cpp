#include "subproblem/proximal/proximal_step.h"

#include "linear_algebra/products.h"
#include "problem/sample_sums.h"
#include "subproblem/proximal/output_prox.h"
#include "subproblem/proximal/pair_prox.h"

namespace relufit {

ProximalStep::ProximalStep(const LiftedProblem& problem, const Copies& state, const Chunks& chunks)
    : problem_(problem), chunks_(chunks), units_(problem.network.activation) {
  for (std::size_t i = 0; i < state.hidden_layers(); ++i) {
    const Index rows = state.block_left[i].rows();
    thresholds_.emplace_back(rows);
    reflections_.push_back(Matrix::Zero(rows, rows));
    grams_.push_back(Matrix::Zero(rows, rows));
    partial_grams_.emplace_back(chunks, rows * rows);
  }
}

void ProximalStep::prepare(const RelaxationParameters* parameters, const RelaxationWeights& weights,
                           const Penalties& penalties) {
  parameters_ = parameters;
  weights_ = weights;
  penalties_ = penalties;
  if (parameters == nullptr) return;
  uniform_scales_.resize(parameters->pair.size());
  for (std::size_t i = 0; i < uniform_scales_.size(); ++i) {
    const PairParameters& pair = parameters->pair[i];
    uniform_scales_[i].setConstant(Chunks::block * pair.x.rows(), pair.scale(0));
  }
}

const double* ProximalStep::scales(std::size_t i, Index offset) const {
  const Matrix& scale = parameters_->pair[i].scale;
  return scale.size() == 1 ? uniform_scales_[i].data() : scale.data() + offset;
}

void ProximalStep::clear(Index chunk) {
  for (ChunkSums& grams : partial_grams_) grams.clear(chunk);
}

void ProximalStep::accumulate(const Copies& state, const Block& block) {
  for (std::size_t i = 0; i < state.hidden_layers(); ++i) {
    const auto columns = state.block_left[i].middleCols(block.begin, block.size);
    Eigen::Map<Matrix> gram(partial_grams_[i].data(block.chunk), columns.rows(), columns.rows());
    add_lower_gram(gram, columns);
  }
}

void ProximalStep::set_thresholds(const Copies& state) {
  for (std::size_t i = 0; i < state.hidden_layers(); ++i) {
    set_product(grams_[i], state.block_right[i], state.block_right[i].transpose());
    grams_[i].reshaped() += partial_grams_[i].total();
    set_threshold(state, i);
  }
}

void ProximalStep::set_threshold(const Copies& state, std::size_t i) {
  const double tau = weights_.product / penalties_.product;
  if (!thresholds_[i].set_from_gram(grams_[i], tau)) {
    const auto rows = [&](Range samples) {
      return Matrix(state.block_left[i].middleCols(samples.begin, samples.size).transpose());
    };
    const Matrix left = triangle_over(chunks_, grams_[i].rows(), rows).transpose();
    thresholds_[i].set_from_block(left, state.block_right[i], tau);
  }
  reflections_[i] = 2 * thresholds_[i].matrix();
  reflections_[i].diagonal().array() -= 1;
}

void ProximalStep::reflect(const Copies& state, Range block, Copies& reflected) const {
  for (std::size_t i = 0; i < state.hidden_layers(); ++i) {
    if (state.values[i].size() == 0 && !project_pairs_) {
      reflect_shared_pairs(state, i, block, reflected);
    } else {
      reflect_pairs(state, i, block, reflected);
    }
    set_product(reflected.block_left[i].middleCols(block.begin, block.size), reflections_[i],
                state.block_left[i].middleCols(block.begin, block.size));
  }
  if (output_is_copied(problem_)) reflect_output(state, block, reflected);
}

void ProximalStep::reflect_shared(const Copies& state, Copies& reflected) const {
  for (std::size_t i = 0; i < state.hidden_layers(); ++i) {
    set_product(reflected.block_right[i], reflections_[i], state.block_right[i]);
  }
  for (std::size_t i = 0; i < state.weights.size(); ++i) {
    reflected.weights[i] = weights(state, i);
    reflected.weights[i] = 2 * reflected.weights[i] - state.weights[i];
  }
}

// The pairs whose H serves both sides, in one pass.
void ProximalStep::reflect_shared_pairs(const Copies& state, std::size_t i, Range block, Copies& reflected) const {
  const PairParameters& pair = parameters_->pair[i];
  const Index rows = state.active[i].rows();
  const auto at = [&](auto& part) { return part.data() + block.begin * rows; };
  reflect_relu_pairs(block.size * rows, weights_.pair / penalties_.pair, at(state.active[i]), at(state.slack[i]),
                     at(pair.x), at(pair.y), scales(i, block.begin * rows), at(reflected.active[i]),
                     at(reflected.slack[i]));
}

void ProximalStep::reflect_pairs(const Copies& state, std::size_t i, Range block, Copies& reflected) const {
  const auto columns = [&](auto&& matrix) { return matrix.middleCols(block.begin, block.size); };
  auto h = columns(reflected.active[i]);
  auto s = columns(reflected.slack[i]);
  const bool shared = state.values[i].size() == 0;
  if (shared) {
    h = columns(state.active[i]);
    s = columns(state.slack[i]);
  } else {
    units_.merge(columns(state.active[i]), columns(state.slack[i]), linear_of(state, i, block),
                 columns(state.values[i]), h, s);
  }
  const PairParameters& pair = parameters_->pair[i];
  const Index offset = block.begin * h.rows();
  if (project_pairs_) {
    project_relu_pairs(h.size(), h.data(), s.data(), h.data(), s.data());
  } else {
    const double penalty = penalties_.pair * (shared ? 1 : 2);
    prox_relu_pairs(h.size(), weights_.pair / penalty, h.data(), s.data(), pair.x.data() + offset,
                    pair.y.data() + offset, scales(i, offset), h.data(), s.data());
  }
  if (!shared) {
    const auto linear = linear_of(state, i, block);
    auto p = linear_of(reflected, i, block);
    if (p.size() > 0) units_.merge_linear(h, s, linear, columns(state.values[i]), p);
    auto values = columns(reflected.values[i]);
    units_.evaluate(h, s, p, values);
    values = 2 * values - columns(state.values[i]);
    p = 2 * p - linear;
  }
  h = 2 * h - columns(state.active[i]);
  s = 2 * s - columns(state.slack[i]);
}

void ProximalStep::reflect_output(const Copies& state, Range block, Copies& reflected) const {
  for (std::size_t i = 0; i < state.outputs.size(); ++i) {
    const auto in = state.outputs[i].middleCols(block.begin, block.size);
    auto out = reflected.outputs[i].middleCols(block.begin, block.size);
    if (i == 0) {
      prox_output(problem_, penalties_.output, block, in, out);
    } else {
      project_outputs(problem_.output_terms[i - 1], block, in, out);
    }
    out = 2 * out - in;
  }
}

Matrix ProximalStep::weights(const Copies& state, std::size_t term) const {
  Matrix copy = state.weights[term];
  apply_prox(problem_.weight_terms[term], 1 / weight_penalty(problem_, penalties_), copy);
  return copy;
}

}  // namespace relufit
