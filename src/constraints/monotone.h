/// \file
/// Signs of units that make a network monotone, and prove that it is.
///
/// Every hidden unit gets a sign. A weight between units of equal sign must be >= 0, of opposite sign <= 0, those of
/// inputs and targets likewise; every path from an input to a target then has the sign of the input times that of the
/// target.
///
/// Of classes the targets are differences of scores (class_outputs.h). Let a unit of sign + raise a demanded class c
/// against every other one, w_c >= w_k for its output weights, and of sign - lower it. Adding one number to all weights
/// of a unit changes no difference, so that w_c >= 0 >= w_k for all k != c says no less: the class has the sign +, all
/// others have -, as targets with signs of their own do. A second class d can only be the one with the sign -, lowered
/// by every unit of sign + against all others; then w_c >= w_k >= w_d, and with one class k between, w_k = 0.
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

  std::vector<int> inputs, targets;  ///< 1, -1, or 0 for none (of classes that no demand names, too)

  /// Signs of the rows of the output layer that training keeps: `targets`, and of classes all of them; 0 for no bound.
  std::vector<int> rows;
  /// The class between two demanded ones, whose weights are 0; -1 where there is none.
  Index between = -1;

 private:
  struct Link {
    std::size_t input, target;
    int direction;
  };

  void set_targets();
  void set_classes(const std::vector<Monotone>& demands, const NetworkShape& shape);
  void spread();
  std::size_t demand_on_a_taken_sign() const;

  std::vector<Link> links_;
};

/// What the demands are about, for messages: "monotone", and for classes "monotone: P(label=class)".
std::string monotone_description(const std::vector<Monotone>& demands, const NetworkShape& shape);

/// How far the network of these layers is from having signs of its units that prove the demands, whatever their order.
double monotone_slack(const std::vector<Monotone>& demands, const NetworkShape& shape,
                      const std::vector<Layer>& layers);

}  // namespace relufit
