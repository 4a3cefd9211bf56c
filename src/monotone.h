/// \file
/// Internal: signs of units that make a network monotone, and prove that it is.
///
/// Every hidden unit gets a sign. A weight between units of equal sign must be >= 0, of opposite sign <= 0, those of
/// inputs and targets likewise; every path from an input to a target then has the sign of the input times that of the
/// target.
#pragma once

#include <vector>

#include "relufit/constraints.h"

namespace relufit {

/// The sign that the unit of a hidden layer is given for training: alternating.
inline double unit_sign(Index unit) { return unit % 2 == 0 ? 1 : -1; }

/// Signs of inputs and targets such that every demand's direction is sign of the input times sign of the target.
class MonotoneSigns {
 public:
  /// Throws std::invalid_argument for names that do not exist, and demands that contradict each other.
  MonotoneSigns(const std::vector<Monotone>& demands, const NetworkShape& shape);

  std::vector<int> inputs, targets;  ///< 1, -1, or 0 for none

 private:
  struct Link {
    std::size_t input, target;
    int direction;
  };

  void spread();

  std::vector<Link> links_;
};

/// How far the network of these layers is from having signs of its units that prove the demands, whatever their order.
double monotone_slack(const std::vector<Monotone>& demands, const NetworkShape& shape,
                      const std::vector<Layer>& layers);

}  // namespace relufit
