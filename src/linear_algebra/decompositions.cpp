#include "linear_algebra/decompositions.h"

template class Eigen::LLT<relufit::Matrix>;
template class Eigen::PartialPivLU<relufit::Matrix>;
template class Eigen::HouseholderQR<relufit::Matrix>;
template class Eigen::ColPivHouseholderQR<relufit::Matrix>;
template class Eigen::JacobiSVD<relufit::Matrix>;
template class Eigen::SelfAdjointEigenSolver<relufit::Matrix>;
template class Eigen::Tridiagonalization<relufit::Matrix>;
template auto Eigen::LLT<relufit::Matrix>::compute(const EigenBase<relufit::Matrix>&) -> LLT&;
template auto Eigen::SelfAdjointEigenSolver<relufit::Matrix>::compute(const EigenBase<relufit::Matrix>&, int)
    -> SelfAdjointEigenSolver&;
