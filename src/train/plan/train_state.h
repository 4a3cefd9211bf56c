/// \file
/// What a training has chosen, as a checkpoint keeps it.
#pragma once

#include "relufit/polish.h"
#include "relufit/train_options.h"
#include "sequence/sequence_state.h"

namespace relufit {

inline void visit_state(StateVisitor& visitor, RidgeChoice& choice) {
  visitor(choice.ridge, choice.ridges, choice.held_out, choice.standard_error, choice.parts, choice.by_validation);
}

inline void visit_state(StateVisitor& visitor, WidthChoice& choice) {
  visitor(choice.width, choice.widths, choice.held_out, choice.ridge);
}

inline void visit_state(StateVisitor& visitor, PolishResult& result) {
  visitor(result.layers, result.before, result.after, result.iterations, result.interrupted);
}

inline bool is_cut_short(const PolishResult& result) { return result.interrupted; }

}  // namespace relufit
