/// \file
/// Eigen's decompositions of real matrices, compiled once in decompositions.cpp: each takes seconds wherever it is
/// instantiated.
#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>
#include <Eigen/SVD>

#include "relufit/matrix.h"

extern template class Eigen::LLT<relufit::Matrix>;
extern template class Eigen::PartialPivLU<relufit::Matrix>;
extern template class Eigen::HouseholderQR<relufit::Matrix>;
extern template class Eigen::ColPivHouseholderQR<relufit::Matrix>;
extern template class Eigen::JacobiSVD<relufit::Matrix>;
extern template class Eigen::SelfAdjointEigenSolver<relufit::Matrix>;
extern template class Eigen::Tridiagonalization<relufit::Matrix>;
extern template auto Eigen::LLT<relufit::Matrix>::compute(const EigenBase<relufit::Matrix>&) -> LLT&;
extern template auto Eigen::SelfAdjointEigenSolver<relufit::Matrix>::compute(const EigenBase<relufit::Matrix>&, int)
    -> SelfAdjointEigenSolver&;
