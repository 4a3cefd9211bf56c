/// \file
/// What holds the copies of a subproblem's variables to their originals.
#pragma once

namespace relufit {

/// Penalties rho of the families of copies, > 0.
struct Penalties {
  double pair = 10;
  double product = 30;
  double output = 10;
  double weight = 1;  ///< of copies of weights, times the number of samples
};

}  // namespace relufit
