/// \file
/// Matrices and vectors of the whole library: Eigen's, in double precision.
#pragma once

#include <Eigen/Core>

namespace relufit {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Index = Eigen::Index;

}  // namespace relufit
