/// \file
/// Signs of units that make a network monotone, convex or concave in its inputs, and prove that it is.
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
///
/// For a target that is convex in an input, the input has a second sign, that of the units which it may feed: + times
/// the target's sign. For a concave one it is -.
#pragma once

#include <string>
#include <vector>

#include "relufit/constraints.h"

namespace relufit {

/// Signs of inputs and targets such that every demand's direction is sign of the input times sign of the target.
class ShapeSigns {
 public:
  /// Throws std::invalid_argument for names that do not exist, and demands that contradict each other.
  ShapeSigns(const std::vector<Monotone>& monotone, const std::vector<Curvature>& curvature, const NamedNetwork& shape);

  /// The sign that the unit of a hidden layer is given for training: alternating, but where every input may feed units
  /// of one and the same sign alone.
  int unit(Index unit) const { return common_ != 0 ? common_ : unit % 2 == 0 ? 1 : -1; }
  bool has_curvature() const { return has_curvature_; }

  std::vector<int> inputs, targets;  ///< 1, -1, or 0 for none (of classes that no demand names, too)
  std::vector<int> fed;              ///< for every input the sign of the units that it may feed; 0: all

  /// Signs of the rows of the output layer that training keeps: `targets`, and of classes all of them; 0 for no bound.
  std::vector<int> rows;
  /// The class between two demanded ones, whose weights are 0; -1 where there is none.
  Index between = -1;

 private:
  /// sign of the input times sign of the target = direction
  struct Link {
    std::size_t input, target;
    bool is_curvature;
    int direction;
    std::string name;  ///< for messages
  };

  int& input_sign(const Link& link) { return (link.is_curvature ? fed : inputs)[link.input]; }
  void add_link(const std::string& member, std::size_t number, const std::string& input, const std::string& target,
                bool is_curvature, int direction, const NamedNetwork& shape);
  void set_targets();
  void set_classes(const NamedNetwork& shape);
  void spread();
  std::size_t demand_on_a_taken_sign() const;

  std::vector<Link> links_;
  bool has_curvature_ = false;
  int common_ = 0;
};

/// "TARGET increasing in INPUT"; of a class P(label=class), or its margin.
std::string description(const Monotone& demand, const NamedNetwork& shape);

/// How far the network of these layers is from having signs of its units that prove the demand, whatever their order.
double monotone_slack(const Monotone& demand, const NamedNetwork& shape, const std::vector<Layer>& layers);

/// Demands of one target and shape, in the order in which the first of each appear: they hold in all inputs together.
std::vector<std::vector<Curvature>> joint_curvatures(const std::vector<Curvature>& demands);

/// "TARGET convex in INPUTS".
std::string description(const std::vector<Curvature>& joint);

/// The least weight, times the sign that it must have, on the paths from the inputs to the target that is to be convex
/// or concave in them: >= 0 proves it, of any network.
double curvature_slack(const std::vector<Curvature>& joint, const NamedNetwork& shape,
                       const std::vector<Layer>& layers);

}  // namespace relufit
