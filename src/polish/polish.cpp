// L-BFGS first, whatever the loss. It steps across the kinks of a ReLU network's loss in which Levenberg-Marquardt,
// whose quadratic model sees one side alone, comes to rest: measured on squares, L-BFGS ends lower (bundled data and
// random teachers: by 8 to 33 %) at a fraction of the time, and likewise for Huber, logistic and cross-entropy.
//
// What L-BFGS cannot do is make an exact fit exact: that takes a second-order method. So for unweighted squares with a
// small Jacobian, Levenberg-Marquardt goes on where it ended, by the normal equations
//
//     (G + mu D^2) d = f,     G = J'J + ridge,   f = J'r + ridge x,   D^2 = diag(G),   x becomes x - d,
//
// which for p parameters and m errors take m p^2 + p^3 / 3 operations, without J in memory. Rounding of G, eps |J|^2,
// hides singular values of J D^-1 below sqrt(eps): along these d is too short by a factor that the damping sets, so
// that exact fits would converge slowly. They get last steps by the orthogonal factors of [J; sqrt(mu) D] instead, with
// the same d in exact arithmetic, which lose only singular values below eps.

#include "relufit/polish.h"

#include <fmt/format.h>
#include <lbfgs.h>

#include <exception>
#include <limits>
#include <new>
#include <stdexcept>

#include "linear_algebra/decompositions.h"
#include "polish/constrained_polish.h"
#include "polish/evaluations.h"
#include "polish/levenberg_marquardt.h"
#include "polish/units/balance.h"
#include "problem/sample_sums.h"
#include "relufit/fit.h"

namespace relufit {

namespace {

constexpr double kSettled = 1e-8;       // relative decrease in one step: three such steps in a row end the descent
constexpr double kLeastScale = 1e-8;    // of parameters that hardly any error depends on, relative to the mean
constexpr double kNearlyExact = 1e-10;  // squared error, relative to the targets': a fit to make exact
constexpr DampingSchedule kOrthogonalDamping = {1e-6, 1e-16, 1e8, 1. / 10, 10};

void check(const LiftedProblem& problem, const std::vector<Layer>& layers, const PolishOptions& options) {
  relufit::check(problem);
  if (network_of(problem, layers).widths() != problem.network.widths)
    throw std::invalid_argument("layers: not of the problem's widths");
  if (options.max_iterations < 1) {
    throw std::invalid_argument(fmt::format("max_iterations: {}, expected at least 1", options.max_iterations));
  }
  if (!(options.tolerance >= 0)) {
    throw std::invalid_argument(fmt::format("tolerance: {}, expected at least 0", options.tolerance));
  }
  if (options.threads < 1) {
    throw std::invalid_argument(fmt::format("threads: {}, expected at least 1", options.threads));
  }
  if (options.largest_dense < 0) {
    throw std::invalid_argument(fmt::format("largest_dense: {}, expected at least 0", options.largest_dense));
  }
}

/// Whether the Jacobian is. That of samples which lie with several ranks is not (SharedTraining).
bool is_small(const LiftedProblem& problem, const NetworkErrors& errors, const PolishOptions& options) {
  const Index rows = std::max(errors.value_count(), errors.parameter_count());
  return problem.share.ranks == nullptr && rows * errors.parameter_count() <= options.largest_dense;
}

/// Where both methods work: the parameters so far, how many iterations, and whether to go on.
struct Refinement {
  NetworkErrors errors;
  Vector parameters;
  const PolishOptions& options;
  const Ranks* ranks;
  Index iterations = 0;
  bool interrupted = false;
  double nearly_exact = 0;  // a loss
  Piece piece = Piece::at(options.piece);
  Evaluations known{piece.part("evaluations")};  // by L-BFGS
  Vector point = {}, gradient = {};              // of one evaluation
  std::exception_ptr failure = {};

  bool stop_asked() {
    interrupted = agreed(ranks, options.should_stop && options.should_stop());
    return interrupted;
  }
};

/// Steps by the normal equations (G + mu D^2) d = -f, f the gradient, G = J'J, D^2 = diag(G).
class NormalEquations {
 public:
  explicit NormalEquations(NetworkErrors& errors) : errors_(errors) {}

  double value(const Vector& x) { return errors_.loss(x); }

  void linearize(const Vector& x) {
    errors_.gauss_newton(x, gradient_, gram_);
    // Parameters that no error depends on, as those of dead units, would make the system singular.
    scale_ = gram_.diagonal().cwiseMax(kLeastScale * gram_.diagonal().mean());
  }

  bool step(const Vector& x, double damping, Vector& tried) {
    damped_ = gram_;
    damped_.diagonal() += damping * scale_;
    factor_.compute(damped_);
    if (factor_.info() != Eigen::Success) return false;
    tried = x - factor_.solve(gradient_);
    return true;
  }

  void visit_state(StateVisitor&) {}

 private:
  NetworkErrors& errors_;
  Vector gradient_, scale_;
  Matrix gram_, damped_;  // lower halves
  Eigen::LLT<Matrix> factor_;
};

/// Steps by the orthogonal factors of [J; sqrt(mu) D], which keep the digits that J'J loses.
class OrthogonalFactors {
 public:
  explicit OrthogonalFactors(NetworkErrors& errors) : errors_(errors) {}

  double value(const Vector& x) { return errors_.loss(x); }

  void linearize(const Vector& x) {
    errors_.jacobian(x, jacobian_);
    errors_.values(x, values_);
    scale_ = jacobian_.colwise().norm().transpose();
    scale_ = scale_.cwiseMax(std::sqrt(kLeastScale / static_cast<double>(scale_.size())) * scale_.norm()).eval();
  }

  bool step(const Vector& x, double damping, Vector& tried) {
    const Index errors = values_.size();
    damped_.setZero(errors + x.size(), x.size());
    damped_.topRows(errors) = jacobian_;
    damped_.bottomRows(x.size()).diagonal() = std::sqrt(damping) * scale_;
    right_.setZero(damped_.rows());
    right_.head(errors) = values_;
    factor_.compute(damped_);
    tried = x - factor_.solve(right_);
    return tried.allFinite();
  }

  void visit_state(StateVisitor&) {}

 private:
  NetworkErrors& errors_;
  Vector values_, scale_, right_;
  Matrix jacobian_, damped_;
  Eigen::HouseholderQR<Matrix> factor_;
};

void levenberg_marquardt(Refinement& refinement) {
  DescentLimits limits{refinement.options.max_iterations, kSettled};
  limits.should_stop = [&] { return refinement.stop_asked(); };
  limits.piece = refinement.piece.part("normal equations");
  NormalEquations normal(refinement.errors);
  Descent descent = levenberg_marquardt(normal, refinement.parameters, DampingSchedule(), limits);
  refinement.iterations += descent.iterations;
  if (refinement.interrupted || !(descent.value <= refinement.nearly_exact)) return;
  limits.iterations -= descent.iterations;
  limits.piece = refinement.piece.part("orthogonal factors");
  OrthogonalFactors orthogonal(refinement.errors);
  descent = levenberg_marquardt(orthogonal, refinement.parameters, kOrthogonalDamping, limits);
  refinement.iterations += descent.iterations;
}

lbfgsfloatval_t evaluate(void* instance, const lbfgsfloatval_t* x, lbfgsfloatval_t* gradient, int n, lbfgsfloatval_t) {
  auto& refinement = *static_cast<Refinement*>(instance);
  // An exception must not pass through the C library, which ends its search where the loss is no number.
  try {
    // In memory of Eigen's own alignment: rounding of vectorized loops depends on it, and results must not.
    refinement.point = Eigen::Map<const Vector>(x, n);
    refinement.gradient.resize(n);
    const double value =
        refinement.known.at(refinement.point, refinement.gradient,
                            [&](const Vector& at, Vector& slope) { return refinement.errors.loss(at, slope); });
    Eigen::Map<Vector>(gradient, n) = refinement.gradient;
    return value;
  } catch (...) {
    refinement.failure = std::current_exception();
    return std::numeric_limits<double>::quiet_NaN();
  }
}

int after_iteration(void* instance, const lbfgsfloatval_t*, const lbfgsfloatval_t*, lbfgsfloatval_t, lbfgsfloatval_t,
                    lbfgsfloatval_t, lbfgsfloatval_t, int, int iteration, int) {
  auto& refinement = *static_cast<Refinement*>(instance);
  refinement.iterations = iteration;
  return refinement.failure || refinement.stop_asked() ? 1 : 0;
}

void lbfgs_minimize(Refinement& refinement) {
  lbfgs_parameter_t settings;
  lbfgs_parameter_init(&settings);
  settings.m = 20;
  settings.epsilon = 1e-12;
  settings.max_iterations = static_cast<int>(refinement.options.max_iterations);
  if (refinement.options.tolerance > 0) {
    settings.past = 10;
    settings.delta = refinement.options.tolerance;
  }
  // Whatever else it returns, the parameters are the best it found: the caller compares losses.
  const int status = lbfgs(static_cast<int>(refinement.parameters.size()), refinement.parameters.data(), nullptr,
                           evaluate, after_iteration, &refinement, &settings);
  if (refinement.failure) std::rethrow_exception(refinement.failure);
  if (status == LBFGSERR_OUTOFMEMORY) throw std::bad_alloc();
  if (refinement.interrupted) refinement.known.keep();
}

}  // namespace

bool has_constrained_polish(const LiftedProblem& problem, const PolishOptions& options) {
  const NetworkErrors errors(problem);
  return !problem.weight_terms.empty() && errors.has_curvature() && is_small(problem, errors, options);
}

PolishResult polish(const LiftedProblem& problem, const std::vector<Layer>& layers, const PolishOptions& options) {
  check(problem, layers, options);
  PolishResult result;
  result.layers = layers;
  result.before = result.after = network_loss(problem, layers);
  Refinement refinement{NetworkErrors(problem, options.threads), {}, options, problem.share.ranks};
  refinement.parameters = refinement.errors.pack(balanced(problem, layers));
  refinement.nearly_exact = 0.5 * kNearlyExact * sum_over(Chunks::of(problem), [&](Range samples) {
                              return problem.targets.middleCols(samples.begin, samples.size).squaredNorm();
                            });
  if (!problem.weight_terms.empty()) {
    return has_constrained_polish(problem, options) ? polish_constrained(problem, layers, options) : result;
  }
  lbfgs_minimize(refinement);
  const bool to_the_end = options.tolerance == 0 && !refinement.interrupted;
  if (to_the_end && is_small(problem, refinement.errors, options) && refinement.errors.is_least_squares()) {
    levenberg_marquardt(refinement);
  }
  result.iterations = refinement.iterations;
  result.interrupted = refinement.interrupted;
  if (!refinement.parameters.allFinite()) return result;
  std::vector<Layer> refined = balanced(problem, refinement.errors.unpack(refinement.parameters));
  const double after = network_loss(problem, refined);
  if (!(after < result.before)) return result;
  result.layers = std::move(refined);
  result.after = after;
  return result;
}

}  // namespace relufit
