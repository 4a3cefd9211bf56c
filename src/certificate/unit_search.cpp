#include "certificate/unit_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/clock.h"
#include "base/random.h"
#include "certificate/bounds/chord_bound.h"
#include "certificate/bounds/quadratic_bound.h"
#include "parallel/workers.h"
#include "polish/units/unit_worth.h"

namespace relufit {

namespace {

constexpr Index kRandomStarts = 200;  // of which the best are climbed from: fewer, the larger the problem
constexpr double kClimbWork = 1e6;    // climbs times coordinates times samples
constexpr double kLeastClimbs = 16, kMostClimbs = 200;
constexpr AscentSteps kClimb{.most = 200, .first = 0.5, .least = 1e-9, .longest = 1, .longer = 1.5, .shorter = 3};
constexpr Index kHalved = 8;  // cells at a time, whatever the number of threads
constexpr double kUnknown = std::numeric_limits<double>::infinity();
constexpr double kAcross = 0.1;              // share of a target that bounds across the value need not go below
constexpr std::size_t kMostCells = 2000000;  // open at a time: memory

struct Attained {
  double value = 0;
  Vector direction;
};

double weight_norm(const UnitProblem& problem, const Vector& direction) {
  return direction.head(problem.weights).norm();
}

/// |w| = 1; nothing where w is 0.
bool normalize(const UnitProblem& problem, Vector& direction) {
  const double norm = weight_norm(problem, direction);
  if (!(norm > 1e-12)) return false;
  direction /= norm;
  return direction.allFinite();
}

/// Climbs from units to others that are worth no less.
class Climber {
 public:
  explicit Climber(const UnitProblem& problem)
      : problem_(problem),
        slopes_(-problem.dual),
        cone_(UnitCone::whole(problem.weights, problem.dual.rows())),
        worth_(Activation::relu, problem.points.topRows(problem.weights), slopes_, problem.has_bias(), cone_) {}

  Climber(const Climber&) = delete;  // the parts refer to each other
  Climber& operator=(const Climber&) = delete;

  Attained top(Vector direction) const {
    if (!normalize(problem_, direction)) return {};
    const double bias = problem_.has_bias() ? direction(problem_.weights) : 0;
    const FreeUnit unit = worth_.improved(worth_.at(direction.head(problem_.weights), bias), kClimb);
    direction.head(problem_.weights) = unit.weights;
    if (problem_.has_bias()) direction(problem_.weights) = unit.bias;
    return {unit.worth, std::move(direction)};
  }

 private:
  const UnitProblem& problem_;
  Matrix slopes_;
  UnitCone cone_;
  UnitWorth worth_;
};

/// Bounds cells one after the other in the same memory.
class Bounder {
 public:
  explicit Bounder(const UnitProblem& problem) : problem_(problem), chord_(problem), quadratic_(problem) {}

  /// Sets the bound and the split of a cell, whose bound so far is that of the cell it is a half of. What is attained
  /// in it goes to `attained` where it is more.
  void bound(Cell& cell, double target) {
    attained = {};
    if (!meets_sphere(cell)) {
      cell.bound = 0;
      return;
    }
    ranges_.set(problem_, cell);
    const double chord = chord_.bound(ranges_);
    cell.bound = std::min(cell.bound, chord);
    cell.split = chord_.best_split(ranges_, chord);
    if (cell.bound <= target) return;
    note(ranges_.center);
    if (!cell.curved) return;
    const double quadratic = by_quadratic(target);
    cell.curved = quadratic < chord;
    if (!cell.curved) return;
    cell.bound = std::min(cell.bound, quadratic);
    promise_.maxCoeff(&cell.split);
  }

  Attained attained;  ///< the largest value seen in the last cell, not yet climbed from

 private:
  bool meets_sphere(const Cell& cell) const {
    double nearest = 0, farthest = 0;
    for (Index j = 0; j < problem_.weights; ++j) {
      nearest += std::pow(std::max({0.0, cell.lower(j), -cell.upper(j)}), 2);
      farthest += std::pow(std::max(std::abs(cell.lower(j)), std::abs(cell.upper(j))), 2);
    }
    const double slack = rounding(problem_.weights);
    return nearest <= 1 + slack && farthest >= 1 - slack;
  }

  void note(const Vector& point) {
    const double norm = weight_norm(problem_, point);
    if (!(norm > 1e-9)) return;
    const double value = problem_.value(point).norm() / norm;
    if (value > attained.value) attained = {value, point / norm};
  }

  /// Along the value at the center, and along axes across it.
  double by_quadratic(double target) {
    const Index outputs = problem_.dual.rows();
    Matrix axes = Matrix::Identity(outputs, outputs);
    axes.col(0) = chord_.direction();
    if (outputs > 1) axes = Eigen::HouseholderQR<Matrix>(axes).householderQ();
    axes.col(0) = chord_.direction();
    promise_.setZero(problem_.coordinates());
    double sum = 0;
    for (Index k = outputs; k-- > 0;) {
      const double left = std::sqrt(std::max(0.0, target * target - sum));
      const double part = k == 0 ? left : kAcross * target / std::sqrt(static_cast<double>(outputs));
      const Vector r = problem_.dual.transpose() * axes.col(k);
      double most = 0;
      for (const double sign : {1.0, -1.0}) {
        const double chord = k > 0 ? kUnknown : (sign > 0 ? chord_.forward() : chord_.backward());
        const double value = chord <= part ? chord : quadratic_.bound(ranges_, sign * r, part);
        most = std::max(most, std::min(value, chord));
        if (value <= part) continue;
        note(quadratic_.maximizer());
        promise_ += quadratic_.promise();
      }
      sum += most * most;
    }
    return std::sqrt(sum) * (1 + rounding(outputs));
  }

  const UnitProblem& problem_;
  ChordBound chord_;
  QuadraticBound quadratic_;
  Ranges ranges_;
  Vector promise_;
};

/// Cells by falling bounds; of equal ones the first that came.
class OpenCells {
 public:
  void push(Cell cell) {
    cells_.push_back({std::move(cell), count_++});
    std::push_heap(cells_.begin(), cells_.end(), below);
  }
  Cell pop() {
    std::pop_heap(cells_.begin(), cells_.end(), below);
    Cell cell = std::move(cells_.back().cell);
    cells_.pop_back();
    return cell;
  }
  bool empty() const { return cells_.empty(); }
  std::size_t size() const { return cells_.size(); }
  double largest() const { return cells_.empty() ? 0 : cells_.front().cell.bound; }

 private:
  struct Entry {
    Cell cell;
    Index number;
  };
  static bool below(const Entry& a, const Entry& b) {
    return a.cell.bound != b.cell.bound ? a.cell.bound < b.cell.bound : a.number > b.number;
  }
  std::vector<Entry> cells_;
  Index count_ = 0;
};

class UnitSearch {
 public:
  UnitSearch(const UnitProblem& problem, const UnitSearchResult& found, const UnitSearchOptions& options)
      : problem_(problem), options_(options), climber_(problem), workers_(options.threads), result_(found) {
    for (Index i = 0; i < 2 * kHalved; ++i) bounders_.emplace_back(problem);
  }

  UnitSearchResult run() {
    Cell all;
    all.lower.setConstant(problem_.coordinates(), -1);
    all.upper.setOnes(problem_.coordinates());
    if (problem_.has_bias()) {
      all.lower(problem_.weights) = -problem_.largest;  // beyond |x_i| the value changes no more
      all.upper(problem_.weights) = problem_.largest;
    }
    all.bound = rough_bound();
    bounders_.front().bound(all, target());
    keep(bounders_.front().attained);
    result_.cells = 1;
    add(std::move(all));
    while (!is_done()) halve_largest();
    result_.upper = std::max({closed_, open_.largest(), result_.lower});
    return result_;
  }

 private:
  double target() const { return std::max(result_.lower * (1 + options_.accuracy), options_.enough); }

  /// Of the sum of sizes.
  double rough_bound() const {
    const double bias = problem_.has_bias() ? problem_.largest : 0;
    const double sum = problem_.dual.colwise().norm().dot((problem_.norms.array() + bias).matrix());
    return sum * (1 + rounding(problem_.samples()));
  }

  void add(Cell cell) {
    if (cell.bound <= target()) {
      closed_ = std::max(closed_, cell.bound);
    } else {
      open_.push(std::move(cell));
    }
  }

  void keep(const Attained& attained) {
    if (!(attained.value > result_.lower)) return;
    const Attained top = climber_.top(attained.direction);
    result_.lower = top.value;
    result_.direction = top.direction;
  }

  bool is_done() {
    if (open_.largest() <= target()) return true;
    if (options_.should_stop && options_.should_stop()) {
      result_.status = CertificateStatus::interrupted;
    } else if (options_.time_limit > 0 && clock_.seconds() > options_.time_limit) {
      result_.status = CertificateStatus::time_limit;
    } else if (open_.size() > kMostCells) {
      result_.status = CertificateStatus::cell_limit;
    } else {
      return false;
    }
    return true;
  }

  void halve_largest() {
    std::vector<Cell> halves;
    for (Index i = 0; i < kHalved && !open_.empty() && (i == 0 || open_.largest() > target()); ++i) {
      Cell lower = open_.pop();
      Cell upper = lower;
      const Index j = lower.split;
      lower.upper(j) = upper.lower(j) = (lower.lower(j) + lower.upper(j)) / 2;
      halves.push_back(std::move(lower));
      halves.push_back(std::move(upper));
    }
    const double known = target();
    workers_.run(static_cast<Index>(halves.size()), [&](Index i) {
      const auto k = static_cast<std::size_t>(i);
      bounders_[k].bound(halves[k], known);
    });
    result_.cells += static_cast<Index>(halves.size());
    for (std::size_t k = 0; k < halves.size(); ++k) keep(bounders_[k].attained);
    for (Cell& cell : halves) add(std::move(cell));
  }

  const UnitProblem& problem_;
  const UnitSearchOptions& options_;
  Climber climber_;
  Workers workers_;
  Clock clock_;
  std::vector<Bounder> bounders_;
  OpenCells open_;
  double closed_ = 0;  // the largest bound of cells that are done with
  UnitSearchResult result_;
};

}  // namespace

UnitSearchResult find_unit(const UnitProblem& problem, const Matrix& starts, unsigned long long seed) {
  UnitSearchResult result;
  result.direction.setZero(problem.coordinates());
  const Climber climber(problem);
  const auto try_from = [&](const Vector& start) {
    Attained top = climber.top(start);
    if (!(top.value > result.lower)) return;
    result.lower = top.value;
    result.direction = std::move(top.direction);
  };
  for (Index k = 0; k < starts.cols(); ++k) try_from(starts.col(k));
  Random random(seed);
  std::vector<Attained> tried;
  for (Index k = 0; k < kRandomStarts; ++k) {
    Vector direction = random.normal(problem.coordinates(), 1);
    const Index bend = random.index(problem.samples());
    if (!normalize(problem, direction)) continue;
    if (problem.has_bias()) {
      direction(problem.weights) = 0;
      direction(problem.weights) = -problem.points.col(bend).dot(direction);
    }
    tried.push_back({problem.value(direction).norm(), direction});
  }
  std::stable_sort(tried.begin(), tried.end(), [](const auto& a, const auto& b) { return a.value > b.value; });
  const auto climbs = std::clamp(kClimbWork / static_cast<double>(problem.points.size()), kLeastClimbs, kMostClimbs);
  tried.resize(std::min(tried.size(), static_cast<std::size_t>(climbs)));
  for (const Attained& start : tried) try_from(start.direction);
  return result;
}

UnitSearchResult bound_unit(const UnitProblem& problem, const UnitSearchResult& found,
                            const UnitSearchOptions& options) {
  return UnitSearch(problem, found, options).run();
}

}  // namespace relufit
