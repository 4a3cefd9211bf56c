// Units are told from bends of later layers, and their signs from one another, by the slopes of pieces. With all units
// of the first layer, h_j = max(0, s_j z_j), a piece has the slope of those that are on: s_j a_j normal_j of one that
// counts a_j there. Beyond its bend it is off, which changes the continuation by c_j z_j with c_j = -s_j a_j; one that
// is off on the piece adds nothing to its slope. So
//
//     slope + sum_j c_j normal_j = 0     over the units j that are on,
//
// c_j being free where no sample beyond the bend tells it: as many equations as inputs, less the rank of the normals of
// such units. Chance fulfils none of them to rounding.

#include "exact_fit/deep/first_layer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/random.h"
#include "exact_fit/deep/continued_pieces.h"
#include "linear_algebra/decompositions.h"

namespace relufit {

namespace {

/// Units by their bends, on where sign times distance is positive, and how much speaks for them.
struct Guess {
  std::vector<Bend> bends;
  std::vector<double> signs;
  double evidence = 0;
};

bool is_likelier(const Guess& a, const Guess& b) { return a.evidence > b.evidence; }

/// The equations of one piece: log(1 + samples that it is continued to) for every one that holds, less where a unit
/// changes nothing beyond its bend (it is none).
class SlopeTest {
 public:
  SlopeTest(const ContinuedPieces& pieces, std::size_t piece, const std::vector<Bend>& bends)
      : slope_(pieces.slope(piece)), normals_(slope_.size(), static_cast<Index>(bends.size())), size_(slope_.norm()) {
    Continuation continuation = pieces.continued(piece, bends);
    weight_ = std::log1p(static_cast<double>(continuation.explained.size()));
    crossings_ = std::move(continuation.crossings);
    for (std::size_t j = 0; j < bends.size(); ++j) {
      normals_.col(static_cast<Index>(j)) = bends[j].normal;
      if (crossings_[j].change) size_ = std::max(size_, std::abs(*crossings_[j].change));
    }
    for (const Crossing& crossing : crossings_) {
      has_idle_units_ = has_idle_units_ || (crossing.change && std::abs(*crossing.change) <= kZero * size_);
    }
  }

  double evidence(const std::vector<double>& signs) const {
    if (size_ <= kZero) return 0;  // nothing to tell
    Vector rest = slope_;
    Matrix free(slope_.size(), normals_.cols());
    Index count = 0;
    for (std::size_t j = 0; j < signs.size(); ++j) {
      const auto normal = normals_.col(static_cast<Index>(j));
      if ((signs[j] > 0) != crossings_[j].is_above) continue;
      if (crossings_[j].change) {
        rest += *crossings_[j].change * normal;
      } else {
        free.col(count++) = normal;
      }
    }
    const Index equations = slope_.size() - without(free.leftCols(count), rest);
    if (equations == 0 || !(rest.norm() <= kZero * size_)) return 0;
    return has_idle_units_ ? -weight_ : static_cast<double>(equations) * weight_;
  }

 private:
  static constexpr double kZero = 1e-6;

  /// Leaves of a vector what is orthogonal to some columns. Returns their rank.
  static Index without(const Matrix& columns, Vector& vector) {
    constexpr double kRank = 1e-7;
    if (columns.cols() == 0) return 0;
    Eigen::ColPivHouseholderQR<Matrix> factor;
    factor.setThreshold(kRank);
    factor.compute(columns);
    vector -= columns * factor.solve(vector);
    return factor.rank();
  }

  Vector slope_;
  Matrix normals_;
  std::vector<Crossing> crossings_;
  double size_, weight_ = 0;
  bool has_idle_units_ = false;
};

class FirstLayerSearch {
 public:
  FirstLayerSearch(const ContinuedPieces& pieces, Index width, const std::function<bool()>& should_stop)
      : pieces_(pieces), width_(static_cast<std::size_t>(width)), should_stop_(should_stop) {}

  /// From all small sets of the bends that explain most, unit by unit; the best of the last two sizes.
  std::vector<Guess> guesses() {
    collect_bends();
    std::vector<Guess> best = small_guesses();
    std::vector<Guess> before;
    while (!best.empty() && best.front().bends.size() < width_) {
      std::vector<Guess> larger = extended(best);
      if (larger.empty() || !is_likelier(larger.front(), best.front())) break;
      before = std::exchange(best, std::move(larger));
    }
    if (best.size() > kComplete) best.resize(kComplete);
    if (before.size() > kIncomplete) before.resize(kIncomplete);
    best.insert(best.end(), before.begin(), before.end());
    return best;
  }

 private:
  static constexpr std::size_t kBends = 9;       // that small sets are of
  static constexpr std::size_t kSmall = 3;       // units of a small set
  static constexpr std::size_t kBeam = 8;        // sets that are extended
  static constexpr std::size_t kComplete = 2;    // of the last size
  static constexpr std::size_t kIncomplete = 2;  // of the one before

  bool stops() const { return should_stop_ && should_stop_(); }

  /// Those that explain most beside one another first; then others as they were found.
  void collect_bends() {
    std::vector<Bend> candidates = pieces_.bends_between_pieces();
    double explained = pieces_.explained({});
    while (bends_.size() < width_ && !stops()) {
      for (Bend& bend : pieces_.bends_beyond(bends_)) add_if_new(std::move(bend), candidates);
      std::size_t best = candidates.size();
      for (std::size_t k = 0; k < candidates.size() && !stops(); ++k) {
        if (is_parallel(bends_, candidates[k])) continue;
        const double next = pieces_.explained(joined(bends_, candidates[k]));
        if (next <= explained) continue;
        explained = next;
        best = k;
      }
      if (best == candidates.size()) break;
      bends_.push_back(candidates[best]);
    }
    for (const Bend& bend : candidates) {
      if (bends_.size() < kBends && !is_parallel(bends_, bend)) bends_.push_back(bend);
    }
    if (bends_.size() > kBends) bends_.resize(kBends);
  }

  std::vector<Guess> small_guesses() const {
    const std::size_t size = std::min({kSmall, width_, bends_.size()});
    std::vector<Guess> found;
    for (unsigned set = 1; size > 0 && set < 1U << bends_.size() && !stops(); ++set) {
      std::vector<Bend> bends;
      for (std::size_t k = 0; k < bends_.size(); ++k) {
        if ((set >> k & 1U) != 0) bends.push_back(bends_[k]);
      }
      if (bends.size() == size) keep(with_best_signs(std::move(bends)), found);
    }
    return found;
  }

  std::vector<Guess> extended(const std::vector<Guess>& guesses) const {
    std::vector<Guess> found;
    for (const Guess& guess : guesses) {
      std::vector<Bend> others = bends_;
      for (Bend& bend : pieces_.bends_beyond(guess.bends)) add_if_new(std::move(bend), others);
      for (const Bend& bend : others) {
        if (stops()) return {};
        if (!is_parallel(guess.bends, bend)) keep(with_unit(guess, bend), found);
      }
    }
    return found;
  }

  Guess with_best_signs(std::vector<Bend> bends) const {
    const std::vector<SlopeTest> tests = tests_of(bends);
    Guess best{std::move(bends), {}, -std::numeric_limits<double>::infinity()};
    for (unsigned negative = 0; negative < 1U << best.bends.size(); ++negative) {
      std::vector<double> signs;
      for (std::size_t j = 0; j < best.bends.size(); ++j) signs.push_back((negative >> j & 1U) != 0 ? -1 : 1);
      take_if_likelier(tests, std::move(signs), best);
    }
    return best;
  }

  /// With the signs that there are, then with single ones reversed.
  Guess with_unit(const Guess& guess, const Bend& bend) const {
    Guess best{joined(guess.bends, bend), {}, -std::numeric_limits<double>::infinity()};
    const std::vector<SlopeTest> tests = tests_of(best.bends);
    for (const double sign : {1.0, -1.0}) {
      std::vector<double> signs = guess.signs;
      signs.push_back(sign);
      take_if_likelier(tests, std::move(signs), best);
    }
    for (std::size_t j = 0; j < best.signs.size(); ++j) {
      std::vector<double> signs = best.signs;
      signs[j] = -signs[j];
      take_if_likelier(tests, std::move(signs), best);
    }
    return best;
  }

  std::vector<SlopeTest> tests_of(const std::vector<Bend>& bends) const {
    std::vector<SlopeTest> tests;
    for (std::size_t p = 0; p < pieces_.size(); ++p) tests.emplace_back(pieces_, p, bends);
    return tests;
  }

  static void take_if_likelier(const std::vector<SlopeTest>& tests, std::vector<double> signs, Guess& best) {
    double evidence = 0;
    for (const SlopeTest& test : tests) evidence += test.evidence(signs);
    if (!(evidence > best.evidence)) return;
    best.signs = std::move(signs);
    best.evidence = evidence;
  }

  /// Among the best, in their order; one for each set of units.
  static void keep(Guess guess, std::vector<Guess>& best) {
    if (!(guess.evidence > 0)) return;
    const auto same = std::find_if(best.begin(), best.end(), [&](const Guess& other) {
      return std::all_of(guess.bends.begin(), guess.bends.end(),
                         [&](const Bend& bend) { return is_parallel(other.bends, bend); });
    });
    if (same != best.end()) {
      if (!is_likelier(guess, *same)) return;
      best.erase(same);
    }
    best.insert(std::upper_bound(best.begin(), best.end(), guess, is_likelier), std::move(guess));
    if (best.size() > kBeam) best.pop_back();
  }

  /// Units of the first layer are not; those of a later one are, where a single unit of the first is on.
  static bool is_parallel(const std::vector<Bend>& bends, const Bend& bend) {
    return std::any_of(bends.begin(), bends.end(), [&](const Bend& other) { return other.is_parallel_to(bend); });
  }

  static std::vector<Bend> joined(std::vector<Bend> bends, const Bend& bend) {
    bends.push_back(bend);
    return bends;
  }

  const ContinuedPieces& pieces_;
  std::size_t width_;
  const std::function<bool()>& should_stop_;
  std::vector<Bend> bends_;
};

/// One generic combination of the targets bends wherever any of them does.
Vector combined(const Matrix& targets) {
  Random random(0);
  Vector values = Vector::Zero(targets.cols());
  for (const auto& row : targets.rowwise()) {
    const double size = row.norm();
    const double weight = random.normal();
    if (size > 0) values += weight / size * row.transpose();
  }
  const double size = values.norm() / std::sqrt(static_cast<double>(values.size()));
  return size > 0 ? Vector(values / size) : values;
}

}  // namespace

std::vector<Layer> first_layer_guesses(const Matrix& inputs, const Matrix& targets, Index width,
                                       const std::function<bool()>& should_stop) {
  const Vector mean = inputs.rowwise().mean();
  Vector spread = ((inputs.colwise() - mean).rowwise().norm()) / std::sqrt(static_cast<double>(inputs.cols()));
  spread = (spread.array() > 0).select(spread, 1.0);
  const Matrix scaled = spread.cwiseInverse().asDiagonal() * (inputs.colwise() - mean);
  const Vector values = combined(targets);
  const ContinuedPieces pieces(scaled, values);
  std::vector<Layer> layers;
  if (pieces.size() < 2) return layers;
  for (const Guess& guess : FirstLayerSearch(pieces, width, should_stop).guesses()) {
    const auto units = static_cast<Index>(guess.bends.size());
    Layer layer{Matrix(units, inputs.rows()), Vector(units)};
    for (Index j = 0; j < units; ++j) {
      const Bend& bend = guess.bends[static_cast<std::size_t>(j)];
      const double size = guess.signs[static_cast<std::size_t>(j)] /
                          std::sqrt((bend.distances.array() - bend.distances.mean()).square().mean());
      layer.weights.row(j) = size * bend.normal.cwiseQuotient(spread).transpose();
      layer.bias(j) = size * bend.offset - layer.weights.row(j).dot(mean);
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace relufit
