/// \file
/// Networks whose weights are multiples of a step: for fixed-point arithmetic.
#pragma once

#include <functional>

#include "relufit/constraints.h"
#include "relufit/data.h"
#include "relufit/model.h"

namespace relufit {

/// Mean loss per sample (exact loss: squared), targets in units of the model's target scales, at every stage.
struct WeightGridReport {
  double step = 0;
  double before = 0;    ///< of the given model
  double rounded = 0;   ///< every weight rounded to the nearest multiple, no more
  double repaired = 0;  ///< of the result, never larger than `rounded`
};

struct WeightGridResult {
  Model model;  ///< its network is that on raw data; scalings are the identity
  WeightGridReport report;
};

/// Rounds all weights and biases of the network on raw data (Model::folded) to multiples of `step` > 0 and repairs the
/// fit with what freedom remains. Without constraints, units are first scaled so that their incoming and outgoing
/// weights have the same largest size, which changes nothing in the function.
///
/// Unit by unit, from the first layer on: all weights that are still free are refitted (Levenberg-Marquardt), then
/// those of the unit are rounded one by one, the free ones moving to the minimizer of the quadratic model each time, as
/// in Hassibi and Stork, "Second order derivatives for network pruning: optimal brain surgeon", 1992. At the end single
/// weights move by one step as long as the loss falls. For losses other than exact and squared the quadratic model is
/// that of the squared outputs' changes, and nothing is refitted. Networks of more than 3000 weights are only rounded,
/// then moved by steps.
///
/// Bounds on weights are kept: values are rounded within them. Throws std::invalid_argument for a step that is not
/// positive and finite, bounds without a multiple of it between them, and data that do not fit the model.
WeightGridResult round_to_grid(const Model& model, const Dataset& data, const Loss& loss, double step,
                               const Constraints& constraints = {}, const std::function<bool()>& should_stop = {});

}  // namespace relufit
