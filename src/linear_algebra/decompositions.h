/// \file
/// Eigen's decompositions of real matrices and the kernels of its products, compiled once in decompositions.cpp: each
/// takes a good part of a second or seconds wherever it is instantiated. For the library, and programs that compile
/// decompositions.cpp themselves: what is declared here is not seen outside.
#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>
#include <Eigen/SVD>

#include "relufit/matrix.h"

#define RELUFIT_INSTANCE extern template
#include "linear_algebra/instances.inc"
#undef RELUFIT_INSTANCE
