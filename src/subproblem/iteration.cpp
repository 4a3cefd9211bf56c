#include <algorithm>
#include <utility>

#include "linear_algebra/products.h"
#include "subproblem/solver.h"

namespace relufit {

SubproblemResult SubproblemSolver::Impl::solve(const SubproblemOptions& options) {
  if (parameters_ == nullptr) start_at_zero();
  proximal_.project_pairs(options.project_pairs);
  SubproblemResult result;
  result.iterations = std::exchange(iterations_, 0);
  while (result.iterations < options.max_iterations) {
    const bool stop = options.should_stop && options.should_stop();
    if (options.keep_state && (stop || result.iterations % options.check_interval == 0)) {
      iterations_ = result.iterations;
      options.keep_state(stop);
      iterations_ = 0;
    }
    const bool last = stop || result.iterations + 1 == options.max_iterations;
    const bool checking = last || (result.iterations + 1) % options.check_interval == 0;
    iterate(options, checking);
    ++result.iterations;
    if (!checking) continue;
    const Residuals residuals = measure();
    result.primal_residual = residuals.primal();
    result.dual_residual = residuals.dual();
    if (std::max(result.primal_residual, result.dual_residual) <= options.tolerance) {
      result.status = SubproblemStatus::converged;
      break;
    }
    if (stop) {
      result.status = SubproblemStatus::interrupted;
      break;
    }
    if (options.adapt_penalties && !last) adapt(residuals);
  }
  point_.layers = affine_->layers();
  return result;
}

void SubproblemSolver::Impl::iterate(const SubproblemOptions& options, bool checking) {
  const bool accelerate = options.accelerate && anderson_.active();
  for_each_block_of_samples([&](Index chunk) { affine_->clear(chunk); },
                            [&](const Block& block) {
                              proximal_.reflect(state_, block, reflected_);
                              affine_->accumulate(reflected_, block);
                            });
  proximal_.reflect_shared(state_, reflected_);
  affine_->solve(reflected_);

  if (accelerate) previous_state_ = state_.data();
  const auto clear = [&](Index chunk) {
    proximal_.clear(chunk);
    norms_.clear(chunk);
  };
  for_each_block_of_samples(clear, [&](const Block& block) {
    Copies& image = *images_[static_cast<std::size_t>(block.worker)];
    affine_->recover(reflected_, block, image);
    if (checking) measure(image, block);
    relax(image, block, options.over_relaxation);
    if (checking) keep(image, block);
    if (!accelerate) proximal_.accumulate(state_, block);
  });
  affine_->recover_shared(*images_.front());
  if (checking) measure_shared(*images_.front());
  relax_shared(*images_.front(), options.over_relaxation);
  if (accelerate) {
    anderson_.step(previous_state_, metric_, state_.data());
    update_thresholds();
  } else {
    proximal_.set_thresholds(state_);
  }
}

void SubproblemSolver::Impl::relax(const Copies& image, Range block, double alpha) {
  const auto visit = [&](Family, bool by_sample, auto& state, const auto& reflected, const auto& part) {
    if (!by_sample) return;
    auto to = entries(state, block);
    to += alpha * (entries(part, {0, block.size}) - 0.5 * (to + entries(reflected, block)));
  };
  for_each_part(output_is_copied(problem_), visit, state_, reflected_, image);
}

void SubproblemSolver::Impl::relax_shared(const Copies& image, double alpha) {
  const auto visit = [&](Family, bool by_sample, auto& state, const auto& reflected, const auto& part) {
    if (!by_sample) state += alpha * (part - 0.5 * (state + reflected));
  };
  for_each_part(output_is_copied(problem_), visit, state_, reflected_, image);
}

std::vector<Layer> SubproblemSolver::Impl::network() const {
  std::vector<Layer> layers = point_.layers;
  for (std::size_t i = 0; i < state_.weights.size(); ++i) {
    layers[term_layer(i)].weights = proximal_.weights(state_, i);
  }
  for (std::size_t l = 0; l < layers.size(); ++l) {
    project_onto_constraints(problem_.weight_terms, static_cast<Index>(l) + 1, layers[l].weights);
  }
  return layers;
}

void SubproblemSolver::Impl::measure(const Copies& image, const Block& block) {
  ResidualSums sums;
  add_norms(output_is_copied(problem_), state_, reflected_, image, block, sums);
  norms_[block.chunk] += sums.numbers();
}

void SubproblemSolver::Impl::keep(const Copies& image, const Block& block) {
  const auto copy = [&](const Copies::Part& from, Matrix& to) { entries(to, block) = entries(from, {0, block.size}); };
  for (std::size_t i = 0; i < image.hidden_layers(); ++i) {
    copy(image.active[i], point_.active[i]);
    copy(image.slack[i], point_.slack[i]);
    if (image.linear[i].size() > 0) copy(image.linear[i], point_.linear[i]);
  }
  copy(image.output(), point_.output);
}

void SubproblemSolver::Impl::measure_shared(const Copies& image) {
  shared_norms_ = {};
  add_shared_norms(output_is_copied(problem_), state_, reflected_, image, shared_norms_);
}

Residuals SubproblemSolver::Impl::measure() {
  ResidualSums total = shared_norms_;
  total.numbers() += norms_.total();
  return Residuals(total, penalties_, problem_.total_samples());
}

}  // namespace relufit
