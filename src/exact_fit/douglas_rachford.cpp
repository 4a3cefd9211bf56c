#include "exact_fit/douglas_rachford.h"

#include <cmath>

#include "linear_algebra/decompositions.h"

namespace relufit {

namespace {

constexpr float kScale = 0.4F;  // g
constexpr float kSquare = kScale * kScale;
constexpr float kShare = kSquare / (1 + kSquare);  // q

}  // namespace

RowBasis::RowBasis(const Matrix& inputs) {
  const Eigen::ColPivHouseholderQR<Matrix> factor(inputs.transpose());
  const Index rank = factor.rank();
  const Matrix basis = factor.householderQ() * Matrix::Identity(inputs.cols(), rank);
  Matrix inverse = Matrix::Identity(rank, rank);
  factor.matrixQR().topLeftCorner(rank, rank).triangularView<Eigen::Upper>().solveInPlace(inverse);
  Matrix padded = Matrix::Zero(inputs.rows(), rank);
  padded.topRows(rank) = inverse;
  recovery_ = factor.colsPermutation() * padded;
  basis_ = basis.cast<float>();
  transposed_ = basis_.transpose();
}

Matrix RowBasis::units(const Eigen::MatrixXf& coordinates) const {
  return coordinates.cast<double>() * recovery_.transpose();
}

DouglasRachford::DouglasRachford(const RowBasis& basis, const Vector& targets, const Vector& signs)
    : basis_(basis),
      scale_(targets.norm() / std::sqrt(static_cast<double>(targets.size()))),
      signs_(signs.cast<float>()) {
  if (scale_ == 0) scale_ = 1;
  targets_ = (targets / scale_).cast<float>();
  const Index samples = targets.size();
  for (Eigen::MatrixXf* matrix : {&d_, &e_, &p_d_, &p_e_, &r_}) matrix->setZero(signs.size(), samples);
  coordinates_.setZero(signs.size(), basis.basis().cols());
  v_.setZero(samples);
}

void DouglasRachford::start(Random& random) {
  coordinates_ = random.normal(coordinates_.rows(), coordinates_.cols()).cast<float>();
  r_.noalias() = coordinates_ * basis_.transposed();
  v_.noalias() = r_.cwiseMax(0.0F).transpose() * signs_;
  const float size = v_.norm();
  const float factor = size > 0 ? targets_.norm() / size : 0;
  coordinates_ *= factor;
  r_ *= factor;
  d_ = r_;
  e_ = kScale * d_.cwiseAbs();
}

void DouglasRachford::iterate(double relaxation) {
  reflect();
  project_affine();
  update(static_cast<float>(relaxation));
}

void DouglasRachford::reflect() {
  const float* d = d_.data();
  const float* e = e_.data();
  float* p_d = p_d_.data();
  float* p_e = p_e_.data();
  float* r = r_.data();
  const Index size = d_.size();
  for (Index i = 0; i < size; ++i) {
    const float length = (std::abs(d[i]) + kScale * e[i]) / (1 + kSquare);
    const float kept = length > 0 ? length : 0;
    const float signed_length = std::copysign(kept, d[i]);
    p_e[i] = kScale * kept;
    p_d[i] = signed_length;
    r[i] = 2 * signed_length - d[i];
  }
}

/// r_ becomes D of P_A(2 p - x); E is 2 p_e - e - s_i g (v - q P v), left to update().
void DouglasRachford::project_affine() {
  coordinates_.noalias() = r_ * basis_.basis();
  sum_coordinates_.noalias() = coordinates_.transpose() * signs_;
  for (Index n = 0; n < v_.size(); ++n) {
    v_(n) = (2 * p_e_.col(n) - e_.col(n)).dot(signs_) / kScale - 2 * targets_(n);
  }
  v_.noalias() += basis_.basis() * sum_coordinates_;
  v_ /= static_cast<float>(signs_.size());
  v_coordinates_.noalias() = basis_.transposed() * v_;
  projected_v_.noalias() = basis_.basis() * v_coordinates_;
  coordinates_.noalias() -= signs_ * (kShare * v_coordinates_).transpose();
  r_.noalias() = coordinates_ * basis_.transposed();
}

void DouglasRachford::update(float relaxation) {
  const Index units = d_.rows();
  const float* sign = signs_.data();
  for (Index n = 0; n < d_.cols(); ++n) {
    const float shift = kScale * (v_(n) - kShare * projected_v_(n));
    float* d = d_.data() + n * units;
    float* e = e_.data() + n * units;
    const float* p_d = p_d_.data() + n * units;
    const float* p_e = p_e_.data() + n * units;
    const float* a = r_.data() + n * units;
    for (Index i = 0; i < units; ++i) {
      d[i] += relaxation * (a[i] - p_d[i]);
      e[i] += relaxation * (p_e[i] - e[i] - sign[i] * shift);
    }
  }
}

double DouglasRachford::relative_residual() {
  projected_v_.noalias() = r_.cwiseMax(0.0F).transpose() * signs_;
  projected_v_ -= targets_;
  const double size = targets_.norm();
  return projected_v_.norm() / (size > 0 ? size : 1);
}

Matrix DouglasRachford::units() const { return scale_ * basis_.units(coordinates_); }

}  // namespace relufit
