/// \file
/// Matrices and vectors of the whole library: Eigen's, in double precision.
#pragma once

// Matrices of programs and of the library are each other's: all are aligned for the widest vectors that either may be
// compiled for. CMake's relufit::relufit says so to every file; without it this header must come before Eigen's.
#ifndef EIGEN_MAX_ALIGN_BYTES
#define EIGEN_MAX_ALIGN_BYTES 64
#endif
#include <Eigen/Core>
static_assert(EIGEN_DEFAULT_ALIGN_BYTES == 64, "Eigen came first with another alignment: -DEIGEN_MAX_ALIGN_BYTES=64");

namespace relufit {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Index = Eigen::Index;

}  // namespace relufit
