#include "relufit/polish.h"

#include <fmt/format.h>
#include <lbfgs.h>

#include <exception>
#include <limits>
#include <new>
#include <stdexcept>
#include <unsupported/Eigen/LevenbergMarquardt>

#include "polish/constrained_polish.h"
#include "relufit/fit.h"

namespace relufit {

namespace {

void check(const LiftedProblem& problem, const std::vector<Layer>& layers, const PolishOptions& options) {
  relufit::check(problem);
  if (network_of(problem, layers).widths() != problem.widths)
    throw std::invalid_argument("layers: not of the problem's widths");
  if (options.max_iterations < 1) {
    throw std::invalid_argument(fmt::format("max_iterations: {}, expected at least 1", options.max_iterations));
  }
  if (options.largest_dense < 0) {
    throw std::invalid_argument(fmt::format("largest_dense: {}, expected at least 0", options.largest_dense));
  }
}

bool is_small(const NetworkErrors& errors, const PolishOptions& options) {
  const Index rows = std::max(errors.value_count(), errors.parameter_count());
  return rows * errors.parameter_count() <= options.largest_dense;
}

/// Where both methods work: the parameters so far, how many iterations, and whether to go on.
struct Refinement {
  NetworkErrors errors;
  Vector parameters;
  const PolishOptions& options;
  Index iterations = 0;
  bool interrupted = false;
  Vector point = {}, gradient = {};  // of one evaluation
  std::exception_ptr failure = {};

  bool stop_asked() {
    interrupted = options.should_stop && options.should_stop();
    return interrupted;
  }
};

struct ErrorFunctor : Eigen::DenseFunctor<double> {
  explicit ErrorFunctor(NetworkErrors& network_errors)
      : DenseFunctor(static_cast<int>(network_errors.parameter_count()),
                     // MINPACK's algorithm wants at least as many equations as unknowns; those added are 0 = 0.
                     static_cast<int>(std::max(network_errors.value_count(), network_errors.parameter_count()))),
        errors(network_errors) {}

  int operator()(const Vector& parameters, Vector& values) const {
    Vector own;
    errors.values(parameters, own);
    values.setZero(m_values);
    values.head(own.size()) = own;
    return 0;
  }

  int df(const Vector& parameters, Matrix& jacobian) const {
    Matrix own;
    errors.jacobian(parameters, own);
    jacobian.setZero(m_values, m_inputs);
    jacobian.topRows(own.rows()) = own;
    return 0;
  }

  NetworkErrors& errors;
};

void levenberg_marquardt(Refinement& refinement) {
  ErrorFunctor functor(refinement.errors);
  Eigen::LevenbergMarquardt<ErrorFunctor> solver(functor);
  solver.setFtol(0);  // down to where nothing is gained in double precision
  solver.setXtol(std::numeric_limits<double>::epsilon());
  solver.setMaxfev(10 * refinement.options.max_iterations);
  auto status = solver.minimizeInit(refinement.parameters);
  if (status == Eigen::LevenbergMarquardtSpace::ImproperInputParameters) return;
  do {
    status = solver.minimizeOneStep(refinement.parameters);
    ++refinement.iterations;
  } while (status == Eigen::LevenbergMarquardtSpace::Running &&
           refinement.iterations < refinement.options.max_iterations && !refinement.stop_asked());
}

lbfgsfloatval_t evaluate(void* instance, const lbfgsfloatval_t* x, lbfgsfloatval_t* gradient, int n, lbfgsfloatval_t) {
  auto& refinement = *static_cast<Refinement*>(instance);
  // An exception must not pass through the C library, which ends its search where the loss is no number.
  try {
    // In memory of Eigen's own alignment: rounding of vectorized loops depends on it, and results must not.
    refinement.point = Eigen::Map<const Vector>(x, n);
    refinement.gradient.resize(n);
    const double value = refinement.errors.loss(refinement.point, refinement.gradient);
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
  // Whatever else it returns, the parameters are the best it found: the caller compares losses.
  const int status = lbfgs(static_cast<int>(refinement.parameters.size()), refinement.parameters.data(), nullptr,
                           evaluate, after_iteration, &refinement, &settings);
  if (refinement.failure) std::rethrow_exception(refinement.failure);
  if (status == LBFGSERR_OUTOFMEMORY) throw std::bad_alloc();
}

}  // namespace

bool has_constrained_polish(const LiftedProblem& problem, const PolishOptions& options) {
  const NetworkErrors errors(problem);
  return !problem.weight_terms.empty() && errors.has_curvature() && is_small(errors, options);
}

PolishResult polish(const LiftedProblem& problem, const std::vector<Layer>& layers, const PolishOptions& options) {
  check(problem, layers, options);
  PolishResult result;
  result.layers = layers;
  result.before = result.after = network_loss(problem, layers);
  Refinement refinement{NetworkErrors(problem), {}, options};
  refinement.parameters = refinement.errors.pack(layers);
  if (!problem.weight_terms.empty()) {
    return has_constrained_polish(problem, options) ? polish_constrained(problem, layers, options) : result;
  }
  if (is_small(refinement.errors, options) && refinement.errors.is_least_squares()) {
    levenberg_marquardt(refinement);
  } else {
    lbfgs_minimize(refinement);
  }
  result.iterations = refinement.iterations;
  result.interrupted = refinement.interrupted;
  if (!refinement.parameters.allFinite()) return result;
  std::vector<Layer> refined = refinement.errors.unpack(refinement.parameters);
  const double after = network_loss(problem, refined);
  if (!(after < result.before)) return result;
  result.layers = std::move(refined);
  result.after = after;
  return result;
}

}  // namespace relufit
