#include "relufit/search.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>
#include <string>

#include "exact_fit/searches.h"

namespace relufit {

const char* to_string(SearchStatus status) {
  switch (status) {
    case SearchStatus::converged:
      return "converged";
    case SearchStatus::run_limit:
      return "run limit";
    case SearchStatus::time_limit:
      return "time limit";
    case SearchStatus::interrupted:
      return "interrupted";
  }
  return "unknown";
}

namespace {

void check(const LiftedProblem& problem, const SearchOptions& options) {
  check(problem);
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  if (problem.network.hidden_layers() < 1) fail("widths: no hidden layer, the search for an exact fit expects one");
  if (problem.loss != Loss::exact) fail(fmt::format("loss: {}, the search expects exact", to_string(problem.loss)));
  if (problem.ridge != 0) fail(fmt::format("ridge: {}, the search for an exact fit expects 0", problem.ridge));
  if (!problem.weight_terms.empty()) {
    fail(fmt::format("weight_terms: {}, the search for an exact fit expects none", problem.weight_terms.size()));
  }
  if (!(options.time_limit >= 0)) fail(fmt::format("time_limit: {}, expected a number >= 0", options.time_limit));
  if (options.max_runs < 1) fail(fmt::format("max_runs: {}, expected at least 1", options.max_runs));
  if (options.patience < 0) fail(fmt::format("patience: {}, expected at least 0", options.patience));
  if (!(std::isfinite(options.extra_units) && options.extra_units >= 0)) {
    fail(fmt::format("extra_units: {}, expected a number >= 0", options.extra_units));
  }
  if (!(std::isfinite(options.tolerance) && options.tolerance > 0)) {
    fail(fmt::format("tolerance: {}, expected a number > 0", options.tolerance));
  }
}

}  // namespace

SearchResult search_exact_fit(const LiftedProblem& problem, const SearchOptions& options,
                              const SearchObserver& observer) {
  check(problem, options);
  const bool units = problem.network.hidden_layers() == 1 && problem.network.activation == Activation::relu &&
                     !problem.network.skip_connections;
  return units ? search_units(problem, options, observer) : search_networks(problem, options, observer);
}

}  // namespace relufit
