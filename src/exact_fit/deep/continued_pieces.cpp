#include "exact_fit/deep/continued_pieces.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace relufit {

namespace {

constexpr double kOnBend = 1e-6;    // distance up to which a sample is on neither side
constexpr double kConstant = 1e-6;  // slope up to which a piece is constant

/// The value on which most of some estimates agree, and how many do.
struct Agreement {
  double value = 0;
  std::size_t count = 0;
};

/// Of estimates (value, tolerance), which are sorted.
Agreement agreement(std::vector<std::pair<double, double>>& estimates) {
  std::sort(estimates.begin(), estimates.end());
  Agreement best;
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < estimates.size(); ++begin) {
    end = std::max(end, begin);
    const auto [least, tolerance] = estimates[begin];
    while (end < estimates.size() && estimates[end].first - least <= 2 * tolerance) ++end;
    if (end - begin <= best.count) continue;
    best = {0, end - begin};
    for (std::size_t k = begin; k < end; ++k) best.value += estimates[k].first / static_cast<double>(best.count);
  }
  return best;
}

/// The piece that is continued, and what is known of it so far.
class Frontier {
 public:
  Frontier(const AffinePiece& piece, const Vector& residuals, const std::vector<Bend>& bends)
      : bends_(bends),
        errors_(residuals),
        crossings_(bends.size()),
        unknown_(static_cast<std::size_t>(residuals.size())) {
    for (std::size_t j = 0; j < bends.size(); ++j) {
      const auto above =
          std::count_if(piece.samples.begin(), piece.samples.end(), [&](Index i) { return bends[j].distances(i) > 0; });
      crossings_[j].is_above = 2 * above > static_cast<Index>(piece.samples.size());
    }
    for (Index i = 0; i < errors_.size(); ++i) {
      for (std::size_t j = 0; j < bends.size(); ++j) unknown(i) += is_between(j, i);
    }
  }

  /// Learns the change at one more bend, that on which most samples beyond it alone agree; false where there is none.
  bool advance(double tolerance) {
    constexpr std::size_t kFewest = 2;
    Agreement best{0, kFewest - 1};
    std::size_t at = bends_.size();
    for (std::size_t j = 0; j < bends_.size(); ++j) {
      if (crossings_[j].change) continue;
      estimates_.clear();
      for (Index i = 0; i < errors_.size(); ++i) {
        const double distance = bends_[j].distances(i);
        if (unknown(i) != 1 || !is_between(j, i) || !(std::abs(distance) > kOnBend)) continue;
        estimates_.emplace_back(errors_(i) / distance, tolerance / std::abs(distance));
      }
      const Agreement found = agreement(estimates_);
      if (found.count <= best.count) continue;
      best = found;
      at = j;
    }
    if (at == bends_.size()) return false;
    crossings_[at].change = best.value;
    for (Index i = 0; i < errors_.size(); ++i) {
      if (!is_between(at, i)) continue;
      errors_(i) -= best.value * bends_[at].distances(i);
      --unknown(i);
    }
    return true;
  }

  Continuation result(double tolerance) && {
    Continuation result;
    for (Index i = 0; i < errors_.size(); ++i) {
      if (unknown(i) == 0) (std::abs(errors_(i)) <= tolerance ? result.explained : result.reached).push_back(i);
    }
    result.errors = std::move(errors_);
    result.crossings = std::move(crossings_);
    return result;
  }

 private:
  bool is_between(std::size_t bend, Index sample) const {
    return (bends_[bend].distances(sample) > 0) != crossings_[bend].is_above;
  }
  int& unknown(Index sample) { return unknown_[static_cast<std::size_t>(sample)]; }

  const std::vector<Bend>& bends_;
  Vector errors_;
  std::vector<Crossing> crossings_;
  std::vector<int> unknown_;  // bends of unknown change between a sample and the piece
  std::vector<std::pair<double, double>> estimates_;
};

/// Whether samples are (above, below).
std::pair<bool, bool> sides(const Bend& bend, const std::vector<Index>& samples) {
  bool above = false;
  bool below = false;
  for (const Index i : samples) {
    above = above || bend.distances(i) > kOnBend;
    below = below || bend.distances(i) < -kOnBend;
  }
  return {above, below};
}

}  // namespace

bool Bend::is_same(const Bend& other) const {
  constexpr double kSame = 1e-5;
  const double sign = normal.dot(other.normal) > 0 ? 1 : -1;
  return (other.normal - sign * normal).norm() + std::abs(other.offset - sign * offset) <=
         kSame * (1 + std::abs(offset));
}

bool Bend::is_parallel_to(const Bend& other) const {
  constexpr double kSame = 1e-9;
  return std::abs(normal.dot(other.normal)) >= 1 - kSame;
}

void add_if_new(Bend bend, std::vector<Bend>& bends) {
  const auto is_same = [&](const Bend& other) { return other.is_same(bend); };
  if (std::none_of(bends.begin(), bends.end(), is_same)) bends.push_back(std::move(bend));
}

ContinuedPieces::ContinuedPieces(const Matrix& inputs, const Vector& values) : inputs_(inputs), values_(values) {
  constexpr std::size_t kMost = 40;
  pieces_ = affine_pieces(inputs, values, kOnPiece);
  const auto larger = [](const AffinePiece& a, const AffinePiece& b) { return a.samples.size() > b.samples.size(); };
  std::stable_sort(pieces_.begin(), pieces_.end(), larger);
  if (pieces_.size() > kMost) pieces_.resize(kMost);
  for (const AffinePiece& piece : pieces_) residuals_.push_back(piece.residuals(inputs, values));
}

Continuation ContinuedPieces::continued(std::size_t piece, const std::vector<Bend>& bends) const {
  Frontier frontier(pieces_[piece], residuals_[piece], bends);
  while (frontier.advance(kTolerance)) {
  }
  return std::move(frontier).result(3 * kTolerance);
}

double ContinuedPieces::explained(const std::vector<Bend>& bends) const {
  Vector most = Vector::Zero(values_.size());
  for (std::size_t p = 0; p < pieces_.size(); ++p) {
    const std::vector<Index> samples = continued(p, bends).explained;
    for (const Index i : samples) most(i) = std::max(most(i), static_cast<double>(samples.size()));
  }
  return most.array().log1p().mean();
}

std::vector<Bend> ContinuedPieces::bends_between_pieces() const {
  std::vector<Bend> bends;
  for (std::size_t a = 0; a < pieces_.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      add(pieces_[a].coefficients - pieces_[b].coefficients, pieces_[a].samples, pieces_[b].samples, bends);
    }
  }
  return bends;
}

std::vector<Bend> ContinuedPieces::bends_beyond(const std::vector<Bend>& bends) const {
  std::vector<Bend> more;
  const auto fewest = static_cast<std::size_t>(inputs_.rows() + 2);
  for (std::size_t p = 0; p < pieces_.size(); ++p) {
    const Continuation continuation = continued(p, bends);
    const std::vector<Index>& reached = continuation.reached;
    if (reached.size() < fewest) continue;
    const Matrix inputs = inputs_(Eigen::all, reached);
    const Vector errors = continuation.errors(reached);
    for (const AffinePiece& piece : affine_pieces(inputs, errors, kTolerance)) {
      if (piece.samples.size() < fewest) continue;
      std::vector<Index> beyond;
      for (const Index i : piece.samples) beyond.push_back(reached[static_cast<std::size_t>(i)]);
      add(piece.coefficients, continuation.explained, beyond, more);
    }
  }
  return more;
}

/// Where an affine function vanishes, if that is a hyperplane that separates two sets of samples and no piece lies on
/// both its sides: a unit of the first layer that changes nothing on a piece on which the network is not constant is
/// no rule, and one of a later layer often does.
void ContinuedPieces::add(const Vector& function, const std::vector<Index>& before, const std::vector<Index>& beyond,
                          std::vector<Bend>& bends) const {
  const Index n = inputs_.rows();
  const double size = function.head(n).norm();
  if (!(size > kOnBend * function.norm())) return;
  Bend bend{function.head(n) / size, function(n) / size, {}};
  bend.distances = (inputs_.transpose() * bend.normal).array() + bend.offset;
  const auto [before_above, before_below] = sides(bend, before);
  const auto [beyond_above, beyond_below] = sides(bend, beyond);
  if ((before_above || beyond_below) && (before_below || beyond_above)) return;
  if (std::any_of(pieces_.begin(), pieces_.end(), [&](const AffinePiece& piece) { return is_cut_by(piece, bend); })) {
    return;
  }
  add_if_new(std::move(bend), bends);
}

bool ContinuedPieces::is_cut_by(const AffinePiece& piece, const Bend& bend) const {
  if (piece.coefficients.head(inputs_.rows()).norm() <= kConstant) return false;
  const auto [above, below] = sides(bend, piece.samples);
  return above && below;
}

}  // namespace relufit
