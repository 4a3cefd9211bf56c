// Levenberg-Marquardt whose steps are convex problems with the weight terms g_t as they stand. At parameters x, with
// the gradient f of the loss and its Gauss-Newton matrix G (J'J for squares, J the Jacobian of the errors),
//
//     minimize over d   f'd + 1/2 d'G d + mu/2 ||D d||^2 + sum_t g_t(W_t + d_t),     D^2 = diag(G),
//
// W_t being the weights of the term's layer. Where all terms are bounds this is a quadratic function over a box, solved
// by active sets (box_quadratic.h). Else by ADMM with a copy C_t of W_t + d_t for each term, scaled multipliers U_t and
// one Cholesky factorization per step:
//
//     d    = (G + mu D^2 + rho P'P)^{-1} (-f + rho P'(C - U - W))       P picks the weights of each term
//     C    = prox_{g/rho}(W + P d + U),   U += W + P d - C
//
// The new weights are the copies, in which constraints hold and zeros are exact; the multipliers go on from step to
// step. A step is taken if the loss falls, terms included; else mu grows.
//
// A ReLU network's loss has kinks, and most descents end in one of them, far above good minima. So a race first rounds
// off the corners of the activations (smooth_activation.h), by widths that begin at the size of the arguments and fall
// to nothing, each problem starting where the one before ended. After each width the networks with the least losses
// stay. A network that should stay near where it begins, as one at the end of a path of ridges, gets small widths
// alone.

#include "polish/constrained_polish.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "linear_algebra/decompositions.h"
#include "parallel/workers.h"
#include "polish/box_quadratic.h"
#include "polish/levenberg_marquardt.h"
#include "relufit/fit.h"

namespace relufit {

namespace {

constexpr double kDescentSettled = 1e-12;  // relative decrease of the loss: three such steps in a row end a descent

/// When the splitting method for one step ends: at a relative residual, or after so many iterations.
struct StepAccuracy {
  int iterations;
  double tolerance;
};
constexpr StepAccuracy kExactSteps{400, 1e-10};
// Measured: for descents that are mostly given up, nearly as good at a tenth of the time. Multipliers go on from step
// to step, so that steps get better as a descent settles.
constexpr StepAccuracy kQuickSteps{10, 1e-3};

// The race, measured on other splits than those of bench/constraints.py: widths in units of the arguments' size, steps
// and relative decrease at which each ends, and the share of the networks that go on to the next.
constexpr double kWidths[] = {1, 1. / 2, 1. / 4, 1. / 8, 1. / 16, 1. / 32};
constexpr Index kSmoothSteps = 25;
constexpr double kSmoothSettled = 1e-3;
constexpr double kStaying = 0.7;
constexpr double kRaceSettled = 1e-7;  // of the winner's last descent
// At the end of a path. Measured on seven sets of data (splits of their own), held out: without, as with all of the
// widths above, Boston is predicted 6 to 8% worse.
constexpr double kSmallWidths[] = {1. / 4, 1. / 16};

/// The quadratic model of the loss at some parameters.
struct QuadraticModel {
  Vector parameters, gradient;
  Matrix gram;   // lower half
  Vector scale;  // D^2
};

/// How a step is found: one way for every kind of terms.
class Step {
 public:
  virtual ~Step() = default;
  /// Called once for every model, before its steps.
  virtual void begin(const QuadraticModel& model) = 0;
  /// The parameters after the step with this damping, which keep the constraints.
  virtual Vector solve(const QuadraticModel& model, double damping) = 0;
  /// What goes on from step to step.
  virtual void visit_state(StateVisitor& visitor) = 0;
};

class BoxStep : public Step {
 public:
  BoxStep(const LiftedProblem& problem, const NetworkErrors& errors) {
    lower_.setConstant(errors.parameter_count(), -std::numeric_limits<double>::infinity());
    upper_ = -lower_;
    for (const WeightTerm& term : problem.weight_terms) {
      const Index first = errors.offset(static_cast<std::size_t>(term.layer) - 1);
      auto lower = lower_.segment(first, term.lower.size());
      auto upper = upper_.segment(first, term.upper.size());
      lower = lower.cwiseMax(term.lower.reshaped()).eval();
      upper = upper.cwiseMin(term.upper.reshaped()).eval();
    }
  }

  void begin(const QuadraticModel& model) override { full_ = model.gram.selfadjointView<Eigen::Lower>(); }

  Vector solve(const QuadraticModel& model, double damping) override {
    full_.diagonal() = model.gram.diagonal() + damping * model.scale;
    const Vector& x = model.parameters;
    const auto result = box_.minimize(full_, model.gradient, lower_ - x, upper_ - x);
    return (x + result.minimizer).cwiseMax(lower_).cwiseMin(upper_);
  }

  void visit_state(StateVisitor& visitor) override { visitor(box_); }

 private:
  Vector lower_, upper_;
  Matrix full_;
  BoxQuadratic box_;
};

class SplittingStep : public Step {
 public:
  SplittingStep(const LiftedProblem& problem, const NetworkErrors& errors, const std::vector<Layer>& layers,
                StepAccuracy accuracy)
      : terms_(problem.weight_terms), errors_(errors), accuracy_(accuracy) {
    for (const WeightTerm& term : terms_) {
      multipliers_.push_back(0 * layers[static_cast<std::size_t>(term.layer) - 1].weights);
    }
  }

  void begin(const QuadraticModel& model) override {
    const double rho = std::max(model.gram.diagonal().mean(), 1e-300);
    for (Matrix& u : multipliers_) u *= rho_ / rho;
    rho_ = rho;
  }

  Vector solve(const QuadraticModel& model, double damping) override {
    Matrix system = model.gram;
    system.diagonal() += damping * model.scale;
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      system.diagonal().segment(offset(t), multipliers_[t].size()).array() += rho_;
    }
    factor_.compute(system.selfadjointView<Eigen::Lower>());
    std::vector<Matrix> copies;
    for (std::size_t t = 0; t < terms_.size(); ++t) copies.push_back(weights(model.parameters, t));
    for (int i = 0; i < accuracy_.iterations; ++i) {
      if (iterate(model, copies) <= accuracy_.tolerance) break;
    }
    return with_copies(model.parameters + step_, copies);
  }

  void visit_state(StateVisitor& visitor) override { visitor(multipliers_, rho_); }

 private:
  Index offset(std::size_t t) const { return errors_.offset(static_cast<std::size_t>(terms_[t].layer) - 1); }

  /// Of the term's layer, in packed parameters.
  Eigen::Map<const Matrix> weights(const Vector& parameters, std::size_t t) const {
    return {parameters.data() + offset(t), multipliers_[t].rows(), multipliers_[t].cols()};
  }

  /// One iteration; returns the larger of its two relative residuals.
  double iterate(const QuadraticModel& model, std::vector<Matrix>& copies) {
    step_ = -model.gradient;
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      step_.segment(offset(t), copies[t].size()) +=
          rho_ * (copies[t] - multipliers_[t] - weights(model.parameters, t)).reshaped();
    }
    factor_.solveInPlace(step_);
    double gap = 0, change = 0, size = 0;
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      const Matrix moved = weights(model.parameters, t) + weights(step_, t);
      Matrix copy = moved + multipliers_[t];
      apply_prox(terms_[t], 1 / rho_, copy);
      multipliers_[t] += moved - copy;
      gap += (moved - copy).squaredNorm();
      change += (copy - copies[t]).squaredNorm();
      size += copy.squaredNorm();
      copies[t] = copy;
    }
    return std::sqrt(std::max(gap, change) / std::max(size, 1e-300));
  }

  Vector with_copies(Vector parameters, const std::vector<Matrix>& copies) const {
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      const bool last_of_layer = std::none_of(terms_.begin() + static_cast<std::ptrdiff_t>(t) + 1, terms_.end(),
                                              [&](const WeightTerm& later) { return later.layer == terms_[t].layer; });
      if (!last_of_layer) continue;
      Matrix kept = copies[t];
      project_onto_constraints(terms_, terms_[t].layer, kept);
      parameters.segment(offset(t), kept.size()) = kept.reshaped();
    }
    return parameters;
  }

  const std::vector<WeightTerm>& terms_;
  const NetworkErrors& errors_;
  StepAccuracy accuracy_;
  std::vector<Matrix> multipliers_;
  Vector step_;
  double rho_ = 1;
  Eigen::LLT<Matrix> factor_;
};

std::unique_ptr<Step> make_step(const LiftedProblem& problem, const NetworkErrors& errors,
                                const std::vector<Layer>& layers, StepAccuracy accuracy) {
  const auto& terms = problem.weight_terms;
  const bool box = std::all_of(terms.begin(), terms.end(),
                               [](const WeightTerm& term) { return term.kind == WeightTerm::Kind::bounds; });
  if (box) return std::make_unique<BoxStep>(problem, errors);
  return std::make_unique<SplittingStep>(problem, errors, layers, accuracy);
}

class ConstrainedPolish {
 public:
  ConstrainedPolish(const LiftedProblem& problem, const std::vector<Layer>& layers, const PolishOptions& options,
                    StepAccuracy accuracy)
      : problem_(problem),
        options_(options),
        errors_(problem),
        step_(make_step(problem, errors_, layers, accuracy)),
        parameters_(errors_.pack(layers)),
        best_(layers),
        before_(network_loss(problem, layers)),
        least_(before_) {}

  /// From the parameters, to where a few steps in a row gain less than `settled`, relatively; at most `steps` of them.
  void minimize(double smoothing, Index steps, double settled, const Piece& piece) {
    errors_.set_smoothing(smoothing);
    DescentLimits limits{std::min(steps, left()), settled};
    limits.piece = piece;
    limits.should_stop = [this] { return stopped(); };
    iterations_ += levenberg_marquardt(*this, parameters_, DampingSchedule(), limits).iterations;
    keep_best();
  }

  // What levenberg_marquardt asks for.

  double value(const Vector& parameters) {
    double value = errors_.loss(parameters);
    for (const WeightTerm& term : problem_.weight_terms) {
      if (is_constraint(term.kind)) continue;
      const auto layer = static_cast<std::size_t>(term.layer) - 1;
      value += term_value(term, errors_.unpack(parameters)[layer].weights);
    }
    return value;
  }

  void linearize(const Vector& parameters) {
    model_.parameters = parameters;
    errors_.gauss_newton(parameters, model_.gradient, model_.gram);
    // Parameters that no error depends on, as those of dead units, would make the system singular.
    model_.scale = model_.gram.diagonal().cwiseMax(1e-8 * model_.gram.diagonal().mean());
    step_->begin(model_);
  }

  bool step(const Vector&, double damping, Vector& tried) {
    tried = step_->solve(model_, damping);
    return true;
  }

  void visit_state(StateVisitor& visitor) { step_->visit_state(visitor); }

  /// Root mean square of the arguments of the hidden units.
  double argument_size() const {
    const LiftedPoint point = lift_network(problem_, errors_.unpack(parameters_));
    double sum = 0, count = 0;
    for (std::size_t l = 0; l < point.active.size(); ++l) {
      const Matrix arguments = point.arguments(l);
      sum += arguments.squaredNorm();
      count += static_cast<double>(arguments.size());
    }
    return count > 0 ? std::sqrt(sum / count) : 0;
  }

  PolishResult result() const {
    PolishResult result;
    result.layers = best_;
    result.before = before_;
    result.after = least_;
    result.iterations = iterations_;
    result.interrupted = interrupted_;
    return result;
  }
  double least() const { return least_; }
  Index left() const { return options_.max_iterations - iterations_; }

 private:
  bool stopped() {
    interrupted_ = interrupted_ || (options_.should_stop && options_.should_stop());
    return interrupted_;
  }

  void keep_best() {
    std::vector<Layer> layers = errors_.unpack(parameters_);
    const double value = network_loss(problem_, layers);
    if (!(value < least_)) return;
    best_ = std::move(layers);
    least_ = value;
  }

  const LiftedProblem& problem_;
  const PolishOptions& options_;
  NetworkErrors errors_;
  std::unique_ptr<Step> step_;
  QuadraticModel model_;
  Vector parameters_;
  std::vector<Layer> best_;
  double before_, least_;  // network_loss of the given layers and of the best
  Index iterations_ = 0;
  bool interrupted_ = false;
};

}  // namespace

PolishResult polish_constrained(const LiftedProblem& problem, const std::vector<Layer>& layers,
                                const PolishOptions& options) {
  const bool quick = options.tolerance > 0;
  ConstrainedPolish polish(problem, layers, options, quick ? kQuickSteps : kExactSteps);
  polish.minimize(0, polish.left(), quick ? options.tolerance : kDescentSettled, Piece::at(options.piece));
  return polish.result();
}

PolishResult polish_past_kinks(const LiftedProblem& problem, const std::vector<Layer>& layers,
                               const PolishOptions& options) {
  ConstrainedPolish polish(problem, layers, options, kQuickSteps);
  const Piece piece = Piece::at(options.piece);
  for (const double width : kSmallWidths) {
    polish.minimize(width * polish.argument_size(), kSmoothSteps, kSmoothSettled,
                    piece.part(fmt::format("width {}", width)));
  }
  polish.minimize(0, polish.left(), options.tolerance, piece.part("last"));
  return polish.result();
}

RaceResult race(const LiftedProblem& problem, const std::vector<std::vector<Layer>>& networks,
                const PolishOptions& options, int threads) {
  std::vector<std::unique_ptr<ConstrainedPolish>> polishes;
  std::vector<std::size_t> running;
  for (const std::vector<Layer>& layers : networks) {
    running.push_back(polishes.size());
    polishes.push_back(std::make_unique<ConstrainedPolish>(problem, layers, options, kQuickSteps));
  }
  Workers workers(static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(threads), networks.size())));
  const Piece piece = Piece::at(options.piece);
  for (const double width : kWidths) {
    workers.run(static_cast<Index>(running.size()), [&](Index i) {
      const std::size_t number = running[static_cast<std::size_t>(i)];
      ConstrainedPolish& polish = *polishes[number];
      polish.minimize(width * polish.argument_size(), kSmoothSteps, kSmoothSettled,
                      piece.part(fmt::format("width {} network {}", width, number)));
    });
    std::stable_sort(running.begin(), running.end(),
                     [&](std::size_t a, std::size_t b) { return polishes[a]->least() < polishes[b]->least(); });
    running.resize(static_cast<std::size_t>(std::ceil(kStaying * static_cast<double>(running.size()))));
  }
  ConstrainedPolish& winner = *polishes[running.front()];
  winner.minimize(0, winner.left(), kRaceSettled, piece.part("winner"));
  return {static_cast<Index>(running.front()), winner.result()};
}

}  // namespace relufit
