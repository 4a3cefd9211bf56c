/// \file
/// From a model with more units than asked, and a linear skip, to the plain network of the asked width.
///
/// Extra units and the skip make most starts succeed; a model that fits exactly then has the plain network's
/// hyperplanes among its own, some of them twice, some units with no effect, and any orientation: by relu(z) = relu(-z)
/// + z a unit may be turned around at the price of a linear term, which the skip pays. Linear, trained outputs only.
#pragma once

#include "exact_fit/one_layer/unit_fit.h"

namespace relufit {

struct UnitMergeOptions {
  Index units = 1;             ///< asked width, at most the model's
  double equal_cosine = 1e-3;  ///< units with |cosine| above 1 - this are one hyperplane
  double largest_wide = 1e-7;  ///< after pruning, a relative residual above this means it failed
  UnitFitOptions prune;        ///< the fit after pruning
  UnitFitOptions polish;       ///< the fit of the plain model

  explicit UnitMergeOptions(Index asked_units);
};

/// Removes, while there are more than `units`, the weaker of two units with (nearly) equal hyperplanes, in either
/// orientation. Units must be normalized. Output weights are not adjusted.
void remove_equal_units(UnitModel& model, Index units, double equal_cosine);

/// How much the squared residual grows, to second order, where a unit is removed and the output weights adapt:
/// sum over outputs of c_oi^2 / (G^-1)_ii, G = F F'.
Vector unit_importance(const UnitProblem& problem, const UnitModel& model);

/// Removes unit i and its output weights.
void remove_unit(UnitModel& model, Index i);

/// The model turned around so that no linear skip L is left: with the units t to turn, L + sum over t of c_i w_i' = 0,
/// a least squares problem for t whose solution is rounded to 0 or 1. Needs outputs * inputs >= units to be determined.
/// Output weights (the unit's and the constant) are to be solved for again.
UnitModel without_skip(const UnitModel& model, Index input_size);

/// All of it. Returns the relative residual of `plain`, a model of the asked width without skip; infinity, and no
/// `plain`, where the model pruned to that width does not fit.
double merge_units(UnitFit& fit, UnitModel model, const UnitMergeOptions& options, UnitModel& plain);

}  // namespace relufit
