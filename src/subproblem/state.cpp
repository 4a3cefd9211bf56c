#include <algorithm>

#include "checkpoint/state_visitor.h"
#include "linear_algebra/products.h"
#include "subproblem/copies/point_blocks.h"
#include "subproblem/solver.h"

namespace relufit {

namespace {

/// Steps that Anderson acceleration remembers, of `size` entries each. More take fewer iterations, and where they leave
/// the cache cost more than that saves.
Index anderson_memory(Index size) {
  constexpr Index kInCache = 6000;
  constexpr Index kLargest = 200000;
  if (size > kLargest) return 0;
  return size <= kInCache ? 15 : 10;
}

}  // namespace

SubproblemSolver::Impl::Impl(const LiftedProblem& problem, const RelaxationWeights& weights, const Penalties& penalties,
                             int threads)
    : problem_(problem),
      weights_(weights),
      penalties_(penalties),
      units_(problem.network.activation),
      chunks_(Chunks::of(problem)),
      workers_(threads),
      structured_(problem.network.hidden_layers() > 0 ? make_structured_affine_step(problem_, chunks_, workers_.size())
                                                      : make_linear_affine_step(problem_, chunks_, workers_.size())),
      affine_(structured_.get()),
      state_(problem),
      point_(zero_point(problem)),
      reflected_(problem, point_),
      proximal_(problem_, state_, chunks_),
      norms_(chunks_, ResidualSums().numbers().size()),
      anderson_(state_.data().size(), anderson_memory(state_.data().size())) {
  for (Index i = 0; i < workers_.size(); ++i) images_.push_back(std::make_unique<Copies>(problem, Chunks::block));
  proximal_.prepare(nullptr, weights_, penalties_);
  take_over_point();
}

template <class Also>
void SubproblemSolver::Impl::prepare(Also&& also) {
  affine_->set(*parameters_, penalties_);
  proximal_.prepare(parameters_, weights_, penalties_);
  const auto clear = [&](Index chunk) {
    affine_->clear(chunk);
    proximal_.clear(chunk);
  };
  for_each_block_of_samples(clear, [&](const Block& block) {
    affine_->accumulate_parameters(block);
    also(block);
    proximal_.accumulate(state_, block);
  });
  affine_->factorize();
  reset_acceleration();
}

void SubproblemSolver::Impl::set_relaxation(const RelaxationParameters& parameters, const RelaxationWeights& weights) {
  check(parameters, problem_);
  own_parameters_ = parameters;
  refer_to(own_parameters_, weights);
}

void SubproblemSolver::Impl::refer_to(const RelaxationParameters& parameters, const RelaxationWeights& weights) {
  weights_ = weights;
  parameters_ = &parameters;
  const bool general = has_general_scales();
  if (general && !dense_) dense_ = make_dense_affine_step(problem_);
  affine_ = general ? dense_.get() : structured_.get();
  prepare([&](const Block& block) { set_blocks(block, true); });
  set_right_blocks(true);
  if (!general) proximal_.set_thresholds(state_);
}

void SubproblemSolver::Impl::set_point(const LiftedPoint& point) {
  if (parameters_ == nullptr) start_at_zero();
  point_.layers = point.layers;
  for (std::size_t i = 0; i < state_.hidden_layers(); ++i) {
    reflected_.active[i] = point.active[i];  // the point's own
    reflected_.slack[i] = point.slack[i];
  }
  point_.linear = point.linear;
  point_.output = point.output;
  take_over_point();
}

void SubproblemSolver::Impl::visit_state(StateVisitor& visitor, const RelaxationParameters& parameters,
                                         const RelaxationWeights& weights) {
  visitor(iterations_, penalties_.pair, penalties_.product, penalties_.output, penalties_.weight);
  if (visitor.restores()) refer_to(parameters, weights);
  visit_copies(visitor, state_.data());
  if (visitor.restores()) {
    prepare([](const Block&) {});
    proximal_.set_thresholds(state_);
  }
  anderson_.visit_state(visitor, [&](Eigen::Ref<Vector> vector) { visit_copies(visitor, vector); });
}

bool SubproblemSolver::Impl::has_general_scales() const {
  return parameters_ != nullptr && std::any_of(parameters_->product.begin(), parameters_->product.end(),
                                               [](const ProductParameters& product) { return product.has_matrices(); });
}

void SubproblemSolver::Impl::start_at_zero() {
  own_parameters_ = parameters_at(zero_point(problem_));
  parameters_ = &own_parameters_;
  prepare([](const Block&) {});
  proximal_.set_thresholds(state_);
}

void SubproblemSolver::Impl::take_over_point() {
  for (std::size_t i = 0; i < state_.hidden_layers(); ++i) {
    state_.active[i] = point_.active[i];
    if (state_.values[i].size() > 0) state_.values[i] = point_.values(i);
    state_.slack[i] = point_.slack[i];
    if (state_.linear[i].size() > 0) state_.linear[i] = point_.linear[i];
  }
  state_.output() = point_.output;
  state_.share_output({0, problem_.samples()});
  for (std::size_t i = 0; i < state_.weights.size(); ++i) state_.weights[i] = point_.layers[term_layer(i)].weights;
  for_each_block_of_samples([](Index) {}, [&](const Block& block) { set_blocks(block, false); });
  set_right_blocks(false);
  update_thresholds();
}

void SubproblemSolver::Impl::set_blocks(const Block& block, bool keep_multipliers) {
  if (has_general_scales()) return;  // set_right_blocks does it: V2 couples the samples
  const LiftedPoint part = samples_of(point_, block.begin, block.size);
  for (std::size_t i = 0; i < state_.hidden_layers(); ++i) {
    auto state = state_.block_left[i].middleCols(block.begin, block.size);
    subtract_reflected(i, state, images_[static_cast<std::size_t>(block.worker)]->block_left[i].leftCols(block.size),
                       keep_multipliers);
    add_left_block(part, i, parameters_, block, state);
  }
}

void SubproblemSolver::Impl::set_right_blocks(bool keep_multipliers) {
  const bool general = has_general_scales();
  for (std::size_t i = 0; i < state_.hidden_layers(); ++i) {
    subtract_reflected(i, state_.block_right[i], images_.front()->block_right[i], keep_multipliers);
    add_right_block(point_, i, parameters_, state_.block_right[i]);
    if (!general) continue;
    subtract_reflected(i, state_.block_left[i], reflected_.block_left[i], keep_multipliers);
    add_general_left_block(point_, i, *parameters_, state_.block_left[i]);
  }
  if (general) update_thresholds();
}

void SubproblemSolver::Impl::subtract_reflected(std::size_t i, Eigen::Ref<Matrix> state, Eigen::Ref<Matrix> reflected,
                                                bool keep_multipliers) {
  if (!keep_multipliers) {
    state.setZero();
    return;
  }
  set_product(reflected, proximal_.reflection(i), state);
  state = 0.5 * (state - reflected);
}

void SubproblemSolver::Impl::reset_acceleration() {
  if (!anderson_.active()) return;
  anderson_.reset();
  metric_.setConstant(state_.data().size(), penalties_.pair);
  const auto set = [&](const Copies::Part& part, double penalty) {
    metric_.segment(part.data() - state_.data().data(), part.size()).setConstant(penalty);
  };
  for (std::size_t i = 0; i < state_.hidden_layers(); ++i) {
    if (state_.values[i].size() > 0) {
      set(state_.values[i], penalties_.pair * units_.value_penalty());
      set(state_.active[i], penalties_.pair * units_.active_penalty());
      set(state_.slack[i], penalties_.pair * units_.slack_penalty());
    }
    // That of copies of P is rho_h itself.
    set(state_.block_left[i], penalties_.product);
    set(state_.block_right[i], penalties_.product);
  }
  for (const Copies::Part& output : state_.outputs) set(output, penalties_.output);
  for (const Copies::Part& weights : state_.weights) set(weights, weight_penalty(problem_, penalties_));
}

void SubproblemSolver::Impl::update_thresholds() {
  for_each_block_of_samples([&](Index chunk) { proximal_.clear(chunk); },
                            [&](const Block& block) { proximal_.accumulate(state_, block); });
  proximal_.set_thresholds(state_);
}

void SubproblemSolver::Impl::visit_copies(StateVisitor& visitor, Eigen::Ref<Vector> vector) {
  const auto visit = [&](Family, bool by_sample, const Copies::Part& part) {
    Copies::Part values(vector.data() + (part.data() - state_.data().data()), part.rows(), part.cols());
    if (by_sample) {
      visitor.samples(values);
    } else {
      visitor(values);
    }
  };
  for_each_part(true, visit, state_);
}

void SubproblemSolver::Impl::adapt(const Residuals& residuals) {
  const Penalties next = residuals.balanced(penalties_);
  if (next.pair == penalties_.pair && next.product == penalties_.product && next.output == penalties_.output &&
      next.weight == penalties_.weight) {
    return;
  }
  for_each_block_of_samples([](Index) {}, [&](const Block& block) { proximal_.reflect(state_, block, reflected_); });
  proximal_.reflect_shared(state_, reflected_);
  // The multipliers rho (state - z) stay: state = z + (old rho / new rho) (state - z).
  const auto rescale = [&](Family family, bool, auto& state, const auto& reflected) {
    const double factor = of(penalties_, family) / of(next, family);
    state = 0.5 * (1 + factor) * state + 0.5 * (1 - factor) * reflected;
  };
  for_each_part(output_is_copied(problem_), rescale, state_, reflected_);
  penalties_ = next;
  prepare([](const Block&) {});
  proximal_.set_thresholds(state_);
}

}  // namespace relufit
