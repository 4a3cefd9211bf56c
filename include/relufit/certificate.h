/// \file
/// Certificates: how far a network's training objective can be from the least one of any width.
///
/// For one hidden layer of ReLUs, linear outputs and the squared or the logistic loss, training minimizes over all
/// widths, weights and biases (problem and scaled data as lift.h has them)
///
///     sum_j omega_j loss(V max(0, W x_j + b) + c + S x_j, y_j) + ridge/2 (|W|^2 + |V|^2 + |S|^2),
///
/// S only with skip connections, b and c only with biases. Every R (outputs x samples) with R 1 = 0 where there are
/// biases gives a bound, for 0 <= t <= ridge / M(R) with
///
///     M(R) = max over |w| = 1, b of |R max(0, X w + b)|,
///
/// which is t <R, Y> - t^2/2 sum_j |R_j|^2 / omega_j for squares; less t^2/2 |R X'|^2 / ridge with skip connections. R
/// is made of the slopes of the loss at the network's outputs; M(R) is bounded from above by branch and bound, in spite
/// of rounding. Derivation and proof: docs/certificates.md.
#pragma once

#include <functional>
#include <optional>

#include "relufit/data.h"
#include "relufit/model.h"

namespace relufit {

struct CertifyOptions {
  std::optional<double> ridge = {};  ///< per target value, as training has it; > 0. Default: what the model records
  double accuracy = 0.01;            ///< of M(R): branch and bound ends when both bounds are this near, relatively; > 0
  double time_limit = 30;            ///< seconds for branch and bound; 0: none
  double tighten = 0;  ///< seconds to add units to the network and train it on, before; 0: it stays as it is
  unsigned seed = 0;   ///< of the starts of local searches for units
  int threads = 1;     ///< the result does not depend on them, unless time ends it
  std::function<bool()> should_stop = {};  ///< asked often; true ends the search with the bound so far
};

/// Why the bound is not better.
enum class CertificateStatus {
  complete,     ///< M(R) is known to the accuracy, or well enough for the best t
  time_limit,   ///< the bound holds, M(R) may be smaller than it takes it to be
  cell_limit,   ///< likewise: branch and bound had as many cells open as it keeps
  interrupted,  ///< likewise
};

/// "complete", "time limit", "cell limit" or "interrupted".
const char* to_string(CertificateStatus status);

struct Certificate {
  CertificateStatus status = CertificateStatus::complete;
  double objective = 0;    ///< of `model`, as training minimizes it: sum over samples and outputs, scaled units
  double lower_bound = 0;  ///< no network of any width has a smaller objective; >= 0
  double gap = 0;          ///< (objective - lower_bound) / objective; 0 where the objective is
  double ridge = 0;        ///< per target value
  double unit_lower = 0, unit_upper = 0;  ///< of M(R) / ridge (above 1: a unit may be missing)
  Index cells = 0;                        ///< that branch and bound looked at
  double seconds = 0;
  Model model;            ///< the given one, or with `tighten` the one trained on if its objective is smaller
  Index units_added = 0;  ///< hidden units that `model` has more than the given one (less: < 0)
};

/// The certificate of a model on the samples it was trained on (or any others: the bound is for these, in the model's
/// scaled units). Whether networks have biases is read off the model: it has none if all its biases and offsets are 0.
/// Throws std::invalid_argument for data that do not fit the model, options out of range, a ridge that is neither given
/// nor recorded, and models other than of one hidden layer of ReLUs, linear outputs and these losses. Regularizers
/// and constraints of training are left out of the objective: the bound holds with them as well.
Certificate certify(const Model& model, const Dataset& data, const CertifyOptions& options = {});

}  // namespace relufit
