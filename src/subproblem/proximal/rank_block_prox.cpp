#include "subproblem/proximal/rank_block_prox.h"

#include <algorithm>
#include <limits>

#include "linear_algebra/decompositions.h"
#include "problem/sample_sums.h"

namespace relufit {

namespace {
constexpr double kSmallestRatio = 1e-5;  // tau / sigma_max from which the Gram matrix serves
}

ThresholdMap::ThresholdMap(Index rows)
    : tridiagonal_(rows),
      eigen_(Matrix::Zero(rows, rows)),  // so that it can be copied before its first use
      directions_(rows, rows),
      map_(Matrix::Zero(rows, rows)),
      gain_(rows),
      diagonal_(rows),
      subdiagonal_(rows - 1),
      workspace_(rows),
      rows_(rows) {}

// SelfAdjointEigenSolver::compute() in its steps, without its allocation (which narrow layers would notice).
void ThresholdMap::decompose(const Matrix& gram) {
  const double scale = std::max(gram.cwiseAbs().maxCoeff(), std::numeric_limits<double>::min());
  tridiagonal_.compute(gram / scale);
  diagonal_ = tridiagonal_.diagonal();
  subdiagonal_ = tridiagonal_.subDiagonal();
  eigen_.computeFromTridiagonal(diagonal_, subdiagonal_);
  gain_ = (scale * eigen_.eigenvalues()).cwiseMax(0.0).cwiseSqrt();
  directions_ = eigen_.eigenvectors();
  tridiagonal_.matrixQ().applyThisOnTheLeft(directions_, workspace_);
}

bool ThresholdMap::set_from_gram(const Matrix& gram, double tau) {
  decompose(gram);
  if (tau < kSmallestRatio * gain_(rows_ - 1)) return false;
  set(directions_, tau);
  return true;
}

void ThresholdMap::set_from_block(const Eigen::Ref<const Matrix>& left, const Eigen::Ref<const Matrix>& right,
                                  double tau) {
  Matrix tall(left.cols() + right.cols(), rows_);
  tall << left.transpose(), right.transpose();
  const Index size = std::min(tall.rows(), rows_);
  const Eigen::JacobiSVD<Matrix> svd(triangle_of(tall).transpose(), Eigen::ComputeFullU);
  gain_.setZero();
  gain_.head(size) = svd.singularValues();
  set(svd.matrixU(), tau);
}

void ThresholdMap::set(const Matrix& directions, double tau) {
  gain_ = (gain_.array() > tau).select(1.0 - tau / gain_.array(), 0.0).matrix();
  map_.setZero();
  for (Index i = 0; i < rows_; ++i) {
    if (gain_(i) > 0) map_.noalias() += gain_(i) * directions.col(i) * directions.col(i).transpose();
  }
}

}  // namespace relufit
