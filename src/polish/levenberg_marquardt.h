/// \file
/// Levenberg-Marquardt: one descent for every way to form and solve its damped linear problems.
#pragma once

#include <algorithm>
#include <functional>

#include "checkpoint/checkpoint.h"
#include "relufit/matrix.h"

namespace relufit {

/// The damping mu of a descent's steps. After a step that lowers the value it falls, after one that does not it rises.
struct DampingSchedule {
  double first = 1e-2;
  double least = 1e-12;
  double most = 1e8;  ///< beyond, the descent ends
  double fall = 1. / 3;
  double rise = 4;
};

/// When a descent ends, if not by its damping.
struct DescentLimits {
  Index iterations = 0;                    ///< steps tried
  double settled = 1e-12;                  ///< relative decrease of the value in one step
  int settled_steps = 3;                   ///< that gain no more than this, in a row
  std::function<bool()> should_stop = {};  ///< asked at every iteration
  Piece piece = {};                        ///< where the state is kept
};

struct Descent {
  double value = 0;
  Index iterations = 0;
};

/// From x to where the value falls no further. `Model` has
///
///     void linearize(x)             called at every new x, before its steps
///     bool step(x, damping, tried)  sets `tried`, the point a damped step leads to; false: there is none
///     double value(x)
///     void visit_state(visitor)     what its steps depend on beside x
template <class Model>
Descent levenberg_marquardt(Model& model, Vector& x, const DampingSchedule& schedule, const DescentLimits& limits) {
  Descent descent;
  double damping = schedule.first;
  int settled = 0;
  const auto visit = [&](StateVisitor& visitor) {
    visitor(x, descent.value, descent.iterations, damping, settled);
    model.visit_state(visitor);
  };
  if (!limits.piece.restore(visit)) descent.value = model.value(x);
  model.linearize(x);
  Vector tried(x.size());
  while (descent.iterations < limits.iterations && settled < limits.settled_steps && damping <= schedule.most) {
    limits.piece.offer(false, visit);
    if (limits.should_stop && limits.should_stop()) break;
    ++descent.iterations;
    const double reached = model.step(x, damping, tried) ? model.value(tried) : descent.value;
    if (!(reached < descent.value)) {
      damping *= schedule.rise;
      continue;
    }
    settled = descent.value - reached <= limits.settled * descent.value ? settled + 1 : 0;
    x.swap(tried);
    descent.value = reached;
    damping = std::max(schedule.least, damping * schedule.fall);
    model.linearize(x);
  }
  limits.piece.offer(true, visit);  // from where it ends at once
  return descent;
}

}  // namespace relufit
