/// \file
/// The largest unit by branch and bound.
#pragma once

#include <functional>
#include <vector>

#include "certificate/bounds/unit_problem.h"
#include "relufit/certificate.h"

namespace relufit {

struct UnitSearchOptions {
  double accuracy = 0.01;  ///< ends when the upper bound is within this of the lower one, relatively; > 0
  double enough = 0;       ///< ends when the upper bound is at most this
  double time_limit = 0;   ///< seconds; 0: none
  int threads = 1;         ///< the result does not depend on them, unless time or should_stop ends the search
  std::function<bool()> should_stop;
};

struct UnitSearchResult {
  CertificateStatus status = CertificateStatus::complete;
  double lower = 0, upper = 0;  ///< of max |R max(0, X w + b)|; the upper one in spite of rounding
  Vector direction;             ///< (w, b) with |w| = 1 at which the lower one is attained
  Index cells = 0;              ///< bounded
};

/// Local maxima alone, from `starts` (columns (w, b)) and random directions: sets all but `upper`.
UnitSearchResult find_unit(const UnitProblem& problem, const Matrix& starts, unsigned long long seed);

/// Best first: the cell with the largest bound is halved. Cells whose bound is not above what is known to be attained,
/// but for the accuracy, are done with.
UnitSearchResult bound_unit(const UnitProblem& problem, const UnitSearchResult& found,
                            const UnitSearchOptions& options);

}  // namespace relufit
