/// \file
/// A convex quadratic function over a box.
#pragma once

#include <vector>

#include "relufit/matrix.h"

namespace relufit {

/// Minimizes g'd + 1/2 d'M d over lower <= d <= upper by a primal-dual active set method: solve for the free entries,
/// fix those that leave the box, free those that the gradient draws inside, until nothing changes. The sets go on from
/// one problem to the next. Every round costs the Cholesky factorization of the free part of M.
class BoxQuadratic {
 public:
  struct Result {
    Vector minimizer;        ///< within the box
    bool converged = false;  ///< false: the rounds ran out (the sets may cycle); then any point of the box
  };

  /// M (n x n, both halves) positive definite; gradient, lower and upper of size n, -inf and inf where there is no
  /// bound, lower <= upper.
  Result minimize(const Matrix& m, const Vector& gradient, const Vector& lower, const Vector& upper);

  template <class Visitor>
  void visit_state(Visitor& visitor) {
    visitor(places_);
  }

 private:
  enum class Place : unsigned char { free, lower, upper };
  bool move(const Vector& slope, const Vector& lower, const Vector& upper, const Vector& point, bool release);

  std::vector<Place> places_;
};

}  // namespace relufit
