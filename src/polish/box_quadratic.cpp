#include "polish/box_quadratic.h"

#include <cmath>

#include "linear_algebra/decompositions.h"

namespace relufit {

namespace {
constexpr int kRounds = 20;
constexpr int kReleasing = 10;  // rounds after which entries are only fixed, so that the sets cannot cycle
}  // namespace

BoxQuadratic::Result BoxQuadratic::minimize(const Matrix& m, const Vector& gradient, const Vector& lower,
                                            const Vector& upper) {
  const Index size = gradient.size();
  if (static_cast<Index>(places_.size()) != size) places_.assign(static_cast<std::size_t>(size), Place::free);
  Result result;
  Vector& point = result.minimizer;
  for (int round = 0; round < kRounds && !result.converged; ++round) {
    std::vector<Index> free;
    point.setZero(size);
    for (Index i = 0; i < size; ++i) {
      Place& place = places_[static_cast<std::size_t>(i)];
      const double bound = place == Place::lower ? lower(i) : upper(i);
      if (place != Place::free && !std::isfinite(bound)) place = Place::free;  // of a problem with other bounds
      if (place == Place::free) {
        free.push_back(i);
      } else {
        point(i) = bound;
      }
    }
    Vector slope = gradient + m * point;
    if (!free.empty()) {
      const Eigen::LLT<Matrix> factor(Matrix(m(free, free)));
      const Vector step = factor.solve(Vector(slope(free)));
      point(free) = -step;
      slope = gradient + m * point;
    }
    result.converged = !move(slope, lower, upper, point, round < kReleasing);
  }
  point = point.cwiseMax(lower).cwiseMin(upper);
  return result;
}

/// Whether an entry changed its place.
bool BoxQuadratic::move(const Vector& slope, const Vector& lower, const Vector& upper, const Vector& point,
                        bool release) {
  bool moved = false;
  for (Index i = 0; i < point.size(); ++i) {
    Place& place = places_[static_cast<std::size_t>(i)];
    const Place before = place;
    if (place == Place::free) {
      if (point(i) < lower(i)) place = Place::lower;
      if (point(i) > upper(i)) place = Place::upper;
    } else if (lower(i) < upper(i) && (place == Place::lower ? slope(i) < 0 : slope(i) > 0)) {
      // Freed entries go where the next rounds say; those that stay wrongly fixed cost optimality, not feasibility.
      if (release) place = Place::free;
    }
    moved = moved || place != before;
  }
  return moved;
}

}  // namespace relufit
