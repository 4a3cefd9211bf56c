#include "exact_fit/deep/affine_pieces.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/random.h"
#include "linear_algebra/decompositions.h"

namespace relufit {

namespace {

/// By random draws of as many neighbours of a sample as determine an affine function (RANSAC; Fischler and Bolles,
/// 1981): right where other neighbours are on it, which chance does not do to rounding.
class PieceFinder {
 public:
  PieceFinder(const Matrix& inputs, const Vector& values, double tolerance)
      : inputs_(inputs),
        values_(values),
        tolerance_(tolerance),
        features_(inputs.rows() + 1, inputs.cols()),
        enough_(features_.rows() + kSurplus),
        seen_(std::min(5 * features_.rows(), features_.cols())),
        system_(features_.rows(), features_.rows()),
        right_(features_.rows()),
        order_(static_cast<std::size_t>(inputs.cols())) {
    features_ << inputs, Matrix::Ones(1, inputs.cols());
  }

  /// The affine function on which most of a sample's neighbours are, where these are enough.
  std::optional<Vector> function_at(Index sample) {
    constexpr int kDraws = 300;
    if (seen_ < enough_) return std::nullopt;
    sort_neighbours(sample);
    std::optional<Vector> best;
    Index most = enough_ - 1;
    for (int i = 0; i < kDraws && most < 2 * enough_; ++i) {
      draw();
      factor_.compute(system_);
      coefficients_ = factor_.solve(right_);
      const Index on = std::count_if(order_.begin(), order_.begin() + seen_, [&](Index k) { return is_on(k); });
      if (on <= most) continue;
      most = on;
      best = coefficients_;
    }
    return best;
  }

  AffinePiece piece_of(const Vector& function) {
    coefficients_ = function;
    AffinePiece piece;
    for (Index i = 0; i < features_.cols(); ++i) {
      if (is_on(i)) piece.samples.push_back(i);
    }
    const Matrix equations = features_(Eigen::all, piece.samples).transpose();
    piece.coefficients = Eigen::ColPivHouseholderQR<Matrix>(equations).solve(Vector(values_(piece.samples)));
    return piece;
  }

 private:
  static constexpr Index kNear = 3;
  static constexpr Index kSurplus = 1;  // samples on a function beyond those that determine it

  /// The sample itself comes first.
  void sort_neighbours(Index sample) {
    distances_ = (inputs_.colwise() - inputs_.col(sample)).colwise().squaredNorm().transpose();
    distances_(sample) = -1;
    std::iota(order_.begin(), order_.end(), Index{0});
    const auto nearer = [&](Index a, Index b) {
      return distances_(a) != distances_(b) ? distances_(a) < distances_(b) : a < b;
    };
    std::partial_sort(order_.begin(), order_.begin() + seen_, order_.end(), nearer);
  }

  /// Equations of the sample and of others that it sees, none twice.
  void draw() {
    const Index near = std::min(kNear * features_.rows(), features_.cols());
    drawn_.assign(order_.begin(), order_.begin() + near);
    for (Index row = 0; row < features_.rows(); ++row) {
      const Index other = row > 0 ? row + random_.index(near - row) : 0;
      std::swap(drawn_[static_cast<std::size_t>(row)], drawn_[static_cast<std::size_t>(other)]);
      const Index sample = drawn_[static_cast<std::size_t>(row)];
      system_.row(row) = features_.col(sample).transpose();
      right_(row) = values_(sample);
    }
  }

  bool is_on(Index sample) const {
    return std::abs(coefficients_.dot(features_.col(sample)) - values_(sample)) <= tolerance_;
  }

  const Matrix& inputs_;
  const Vector& values_;
  double tolerance_;
  Matrix features_;
  Index enough_, seen_;
  Matrix system_;
  Vector right_, coefficients_, distances_;
  std::vector<Index> order_, drawn_;
  Random random_{0};
  Eigen::PartialPivLU<Matrix> factor_;
};

}  // namespace

Vector AffinePiece::residuals(const Matrix& inputs, const Vector& values) const {
  const Index n = inputs.rows();
  return values - inputs.transpose() * coefficients.head(n) - Vector::Constant(values.size(), coefficients(n));
}

std::vector<AffinePiece> affine_pieces(const Matrix& inputs, const Vector& values, double tolerance) {
  constexpr Index kMostSeeds = 400;
  PieceFinder finder(inputs, values, tolerance);
  std::vector<AffinePiece> pieces;
  std::vector<bool> taken(static_cast<std::size_t>(inputs.cols()));
  const Index stride = inputs.cols() / kMostSeeds + 1;
  for (Index i = 0; i < inputs.cols(); i += stride) {
    if (taken[static_cast<std::size_t>(i)]) continue;
    const std::optional<Vector> function = finder.function_at(i);
    if (!function) continue;
    AffinePiece piece = finder.piece_of(*function);
    for (const Index on : piece.samples) taken[static_cast<std::size_t>(on)] = true;
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

}  // namespace relufit
