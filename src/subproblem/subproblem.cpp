#include "relufit/subproblem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "base/parallel.h"
#include "checkpoint/state_visitor.h"
#include "linear_algebra/products.h"
#include "subproblem/affine/affine_step.h"
#include "subproblem/anderson.h"
#include "subproblem/copies/point_blocks.h"
#include "subproblem/proximal/proximal_step.h"
#include "subproblem/residuals.h"

namespace relufit {

const char* to_string(SubproblemStatus status) {
  switch (status) {
    case SubproblemStatus::converged:
      return "converged";
    case SubproblemStatus::iteration_limit:
      return "iteration limit";
    case SubproblemStatus::interrupted:
      return "interrupted";
  }
  return "unknown";
}

namespace {

void check_positive(double value, const char* name) {
  if (!(std::isfinite(value) && value > 0)) {
    throw std::invalid_argument(fmt::format("{}: {}, expected a number > 0", name, value));
  }
}

void check(const RelaxationWeights& weights) {
  check_positive(weights.pair, "weights.pair");
  check_positive(weights.product, "weights.product");
}

void check(const Penalties& penalties, int threads) {
  check_positive(penalties.pair, "penalties.pair");
  check_positive(penalties.product, "penalties.product");
  check_positive(penalties.output, "penalties.output");
  check_positive(penalties.weight, "penalties.weight");
  if (threads < 1) throw std::invalid_argument(fmt::format("threads: {}, expected at least 1", threads));
}

void check(const SubproblemOptions& options) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  if (!(options.tolerance >= 0)) fail(fmt::format("tolerance: {}, expected a number >= 0", options.tolerance));
  if (options.max_iterations < 1) fail(fmt::format("max_iterations: {}, expected at least 1", options.max_iterations));
  if (options.check_interval < 1) fail(fmt::format("check_interval: {}, expected at least 1", options.check_interval));
  if (!(options.over_relaxation > 0 && options.over_relaxation < 2)) {
    fail(fmt::format("over_relaxation: {}, expected a number in (0, 2)", options.over_relaxation));
  }
}

}  // namespace

class SubproblemSolver::Impl {
 public:
  static constexpr Index kAndersonMemory = 10;
  static constexpr Index kLargestAccelerated = 200000;

  Impl(const LiftedProblem& problem, const RelaxationWeights& weights, const Penalties& penalties, int threads)
      : problem_(problem),
        weights_(weights),
        penalties_(penalties),
        units_(problem.activation),
        chunks_(Chunks::of(problem)),
        workers_(threads),
        structured_(problem.hidden_layers() > 0 ? make_structured_affine_step(problem_, chunks_, workers_.size())
                                                : make_linear_affine_step(problem_, chunks_, workers_.size())),
        affine_(structured_.get()),
        state_(problem),
        point_(zero_point(problem)),
        reflected_(problem, point_),
        proximal_(problem_, state_, chunks_),
        norms_(chunks_, ResidualSums().numbers().size()),
        anderson_(state_.data().size(), state_.data().size() <= kLargestAccelerated ? kAndersonMemory : 0) {
    for (Index i = 0; i < workers_.size(); ++i) images_.push_back(std::make_unique<Copies>(problem, Chunks::block));
    proximal_.prepare(nullptr, weights_, penalties_);
    take_over_point();
  }

  void set_relaxation(const RelaxationParameters& parameters, const RelaxationWeights& weights) {
    check(parameters, problem_);
    own_parameters_ = parameters;
    refer_to(own_parameters_, weights);
  }

  void refer_to(const RelaxationParameters& parameters, const RelaxationWeights& weights) {
    check(weights);
    weights_ = weights;
    parameters_ = &parameters;
    const bool general = has_general_scales();
    if (general && !dense_) dense_ = make_dense_affine_step(problem_);
    affine_ = general ? dense_.get() : structured_.get();
    prepare([&](const Block& block) { set_blocks(block, true); });
    set_right_blocks(true);
    if (!general) proximal_.set_thresholds(state_);
  }

  void set_point(const LiftedPoint& point) {
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

  SubproblemResult solve(const SubproblemOptions& options) {
    check(options);
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

  const LiftedPoint& point() const { return point_; }
  const RelaxationWeights& weights() const { return weights_; }

  std::vector<Layer> network() const {
    std::vector<Layer> layers = point_.layers;
    for (std::size_t i = 0; i < state_.weights.size(); ++i) {
      layers[term_layer(i)].weights = proximal_.weights(state_, i);
    }
    for (std::size_t l = 0; l < layers.size(); ++l) {
      project_onto_constraints(problem_.weight_terms, static_cast<Index>(l) + 1, layers[l].weights);
    }
    return layers;
  }
  const Penalties& penalties() const { return penalties_; }

  /// What is not visited follows from what is, or is made anew by the next iteration.
  void visit_state(StateVisitor& visitor, const RelaxationParameters& parameters, const RelaxationWeights& weights) {
    visitor(iterations_, penalties_.pair, penalties_.product, penalties_.output, penalties_.weight);
    if (visitor.restores()) refer_to(parameters, weights);
    visit_copies(visitor, state_.data());
    if (visitor.restores()) {
      prepare([](const Block&) {});
      proximal_.set_thresholds(state_);
    }
    anderson_.visit_state(visitor, [&](Eigen::Ref<Vector> vector) { visit_copies(visitor, vector); });
  }

 private:
  /// One iteration of the method. Each half of it passes once over the samples, a block of them at a time, with what is
  /// summed over them for the next. Where `checking`, measures residuals and keeps the unknowns.
  void iterate(const SubproblemOptions& options, bool checking) {
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

  /// Calls begin(chunk), then work(block) for its blocks in order; chunks by several threads.
  template <class Begin, class Work>
  void for_each_block_of_samples(Begin&& begin, Work&& work) {
    workers_.run(chunks_.count(), [&](Index chunk, Index worker) {
      begin(chunk);
      for_each_block(chunks_[chunk], [&](Range samples) { work(Block{samples, chunk, worker}); });
    });
  }

  bool has_general_scales() const {
    return parameters_ != nullptr &&
           std::any_of(parameters_->product.begin(), parameters_->product.end(),
                       [](const ProductParameters& product) { return product.has_matrices(); });
  }

  void start_at_zero() {
    own_parameters_ = parameters_at(zero_point(problem_));
    parameters_ = &own_parameters_;
    prepare([](const Block&) {});
    proximal_.set_thresholds(state_);
  }

  /// The current point becomes the state, without multipliers.
  void take_over_point() {
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

  /// The rank blocks of the current point under the current parameters become the state, on a block of samples. Where
  /// asked with their multipliers so far, state - z = (I - T) state = (state - reflected) / 2.
  void set_blocks(const Block& block, bool keep_multipliers) {
    if (has_general_scales()) return;  // set_right_blocks does it: V2 couples the samples
    const LiftedPoint part = samples_of(point_, block.begin, block.size);
    for (std::size_t i = 0; i < state_.hidden_layers(); ++i) {
      auto state = state_.block_left[i].middleCols(block.begin, block.size);
      subtract_reflected(i, state, images_[static_cast<std::size_t>(block.worker)]->block_left[i].leftCols(block.size),
                         keep_multipliers);
      add_left_block(part, i, product_parameters(i), block, state);
    }
  }

  /// Likewise the parts whose columns are not samples; under general scales all.
  void set_right_blocks(bool keep_multipliers) {
    const bool general = has_general_scales();
    for (std::size_t i = 0; i < state_.hidden_layers(); ++i) {
      subtract_reflected(i, state_.block_right[i], images_.front()->block_right[i], keep_multipliers);
      add_right_block(point_, i, product_parameters(i), state_.block_right[i]);
      if (!general) continue;
      subtract_reflected(i, state_.block_left[i], reflected_.block_left[i], keep_multipliers);
      add_general_left_block(point_, i, parameters_->product[i], state_.block_left[i]);
    }
    if (general) update_thresholds();
  }

  /// Null where there are none yet.
  const ProductParameters* product_parameters(std::size_t i) const {
    return parameters_ == nullptr ? nullptr : &parameters_->product[i];
  }

  /// state = (state - reflected) / 2, or zero.
  void subtract_reflected(std::size_t i, Eigen::Ref<Matrix> state, Eigen::Ref<Matrix> reflected,
                          bool keep_multipliers) {
    if (!keep_multipliers) {
      state.setZero();
      return;
    }
    set_product(reflected, proximal_.reflection(i), state);
    state = 0.5 * (state - reflected);
  }

  /// For new parameters or penalties. also(block) for all blocks of samples, whose rank blocks are summed up after it.
  template <class Also>
  void prepare(Also&& also) {
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

  void reset_acceleration() {
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

  std::size_t term_layer(std::size_t term) const {
    return static_cast<std::size_t>(problem_.weight_terms[term].layer) - 1;
  }

  void update_thresholds() {
    for_each_block_of_samples([&](Index chunk) { proximal_.clear(chunk); },
                              [&](const Block& block) { proximal_.accumulate(state_, block); });
    proximal_.set_thresholds(state_);
  }

  /// state += alpha (image - z) with z = (state + reflected) / 2
  void relax(const Copies& image, Range block, double alpha) {
    const auto visit = [&](Family, bool by_sample, auto& state, const auto& reflected, const auto& part) {
      if (!by_sample) return;
      const auto columns = [&](auto& of) { return of.middleCols(block.begin, block.size); };
      columns(state) += alpha * (part.leftCols(block.size) - 0.5 * (columns(state) + columns(reflected)));
    };
    for_each_part(output_is_copied(problem_), visit, state_, reflected_, image);
  }
  void relax_shared(const Copies& image, double alpha) {
    const auto visit = [&](Family, bool by_sample, auto& state, const auto& reflected, const auto& part) {
      if (!by_sample) state += alpha * (part - 0.5 * (state + reflected));
    };
    for_each_part(output_is_copied(problem_), visit, state_, reflected_, image);
  }

  /// Anderson's vectors have the parts of the copies.
  void visit_copies(StateVisitor& visitor, Eigen::Ref<Vector> vector) {
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

  void measure(const Copies& image, const Block& block);
  void keep(const Copies& image, const Block& block);
  void measure_shared(const Copies& image);
  Residuals measure();
  void adapt(const Residuals& residuals);

  LiftedProblem problem_;
  RelaxationWeights weights_;
  Penalties penalties_;
  const RelaxationParameters* parameters_ = nullptr;  // none yet: those at the zero point
  RelaxationParameters own_parameters_;               // where they were to be copied
  UnitCopies units_;
  Chunks chunks_;
  Workers workers_;
  std::unique_ptr<AffineStep> structured_, dense_;
  AffineStep* affine_;
  Copies state_;
  LiftedPoint point_;
  Copies reflected_;                             // its pairs lie in the point's, which is none while iterating
  std::vector<std::unique_ptr<Copies>> images_;  // one block of samples per thread
  ProximalStep proximal_;
  Index iterations_ = 0;  // of a solve() that goes on
  ChunkSums norms_;       // ResidualSums
  ResidualSums shared_norms_;
  Anderson anderson_;
  Vector metric_;  // penalty of every copy
  Vector previous_state_;
};

void SubproblemSolver::Impl::measure(const Copies& image, const Block& block) {
  ResidualSums sums;
  add_norms(output_is_copied(problem_), state_, reflected_, image, block, sums);
  norms_[block.chunk] += sums.numbers();
}

// The unknowns of a block take the place of its reflections, which have served.
void SubproblemSolver::Impl::keep(const Copies& image, const Block& block) {
  const auto copy = [&](const Copies::Part& from, Matrix& to) {
    to.middleCols(block.begin, block.size) = from.leftCols(block.size);
  };
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

SubproblemSolver::SubproblemSolver(const LiftedProblem& problem, const RelaxationWeights& weights,
                                   const Penalties& penalties, int threads) {
  check(problem);
  check(weights);
  check(penalties, threads);
  impl_ = std::make_unique<Impl>(problem, weights, penalties, threads);
}
SubproblemSolver::~SubproblemSolver() = default;
SubproblemSolver::SubproblemSolver(SubproblemSolver&&) noexcept = default;
SubproblemSolver& SubproblemSolver::operator=(SubproblemSolver&&) noexcept = default;

void SubproblemSolver::set_parameters(const RelaxationParameters& parameters) {
  impl_->set_relaxation(parameters, impl_->weights());
}
void SubproblemSolver::set_relaxation(const RelaxationParameters& parameters, const RelaxationWeights& weights) {
  impl_->set_relaxation(parameters, weights);
}
void SubproblemSolver::refer_to(const RelaxationParameters& parameters, const RelaxationWeights& weights) {
  impl_->refer_to(parameters, weights);
}
void SubproblemSolver::set_point(const LiftedPoint& point) { impl_->set_point(point); }
SubproblemResult SubproblemSolver::solve(const SubproblemOptions& options) { return impl_->solve(options); }
const LiftedPoint& SubproblemSolver::point() const { return impl_->point(); }
std::vector<Layer> SubproblemSolver::network() const { return impl_->network(); }
const Penalties& SubproblemSolver::penalties() const { return impl_->penalties(); }
void SubproblemSolver::visit_state(StateVisitor& visitor, const RelaxationParameters& parameters,
                                   const RelaxationWeights& weights) {
  impl_->visit_state(visitor, parameters, weights);
}

}  // namespace relufit
