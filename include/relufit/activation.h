/// \file
/// Activations of hidden units: continuous piecewise linear functions, each with its lift.
///
/// With pieces p = 1..P, thresholds t_p, and the active part h_p = max(z - t_p, 0) and slack s_p = max(t_p - z, 0) of
/// every piece,
///
///     a(z) = offset + sum_p above_p h_p + below_p s_p,     z = t_p + h_p - s_p,   h_p, s_p >= 0,   h_p s_p = 0:
///
///     relu           max(z, 0)                   h                       t = 0
///     leaky-relu     max(z, 0) + c min(z, 0)     h - c s                 t = 0
///     absolute       |z|                         h + s                   t = 0
///     clipped-relu   min(max(z, 0), c)           h_1 - h_2               t = 0, c
///     hard-tanh      min(max(z, -1), 1)          -1 + h_1 - h_2          t = -1, 1
///
/// A maxout unit has two arguments, max(z_1, z_2). With p = (z_1 + z_2) / sqrt(2), which is free, and one pair for
/// (z_1 - z_2) / sqrt(2) = h - s, whose absolute value is h + s, it is linear in them as well:
///
///     maxout         max(z_1, z_2)               (p + h + s) / sqrt(2)   t = 0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "relufit/matrix.h"

namespace relufit {

/// An activation with its parameter: Activation::relu, Activation::leaky_relu(0.1), ...
struct Activation {
  enum class Kind { relu, leaky_relu, absolute, clipped_relu, hard_tanh, maxout };

  Kind kind = Kind::relu;
  double parameter = 0;  ///< leaky_relu: slope c left of 0, in (-1, 1); clipped_relu: ceiling c > 0; others: 0

  static const Activation relu;
  static constexpr Activation leaky_relu(double slope) { return {Kind::leaky_relu, slope}; }
  static const Activation absolute;
  static constexpr Activation clipped_relu(double ceiling) { return {Kind::clipped_relu, ceiling}; }
  static const Activation hard_tanh;
  static const Activation maxout;

  bool operator==(const Activation&) const = default;
};

inline constexpr Activation Activation::relu{Kind::relu, 0};
inline constexpr Activation Activation::absolute{Kind::absolute, 0};
inline constexpr Activation Activation::hard_tanh{Kind::hard_tanh, 0};
inline constexpr Activation Activation::maxout{Kind::maxout, 0};

/// Name as it stands in model files: "relu", "leaky-relu", "absolute", "clipped-relu", "hard-tanh" or "maxout".
const char* to_string(const Activation& activation);

/// Inverse of to_string, with the parameter of the activations that have one; without it, slope 0.01 and ceiling 1.
/// Throws std::invalid_argument for any other name, a parameter out of range, and one that the activation does not
/// have.
Activation activation_from(const std::string& name, std::optional<double> parameter = std::nullopt);

/// Whether the activation has a parameter.
bool has_parameter(const Activation& activation);

/// Throws std::invalid_argument, naming the parameter, where it is out of range.
void check(const Activation& activation);

/// How many arguments a unit has: 2 for maxout, 1 for all others. A layer of n units has its first arguments in rows 0
/// to n - 1, its second ones after them.
Index arguments_per_unit(const Activation& activation);

/// a(z) of a unit with one argument, by definition; not a number stays what it is.
double value(const Activation& activation, double z);

/// The values of the units (units x samples) for their arguments (arguments_per_unit times as many rows). Likewise.
void evaluate(const Activation& activation, const Eigen::Ref<const Matrix>& arguments, Eigen::Ref<Matrix> values);

/// The derivative of a of one argument; at a threshold the one from the left.
double slope(const Activation& activation, double z);

/// The derivatives of the units by every argument, of the arguments' shape; likewise.
void differentiate(const Activation& activation, const Eigen::Ref<const Matrix>& arguments, Eigen::Ref<Matrix> slopes);

/// Whether a grows with its arguments: all but absolute, and leaky_relu with a slope below 0.
bool is_increasing(const Activation& activation);

/// Whether a is convex: relu, leaky_relu, absolute, maxout.
bool is_convex(const Activation& activation);

/// Whether a(r z) = r a(z) for r > 0: relu, leaky_relu, absolute, maxout.
bool is_homogeneous(const Activation& activation);

/// One complementarity of the lift.
struct ActivationPiece {
  double threshold;     ///< t_p
  double above, below;  ///< factors of max(z - t_p, 0) and max(t_p - z, 0) in a(z)
};

/// a as the sum over its pieces, plus offset, plus `linear` times the free part p of maxout.
struct ActivationLift {
  double offset = 0;
  std::vector<ActivationPiece> pieces;
  double linear = 0;
};

ActivationLift lift_of(const Activation& activation);

}  // namespace relufit
