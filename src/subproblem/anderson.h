/// \file
/// Anderson acceleration of a fixed-point iteration v -> F(v) (type II, regularized, safeguarded).
///
/// With differences of the last steps in dF (of residuals f = F(v) - v) and dG (of images F(v)), the next point is
///
///     F(v) - dG gamma,   gamma = argmin |f - dF gamma|^2 + eta |dF|^2 |gamma|^2.
///
/// Differences are remembered at every step, and every second image is extrapolated (as in periodic Pulay mixing,
/// Banerjee, Suryanarayana and Pask, 2016): the plain one between renews the memory, at about as many steps and less
/// cost.
///
/// Safeguard: an accelerated point whose own residual is larger than `kGrowth` times that of the plain one before it is
/// taken back, the plain image takes its place and the memory starts anew.
#pragma once

#include "linear_algebra/decompositions.h"
#include "relufit/matrix.h"

namespace relufit {

class Anderson {
 public:
  /// For vectors of `size` entries; memory 0 switches acceleration off.
  Anderson(Index size, Index memory);

  bool active() const { return memory_ > 0; }

  /// Forgets everything: to be called when F changes.
  void reset();

  /// Given v and, in `image`, F(v): puts the next point in `image`. `weights` are the squared metric per entry.
  void step(const Vector& v, const Vector& weights, Vector& image);

  /// `visit_vector(vector)` visits one that has an entry for each of v.
  template <class Visitor, class VisitVector>
  void visit_state(Visitor& visitor, VisitVector&& visit_vector) {
    visitor(filled_, next_, has_previous_, plain_next_, pending_, plain_residual_, gram_, right_);
    if (has_previous_) {
      visit_vector(previous_residual_);
      visit_vector(previous_image_);
    }
    if (pending_) visit_vector(fallback_);
    for (Index i = 0; i < filled_; ++i) {
      visit_vector(residual_differences_.col(i));
      visit_vector(image_differences_.col(i));
    }
  }

 private:
  bool rejected(double residual);
  void remember(const Vector& image);
  bool solve();

  static constexpr double kGrowth = 2.0;
  static constexpr double kRegularization = 1e-10;

  Index memory_, filled_ = 0, next_ = 0;
  bool has_previous_ = false;
  bool plain_next_ = true;     // the next image is left as it is
  bool pending_ = false;       // the last point was accelerated and has not been judged
  double plain_residual_ = 0;  // |f| at the point the accelerated one was made from
  Vector residual_, previous_residual_, previous_image_, fallback_;
  Matrix residual_differences_, image_differences_;
  Matrix gram_;           // dF' dF
  Vector right_, gamma_;  // dF' f of the last step
  Eigen::LLT<Matrix> factor_;
};

}  // namespace relufit
