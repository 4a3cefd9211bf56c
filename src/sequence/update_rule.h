/// \file
/// The strategies behind one interface: what the outer loop asks between two convex problems.
#pragma once

#include <memory>

#include "relufit/sequence.h"

namespace relufit {

/// One convex problem of the sequence.
struct Relaxation {
  RelaxationParameters parameters;
  RelaxationWeights weights;
};

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;

  /// Makes the solution of `relaxation`, the problem just solved, into the next problem. Returns the point where the
  /// sequence is: the solution, or one kept from before where the solution is refused.
  virtual const LiftedPoint& update(const LiftedPoint& solution, Relaxation& relaxation) = 0;

  /// What it knows beside the relaxation.
  virtual void visit_state(StateVisitor& visitor) = 0;
};

/// The rule of options.strategy. Sets what it starts with in `first`. Throws std::invalid_argument for a problem too
/// large for reweighting.
std::unique_ptr<UpdateRule> make_update_rule(const LiftedProblem& problem, const SequenceOptions& options,
                                             Relaxation& first);

}  // namespace relufit
