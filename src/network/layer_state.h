/// \file
/// The state of layers, as a checkpoint keeps it.
#pragma once

#include "checkpoint/state_visitor.h"
#include "relufit/network.h"

namespace relufit {

inline void visit_state(StateVisitor& visitor, Layer& layer) { visitor(layer.weights, layer.bias); }

}  // namespace relufit
