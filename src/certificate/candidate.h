/// \file
/// A network of one hidden layer that units are added to until none is missing.
#pragma once

#include <functional>
#include <vector>

#include "certificate/dual_point.h"
#include "certificate/unit_search.h"

namespace relufit {

class Candidate {
 public:
  /// One hidden layer of ReLUs, linear outputs, squared or logistic loss.
  Candidate(LiftedProblem problem, std::vector<Layer> layers, unsigned seed, int threads)
      : problem_(std::move(problem)), layers_(std::move(layers)), seed_(seed), threads_(threads) {}

  const LiftedProblem& problem() const { return problem_; }
  const std::vector<Layer>& layers() const { return layers_; }
  double objective() const;
  DualPoint dual() const { return dual_point(problem_, layers_); }

  /// The largest unit that local searches find.
  UnitSearchResult search(const DualPoint& dual) const;
  /// Whether adding this unit lowers the objective by more than polishing may have left undone.
  bool is_missing(const UnitSearchResult& unit) const;
  /// Adds a unit in this direction (w, b) of the dual point's coordinates, with the size
  /// s^2 = (M(R) - ridge) / sum_j omega_j h_j^2 that is best along it, h its values (logistic loss: best for a bound on
  /// the objective, its curvature being at most 1/4).
  void add(const DualPoint& dual, const Vector& direction);
  /// Adds units, each followed by polishing, until local searches find none that is missing, then joins units that have
  /// come to do the same. The objective never rises by more than 1e-5 of it.
  void tighten(const std::function<bool()>& is_over);

 private:
  void polish(double tolerance, const std::function<bool()>& is_over);
  void add_missing(const std::function<bool()>& is_over);
  void drop_idle_units();
  bool join_units(double distance, const std::function<bool()>& is_over);
  void keep(const std::vector<Index>& units);

  LiftedProblem problem_;
  std::vector<Layer> layers_;
  unsigned seed_;
  int threads_;
};

}  // namespace relufit
