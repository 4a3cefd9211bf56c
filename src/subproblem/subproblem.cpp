#include "relufit/subproblem.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>
#include <utility>

#include "subproblem/solver.h"

namespace relufit {

const char* to_string(SubproblemStatus status) {
  switch (status) {
    case SubproblemStatus::converged:
      return "converged";
    case SubproblemStatus::iteration_limit:
      return "iteration limit";
    case SubproblemStatus::interrupted:
      return "interrupted";
  }
  return "unknown";
}

namespace {

void check_positive(double value, const char* name) {
  if (!(std::isfinite(value) && value > 0)) {
    throw std::invalid_argument(fmt::format("{}: {}, expected a number > 0", name, value));
  }
}

void check(const RelaxationWeights& weights) {
  check_positive(weights.pair, "weights.pair");
  check_positive(weights.product, "weights.product");
}

void check(const Penalties& penalties, int threads) {
  check_positive(penalties.pair, "penalties.pair");
  check_positive(penalties.product, "penalties.product");
  check_positive(penalties.output, "penalties.output");
  check_positive(penalties.weight, "penalties.weight");
  if (threads < 1) throw std::invalid_argument(fmt::format("threads: {}, expected at least 1", threads));
}

void check(const SubproblemOptions& options) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  if (!(options.tolerance >= 0)) fail(fmt::format("tolerance: {}, expected a number >= 0", options.tolerance));
  if (options.max_iterations < 1) fail(fmt::format("max_iterations: {}, expected at least 1", options.max_iterations));
  if (options.check_interval < 1) fail(fmt::format("check_interval: {}, expected at least 1", options.check_interval));
  if (!(options.over_relaxation > 0 && options.over_relaxation < 2)) {
    fail(fmt::format("over_relaxation: {}, expected a number in (0, 2)", options.over_relaxation));
  }
}

}  // namespace

SubproblemSolver::SubproblemSolver(const LiftedProblem& problem, const RelaxationWeights& weights,
                                   const Penalties& penalties, int threads) {
  check(problem);
  check(weights);
  check(penalties, threads);
  impl_ = std::make_unique<Impl>(problem, weights, penalties, threads);
}
SubproblemSolver::~SubproblemSolver() = default;
SubproblemSolver::SubproblemSolver(SubproblemSolver&&) noexcept = default;
SubproblemSolver& SubproblemSolver::operator=(SubproblemSolver&&) noexcept = default;

void SubproblemSolver::set_parameters(const RelaxationParameters& parameters) {
  impl_->set_relaxation(parameters, impl_->weights());
}
void SubproblemSolver::set_relaxation(const RelaxationParameters& parameters, const RelaxationWeights& weights) {
  check(weights);
  impl_->set_relaxation(parameters, weights);
}
void SubproblemSolver::refer_to(const RelaxationParameters& parameters, const RelaxationWeights& weights) {
  check(weights);
  impl_->refer_to(parameters, weights);
}
void SubproblemSolver::set_point(const LiftedPoint& point) { impl_->set_point(point); }
SubproblemResult SubproblemSolver::solve(const SubproblemOptions& options) {
  check(options);
  return impl_->solve(options);
}
const LiftedPoint& SubproblemSolver::point() const { return impl_->point(); }
LiftedPoint SubproblemSolver::take_point() && { return std::move(impl_->point()); }
std::vector<Layer> SubproblemSolver::network() const { return impl_->network(); }
const Penalties& SubproblemSolver::penalties() const { return impl_->penalties(); }
void SubproblemSolver::visit_state(StateVisitor& visitor, const RelaxationParameters& parameters,
                                   const RelaxationWeights& weights) {
  impl_->visit_state(visitor, parameters, weights);
}

}  // namespace relufit
