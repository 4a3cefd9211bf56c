#include "exact_fit/deep/determined_layer.h"

#include <cmath>
#include <optional>
#include <vector>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"

namespace relufit {

namespace {

/// Directions along which these rows do not change, orthonormal for columns scaled to norm 1; none at all where the
/// rows are hardly more than their rank.
std::optional<Matrix> null_space(const Matrix& rows) {
  constexpr double kNull = 1e-11;  // eigenvalues of their Gram matrix
  constexpr Index kSurplus = 10;
  Vector scale = rows.colwise().norm().transpose();
  scale = (scale.array() > 0).select(scale.cwiseInverse(), 1.0);
  const Matrix scaled = rows * scale.asDiagonal();
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(product(scaled.transpose(), scaled));
  const auto nulls = static_cast<Index>((eigen.eigenvalues().array() < kNull).count());
  if (rows.rows() < rows.cols() - nulls + kSurplus) return std::nullopt;
  return scale.asDiagonal() * eigen.eigenvectors().leftCols(nulls);
}

/// Whether changes of a unit's weights are multiples of these.
bool are_parallel(const Matrix& changes, const Vector& weights) {
  constexpr double kTurned = 1e-4;
  const double size = weights.norm();
  if (!(size > 0)) return false;
  const Vector own = weights / size;
  return (changes - own * (own.transpose() * changes)).norm() <= kTurned * size;
}

}  // namespace

bool is_first_layer_determined(NetworkErrors& errors, const Vector& parameters, double zero) {
  Vector values;
  errors.values(parameters, values);
  if (2 * (values.array().abs() <= zero).count() < values.size()) return false;
  Matrix jacobian;
  errors.jacobian(parameters, jacobian);
  std::vector<Index> exact;
  for (Index i = 0; i < values.size(); ++i) {
    if (std::abs(values(i)) <= zero && jacobian.row(i).squaredNorm() > 0) exact.push_back(i);
  }
  const std::optional<Matrix> directions = null_space(jacobian(exact, Eigen::all));
  if (!directions) return false;
  // Packed column by column, then biases: the weights of a unit are every units-th.
  const Index units = errors.unpack(parameters).front().bias.size();
  for (Index unit = 0; unit < units; ++unit) {
    const auto own = Eigen::seqN(unit, errors.offset(1) / units, units);
    if (!are_parallel((*directions)(own, Eigen::all), parameters(own))) return false;
  }
  return true;
}

}  // namespace relufit
