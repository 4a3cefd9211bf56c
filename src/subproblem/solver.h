/// \file
/// The splitting method that solves one subproblem: its unknowns and the parts that work on them. What it iterates
/// stands in iteration.cpp, what new parameters, points and penalties make of its state in state.cpp.
#pragma once

#include <memory>
#include <vector>

#include "parallel/workers.h"
#include "relufit/subproblem.h"
#include "subproblem/affine/affine_step.h"
#include "subproblem/anderson.h"
#include "subproblem/proximal/proximal_step.h"
#include "subproblem/residuals.h"

namespace relufit {

class SubproblemSolver::Impl {
 public:
  Impl(const LiftedProblem& problem, const RelaxationWeights& weights, const Penalties& penalties, int threads);

  void set_relaxation(const RelaxationParameters& parameters, const RelaxationWeights& weights);
  void refer_to(const RelaxationParameters& parameters, const RelaxationWeights& weights);
  void set_point(const LiftedPoint& point);
  SubproblemResult solve(const SubproblemOptions& options);

  LiftedPoint& point() { return point_; }
  const RelaxationWeights& weights() const { return weights_; }
  const Penalties& penalties() const { return penalties_; }
  std::vector<Layer> network() const;

  /// What is not visited follows from what is, or is made anew by the next iteration.
  void visit_state(StateVisitor& visitor, const RelaxationParameters& parameters, const RelaxationWeights& weights);

 private:
  // iteration.cpp

  /// One iteration of the method. Each half of it passes once over the samples, a block of them at a time, with what is
  /// summed over them for the next. Where `checking`, measures residuals and keeps the unknowns.
  void iterate(const SubproblemOptions& options, bool checking);

  /// state += alpha (image - z) with z = (state + reflected) / 2
  void relax(const Copies& image, Range block, double alpha);
  void relax_shared(const Copies& image, double alpha);

  void measure(const Copies& image, const Block& block);
  void measure_shared(const Copies& image);
  Residuals measure();

  /// The unknowns of a block take the place of its reflections, which have served.
  void keep(const Copies& image, const Block& block);

  // state.cpp

  void start_at_zero();

  /// The current point becomes the state, without multipliers.
  void take_over_point();

  /// The rank blocks of the current point under the current parameters become the state, on a block of samples. Where
  /// asked with their multipliers so far, state - z = (I - T) state = (state - reflected) / 2.
  void set_blocks(const Block& block, bool keep_multipliers);

  /// Likewise the parts whose columns are not samples; under general scales all.
  void set_right_blocks(bool keep_multipliers);

  /// state = (state - reflected) / 2, or zero.
  void subtract_reflected(std::size_t i, Eigen::Ref<Matrix> state, Eigen::Ref<Matrix> reflected, bool keep_multipliers);

  /// For new parameters or penalties. also(block) for all blocks of samples, whose rank blocks are summed up after it.
  template <class Also>
  void prepare(Also&& also);

  /// Penalties that balance these residuals; the multipliers stay.
  void adapt(const Residuals& residuals);
  void reset_acceleration();
  void update_thresholds();

  /// Anderson's vectors have the parts of the copies.
  void visit_copies(StateVisitor& visitor, Eigen::Ref<Vector> vector);

  // both

  /// Calls begin(chunk), then work(block) for its blocks in order; chunks by several threads.
  template <class Begin, class Work>
  void for_each_block_of_samples(Begin&& begin, Work&& work) {
    workers_.run(chunks_.count(), [&](Index chunk, Index worker) {
      begin(chunk);
      for_each_block(chunks_[chunk], [&](Range samples) { work(Block{samples, chunk, worker}); });
    });
  }

  bool has_general_scales() const;

  std::size_t term_layer(std::size_t term) const {
    return static_cast<std::size_t>(problem_.weight_terms[term].layer) - 1;
  }

  const LiftedProblem& problem_;
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

}  // namespace relufit
