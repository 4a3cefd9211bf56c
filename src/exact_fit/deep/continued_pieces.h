/// \file
/// What the first hidden layer of a deep ReLU network looks like in exact data.
///
/// Such a network, y = F(h) with h_j = max(0, z_j(x)), is affine in h wherever no unit of a later layer switches. With
/// x -> f(x) one of its affine pieces, on all samples x of the same switches of later layers
///
///     y = f(x) + sum_j c_j z_j(x)     over the units j that are on here and off on the piece, or the reverse:
///
/// beyond the hyperplane z_j = 0, a *bend* of the first layer, the piece goes on with a known change. Two samples that
/// agree on c_j tell it: chance does not make them agree to rounding. Continued over bends, a piece explains many more
/// samples than its own, and what these bends leave unexplained shows others. A bend of a later layer ends or turns at
/// every one of the first: pieces do not go on over it elsewhere, and it cuts pieces in two.
#pragma once

#include <optional>
#include <vector>

#include "exact_fit/deep/affine_pieces.h"

namespace relufit {

struct Bend {
  Vector normal;  ///< n x 1, |normal| = 1
  double offset;
  Vector distances;  ///< z = normal' x + offset of all samples

  bool is_same(const Bend& other) const;
  bool is_parallel_to(const Bend& other) const;
};

/// Unless the same one is among them.
void add_if_new(Bend bend, std::vector<Bend>& bends);

/// What a piece has to do with a bend.
struct Crossing {
  bool is_above = false;         ///< the side on which the piece is: distances > 0
  std::optional<double> change;  ///< c: beyond the bend the continuation gains c z
};

/// A piece continued over bends.
struct Continuation {
  std::vector<Index> explained;     ///< samples that it holds for, ascending
  std::vector<Index> reached;       ///< others that lie beyond bends of known change alone, ascending
  Vector errors;                    ///< N: value minus continuation
  std::vector<Crossing> crossings;  ///< of the bends
};

class ContinuedPieces {
 public:
  /// `inputs`: n x N; `values`: N; both of about unit size, and referred to.
  ContinuedPieces(const Matrix& inputs, const Vector& values);

  std::size_t size() const { return pieces_.size(); }
  /// n x 1: gradient of its affine function.
  Vector slope(std::size_t piece) const { return pieces_[piece].coefficients.head(inputs_.rows()); }
  Continuation continued(std::size_t piece, const std::vector<Bend>& bends) const;
  /// Mean over the samples of log(1 + size) of the largest continuation that explains them.
  double explained(const std::vector<Bend>& bends) const;

  /// Where two pieces meet.
  std::vector<Bend> bends_between_pieces() const;
  /// Where continuations over some bends end at samples that these bends reach.
  std::vector<Bend> bends_beyond(const std::vector<Bend>& bends) const;

 private:
  static constexpr double kOnPiece = 1e-8;
  static constexpr double kTolerance = 1e-7;

  void add(const Vector& function, const std::vector<Index>& before, const std::vector<Index>& beyond,
           std::vector<Bend>& bends) const;
  bool is_cut_by(const AffinePiece& piece, const Bend& bend) const;

  const Matrix& inputs_;
  const Vector& values_;
  std::vector<AffinePiece> pieces_;
  std::vector<Vector> residuals_;  // of the pieces
};

}  // namespace relufit
