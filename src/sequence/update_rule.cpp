#include "sequence/update_rule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "problem/lift_state.h"

namespace relufit {

namespace {

/// X = -A, Y = -B at the solution: `converged`, `inexact` and `projection`, which differ in how a problem is solved.
class PlainUpdate : public UpdateRule {
 public:
  explicit PlainUpdate(const SequenceOptions& options) : scales_(options.scales) {}

  const LiftedPoint& update(const LiftedPoint& solution, Relaxation& relaxation) override {
    move_parameters(solution, relaxation.parameters);
    if (!scaled_) relaxation.parameters = with_scales(std::move(relaxation.parameters), scales_);
    scaled_ = true;
    return solution;
  }

  void visit_state(StateVisitor& visitor) override { visitor(scaled_); }

 private:
  RelaxationScales scales_;
  bool scaled_ = false;  // the parameters have the scales, which stay
};

/// X = -(A + m (A - A_before)), Y likewise.
class ExtrapolatedUpdate : public UpdateRule {
 public:
  explicit ExtrapolatedUpdate(const SequenceOptions& options)
      : scales_(options.scales), momentum_(options.strategies.momentum) {}

  const LiftedPoint& update(const LiftedPoint& solution, Relaxation& relaxation) override {
    RelaxationParameters current = parameters_at(solution);
    RelaxationParameters next = current;
    if (before_) {
      const auto extrapolate = [this](Matrix& value, const Matrix& before) { value += momentum_ * (value - before); };
      for (std::size_t l = 0; l < next.product.size(); ++l) {
        extrapolate(next.pair[l].x, before_->pair[l].x);
        extrapolate(next.pair[l].y, before_->pair[l].y);
        extrapolate(next.product[l].x, before_->product[l].x);
        extrapolate(next.product[l].y, before_->product[l].y);
      }
    }
    before_ = std::move(current);
    relaxation.parameters = with_scales(std::move(next), scales_);
    return solution;
  }

  void visit_state(StateVisitor& visitor) override { visitor(before_); }

 private:
  RelaxationScales scales_;
  double momentum_;
  std::optional<RelaxationParameters> before_;
};

/// The plain update, with weights that grow geometrically up to the given ones.
class ContinuationUpdate : public UpdateRule {
 public:
  ContinuationUpdate(const SequenceOptions& options, Relaxation& first)
      : plain_(options),
        full_(options.weights),
        share_(options.strategies.continuation_start),
        growth_(options.strategies.continuation_growth) {
    first.weights = weights();
  }

  const LiftedPoint& update(const LiftedPoint& solution, Relaxation& relaxation) override {
    share_ = std::min(1.0, growth_ * share_);
    relaxation.weights = weights();
    return plain_.update(solution, relaxation);
  }

  void visit_state(StateVisitor& visitor) override { visitor(share_, plain_); }

 private:
  RelaxationWeights weights() const { return {share_ * full_.pair, share_ * full_.product}; }

  PlainUpdate plain_;
  RelaxationWeights full_;
  double share_;
  double growth_;
};

/// The plain update with V1 = (E E' + g I)^-1, V2 = (E'E + g I)^-1, w = 1 / (e^2 + g).
class ReweightedUpdate : public UpdateRule {
 public:
  ReweightedUpdate(const LiftedProblem& problem, const SequenceOptions& options)
      : problem_(problem),
        plain_(options),
        from_iteration_(options.strategies.reweight_from),
        floor_(options.strategies.reweight_floor) {
    check_general_scales(problem);
  }

  const LiftedPoint& update(const LiftedPoint& solution, Relaxation& relaxation) override {
    plain_.update(solution, relaxation);
    if (++next_iteration_ < from_iteration_) return solution;
    for (const BilinearEquality& equality : bilinear_equalities(problem_)) {
      const Matrix e = bilinear_residual(solution, equality);
      if (equality.kind == BilinearEquality::Kind::pair) {
        relaxation.parameters.pair[static_cast<std::size_t>(equality.layer - 1)].scale =
            (e.array().square() + floor_).inverse();
        continue;
      }
      ProductParameters& parameters = relaxation.parameters.product[static_cast<std::size_t>(equality.layer - 2)];
      parameters.left_matrix = regularized_inverse(product(e, e.transpose()));
      parameters.right_matrix = regularized_inverse(product(e.transpose(), e));
    }
    return solution;
  }

  void visit_state(StateVisitor& visitor) override { visitor(next_iteration_, plain_); }

 private:
  Matrix regularized_inverse(const Matrix& gram) const {
    const Matrix identity = Matrix::Identity(gram.rows(), gram.cols());
    return (gram + floor_ * identity).llt().solve(identity);
  }

  const LiftedProblem& problem_;
  PlainUpdate plain_;
  Index from_iteration_;
  double floor_;
  Index next_iteration_ = 1;
};

/// Goes on from solutions that lower the exact penalty by a share of what the relaxation promised; halves all scales
/// where one does not. The weights of the violations in the penalty, lambda times the square of the scale, stay: lambda
/// grows as the scales shrink. After an accepted solution the scales double again, up to the given ones.
class SafeguardedUpdate : public UpdateRule {
 public:
  SafeguardedUpdate(const LiftedProblem& problem, const SequenceOptions& options)
      : problem_(problem),
        weights_(options.weights),
        scales_(options.scales),
        smallest_share_(options.strategies.smallest_scale) {}

  const LiftedPoint& update(const LiftedPoint& solution, Relaxation& relaxation) override {
    const double penalty = exact_penalty(problem_, weights_, scales_, solution);
    const bool take = accepted(penalty, solution, relaxation);
    if (take) {
      least_ = penalty;
      kept_ = solution;
    }
    share_ = take ? std::min(1.0, 2 * share_) : std::max(smallest_share_, share_ / 2);
    const double square = share_ * share_;
    relaxation.weights = {weights_.pair / square, weights_.product / square};
    const RelaxationScales scales{share_ * scales_.pair, share_ * scales_.left, share_ * scales_.right};
    relaxation.parameters = with_scales(parameters_at(kept_), scales);
    return take ? solution : kept_;
  }

  void visit_state(StateVisitor& visitor) override {
    visitor(share_, least_);
    if (!std::isfinite(least_)) return;
    if (visitor.restores()) kept_ = zero_point(problem_);
    visitor(kept_);
  }

 private:
  /// The first problem has no point to be compared with.
  bool accepted(double penalty, const LiftedPoint& solution, const Relaxation& relaxation) const {
    constexpr double kShare = 0.1;
    if (!std::isfinite(least_)) return true;
    const double promised =
        least_ - relaxation_objective(problem_, relaxation.parameters, relaxation.weights, solution);
    return penalty < least_ && least_ - penalty >= kShare * promised;
  }

  const LiftedProblem& problem_;
  RelaxationWeights weights_;
  RelaxationScales scales_;
  double smallest_share_;
  double share_ = 1;
  double least_ = std::numeric_limits<double>::infinity();
  LiftedPoint kept_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_update_rule(const LiftedProblem& problem, const SequenceOptions& options,
                                             Relaxation& first) {
  switch (options.strategy) {
    case Strategy::extrapolated:
      return std::make_unique<ExtrapolatedUpdate>(options);
    case Strategy::continuation:
      return std::make_unique<ContinuationUpdate>(options, first);
    case Strategy::reweighted:
      return std::make_unique<ReweightedUpdate>(problem, options);
    case Strategy::safeguarded:
      return std::make_unique<SafeguardedUpdate>(problem, options);
    case Strategy::converged:
    case Strategy::inexact:
    case Strategy::projection:
      break;
  }
  return std::make_unique<PlainUpdate>(options);
}

}  // namespace relufit
