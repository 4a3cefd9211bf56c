/// \file
/// Units that have no effect get another one.
#pragma once

#include <vector>

#include "relufit/lift.h"

namespace relufit {

/// A unit whose weights have shrunk to nothing stays so: there all derivatives by them vanish. Yet another unit in its
/// place may lower the loss. With incoming weights s u, |u| = 1, a free bias, and outgoing weights s v, |v| = 1, the
/// objective changes by
///
///     s^2 (<G, v h(u)'> + ridge) + O(s^4),   G the derivatives of the loss by what the unit's output is added to,
///
/// h(u) its values: it falls where |G h(u)| > ridge. Of random directions, with the bend at a random sample, the best
/// is taken and improved by ascent, and the unit replaced if it has such a direction; then the next one. Where signs of
/// weights are given, u and v have them: in the place of |G h(u)| stands the norm of -G h(u) without the entries of a
/// wrong sign. Activations of one argument, problems whose weight terms are on signs alone; others are left as they
/// are. Returns how many units were replaced. A network without any in a hidden layer (`is_idle`) has none to begin
/// with in the layers around it either.
Index revive_units(const LiftedProblem& problem, std::vector<Layer>& layers, unsigned long long seed);

/// Whether all weight terms are bounds of 0, or there is none: then a unit's weights may be multiplied by any number >
/// 0.
bool constrains_signs_alone(const LiftedProblem& problem);

/// Whether a hidden layer has no effect.
bool is_idle(const LiftedProblem& problem, const std::vector<Layer>& layers);

}  // namespace relufit
