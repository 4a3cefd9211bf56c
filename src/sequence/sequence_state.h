/// \file
/// What a sequence has found, as a checkpoint keeps it.
#pragma once

#include "problem/lift_state.h"
#include "relufit/sequence.h"

namespace relufit {

inline void visit_state(StateVisitor& visitor, SequenceRecord& record) {
  visitor(record.iteration, record.objective, record.merit, record.loss, record.pair, record.product, record.fit,
          record.inner_iterations, record.seconds);
}

/// All but the last solution, which training does not ask for.
inline void visit_state(StateVisitor& visitor, SequenceResult& result) {
  visitor(result.status, result.violations, result.best_layers, result.best_value, result.polish_iterations,
          result.trace);
}

inline bool is_cut_short(const SequenceResult& result) {
  return result.status == SequenceStatus::time_limit || result.status == SequenceStatus::interrupted;
}

}  // namespace relufit
