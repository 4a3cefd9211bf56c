/// \file
/// Residuals of the splitting, and what follows from them: when to stop, how to change the penalties.
///
/// At the end of an iteration z minimizes its part exactly with the multipliers rho (state - z), and x minimizes its
/// part exactly; all that is missing to optimality is the gap image - z: primal in itself, dual as rho (image - z).
#pragma once

#include "parallel/chunks.h"
#include "subproblem/copies/copies.h"

namespace relufit {

/// Squared norms over the copies of one family.
struct FamilyNorms {
  double gap = 0;   ///< image - z
  double copy = 0;  ///< z
  double image = 0;
  double multiplier = 0;  ///< state - z
  double count = 0;       ///< entries
};

struct ResidualSums {
  FamilyNorms pair, product, output, weight;

  FamilyNorms& of(Family family);
  /// All numbers in their order.
  Eigen::Map<Vector> numbers() { return {&pair.gap, sizeof(ResidualSums) / sizeof(double)}; }
};

/// Adds what the columns of some samples contribute; those of `image` are its first.
void add_norms(bool with_output, const Copies& state, const Copies& reflected, const Copies& image, Range samples,
               ResidualSums& sums);
/// Likewise the parts whose columns are not samples.
void add_shared_norms(bool with_output, const Copies& state, const Copies& reflected, const Copies& image,
                      ResidualSums& sums);

/// Relative residuals per family: gap / (sqrt(count) + norm), the norm being that of the copies (primal) or of the
/// multipliers (dual).
class Residuals {
 public:
  Residuals(const ResidualSums& sums, const Penalties& penalties, Index samples);

  double primal() const;
  double dual() const;

  /// Penalties that bring primal and dual residuals of each family together; unchanged while the square root of their
  /// ratio is within a factor of 5.
  Penalties balanced(const Penalties& penalties) const;

 private:
  struct Family {
    double primal = 0, dual = 0;
  };
  static Family relative(const FamilyNorms& norms, double penalty);

  Family pair_, product_, output_, weight_;
};

}  // namespace relufit
