#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "parallel/chunks.h"
#include "relufit/data.h"

namespace relufit {

// Of numbers that are meant to be equal each has a rounding error of a few units in the last place, eps |v| / 2 or
// less, from the few operations that made it. 32 eps is far above those, and 1e5 times below a deviation of 1e-9.
bool is_constant(const Eigen::Ref<const Eigen::RowVectorXd>& values) {
  constexpr double kRounding = 32 * std::numeric_limits<double>::epsilon();
  if (values.size() == 0) return true;
  // Halves, whose difference does not overflow; of subnormal numbers the last bit is lost, equal or not.
  if ((values.array() == values(0)).all()) return true;
  const double spread = 0.5 * values.maxCoeff() - 0.5 * values.minCoeff();
  return spread <= kRounding * (0.5 * values.cwiseAbs().maxCoeff());
}

namespace {

void check_size(const Eigen::Ref<const Matrix>& values, const Scaling& scaling) {
  if (values.rows() != scaling.offset.size() || values.rows() != scaling.scale.size()) {
    throw std::invalid_argument(fmt::format("{} rows to be scaled, expected {}", values.rows(), scaling.offset.size()));
  }
}

/// Numbers of one row, those of all ranks.
class RowOfAll {
 public:
  RowOfAll(const Chunks& chunks, Eigen::RowVectorXd mine) : chunks_(chunks), mine_(std::move(mine)) {}

  void divide_by_power_of_two(int exponent) {
    for (double& value : mine_) value = std::ldexp(value, -exponent);
  }

  double first() const { return agreed(chunks_.ranks(), mine_(0)); }
  double most() const { return largest_of(chunks_.ranks(), mine_.maxCoeff()); }
  double least() const { return -largest_of(chunks_.ranks(), -mine_.minCoeff()); }
  /// Of value(numbers), for the numbers as an array.
  template <class Value>
  double mean(Value&& value) const {
    ChunkSums sums(chunks_, 1);
    for (Index i = 0; i < chunks_.count(); ++i) {
      *sums.data(i) = value(mine_.segment(chunks_[i].begin, chunks_[i].size).array()).sum();
    }
    return sums.total()(0) / static_cast<double>(chunks_.samples_of_all());
  }

 private:
  const Chunks& chunks_;
  Eigen::RowVectorXd mine_;
};

/// Offset and scale of one row. Works on values divided by a power of two (exact), so that squares and sums neither
/// overflow nor vanish whatever the unit of the data.
void scale_row(RowOfAll& row, bool center, double& offset, double& scale) {
  int exponent = 0;
  std::frexp(std::max(row.most(), -row.least()), &exponent);
  row.divide_by_power_of_two(exponent);
  // One refinement: the mean of many large, nearly equal values is otherwise off by a rounding error of their sum.
  double mean = center ? row.mean([](const auto& values) { return values; }) : 0.0;
  if (center) mean += row.mean([mean](const auto& values) { return values - mean; });
  offset = center ? std::ldexp(mean, exponent) : 0.0;
  const double square = row.mean([mean](const auto& values) { return (values - mean).square(); });
  const double deviation = std::ldexp(std::sqrt(square), exponent);
  // A subnormal scale has no finite reciprocal, which folding needs: such a row counts as constant.
  scale = deviation >= std::numeric_limits<double>::min() ? deviation : 1.0;
}

Scaling scaling_of(const Matrix& values, bool center, const Share& share) {
  Scaling result = Scaling::identity(values.rows());
  const Chunks chunks(share.ranks ? share.samples : values.cols(), share.ranks);
  if (chunks.samples_of_all() == 0) return result;
  for (Index i = 0; i < values.rows(); ++i) {
    RowOfAll row(chunks, values.row(i));
    const double first = row.first();
    const double most = row.most();
    const double least = row.least();
    if (center && is_constant(Eigen::RowVector3d(first, most, least))) {
      // In units of its size the rest of rounding stays as small as it is.
      const bool exactly = most == least;
      result.offset(i) = first;
      if (!exactly) result.scale(i) = std::max({most, -least, std::numeric_limits<double>::min()});
    } else {
      scale_row(row, center, result.offset(i), result.scale(i));
    }
  }
  return result;
}

}  // namespace

Scaling Scaling::identity(Index size) { return {Vector::Zero(size), Vector::Ones(size)}; }

Scaling Scaling::standardize(const Matrix& values, const Share& share) { return scaling_of(values, true, share); }

Scaling Scaling::normalize(const Matrix& values, const Share& share) { return scaling_of(values, false, share); }

Scaling Scaling::uniform() const {
  const double size = scale.norm() / std::sqrt(static_cast<double>(scale.size()));
  return {offset, Vector::Constant(scale.size(), size)};
}

Matrix Scaling::apply(const Eigen::Ref<const Matrix>& values) const {
  check_size(values, *this);
  return (values.colwise() - offset).array().colwise() / scale.array();
}

Matrix Scaling::invert(const Eigen::Ref<const Matrix>& values) const {
  check_size(values, *this);
  return (values.array().colwise() * scale.array()).matrix().colwise() + offset;
}

}  // namespace relufit
