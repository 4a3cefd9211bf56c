/// \file
/// The state of a relaxation and of a point, as a checkpoint keeps it.
#pragma once

#include "network/layer_state.h"
#include "relufit/relaxation.h"

namespace relufit {

inline void visit_state(StateVisitor& visitor, PairParameters& pair) {
  visitor.samples(pair.x);
  visitor.samples(pair.y);
  bool of_all = pair.scale.size() == 1;
  visitor(of_all);
  if (of_all) {
    visitor(pair.scale);
  } else {
    visitor.samples(pair.scale);
  }
}

/// V2, where it is given, is N x N: its columns are samples.
inline void visit_state(StateVisitor& visitor, ProductParameters& product) {
  visitor(product.x, product.left_scale, product.right_scale, product.left_matrix);
  visitor.samples(product.y);
  visitor.samples(product.right_matrix);
}

inline void visit_state(StateVisitor& visitor, RelaxationParameters& parameters) {
  visitor(parameters.pair, parameters.product);
}

inline void visit_state(StateVisitor& visitor, RelaxationWeights& weights) { visitor(weights.pair, weights.product); }

inline void visit_state(StateVisitor& visitor, Violations& v) {
  visitor(v.affine, v.sign, v.output, v.pair, v.product);
}

/// Of a point of the problem's shapes (zero_point): what is data, or the problem's, stays.
inline void visit_state(StateVisitor& visitor, LiftedPoint& point) {
  visitor(point.layers);
  for (std::vector<Matrix>* family : {&point.active, &point.slack, &point.linear}) visitor.samples(*family);
  visitor.samples(point.output);
}

}  // namespace relufit
