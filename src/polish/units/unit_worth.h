/// \file
/// What a unit would be worth in a layer that does not have it, and units nearby that are worth more.
#pragma once

#include "relufit/activation.h"

namespace relufit {

/// What the signs of a unit's incoming and outgoing weights may be: bounds of 0 or none, so that any multiple > 0 of
/// weights within them is within them, too.
struct UnitCone {
  Vector lower_in, upper_in, lower_out, upper_out;

  /// All weights.
  static UnitCone whole(Index incoming, Index outgoing);
  Vector incoming(const Vector& weights) const { return weights.cwiseMax(lower_in).cwiseMin(upper_in); }
  Vector outgoing(const Vector& weights) const { return weights.cwiseMax(lower_out).cwiseMin(upper_out); }
};

/// A unit that might be added to a layer.
struct FreeUnit {
  Vector weights;  ///< norm 1
  double bias = 0;
  Vector output;     ///< norm 1, or 0 where it is worth nothing: outgoing weights
  double worth = 0;  ///< >= 0
  Matrix arguments;  ///< 1 x samples
};

/// How an ascent steps along the gradient: `longer` times as far after a step that helped, 1 / `shorter` times after
/// one that did not.
struct AscentSteps {
  int most;
  double first, least, longest;
  double longer, shorter;
};

/// The norm of -G a(X w + b) for incoming weights |w| = 1, without the entries that outgoing weights must not have. X
/// is what the layer sees (x samples), G the derivatives of a loss by what the unit's output is added to (x samples), a
/// an activation of one argument. Refers to all of them but the activation.
class UnitWorth {
 public:
  UnitWorth(const Activation& activation, const Eigen::Ref<const Matrix>& inputs, const Matrix& slopes, bool bias,
            const UnitCone& cone)
      : activation_(activation), inputs_(inputs), slopes_(slopes), bias_(bias), cone_(cone) {}

  /// |weights| = 1, in the cone.
  FreeUnit at(const Vector& weights, double bias) const;
  /// The unit's values at the samples.
  Vector values(const FreeUnit& unit) const;
  /// A unit that is worth no less, by steps along the gradient on the sphere, the bias along with it.
  FreeUnit improved(FreeUnit unit, const AscentSteps& steps) const;

 private:
  Activation activation_;
  Eigen::Ref<const Matrix> inputs_;
  const Matrix& slopes_;
  bool bias_;
  const UnitCone& cone_;
};

}  // namespace relufit
