// Exact fits without a relaxation, told as sequences: runs, or iterations, of a search are those of the sequence, the
// network found is its own lifted solution.

#include <cmath>

#include "relufit/fit.h"
#include "relufit/fixed_output.h"
#include "relufit/search.h"
#include "sequence/sequence_state.h"
#include "train/plan/problem.h"
#include "train/start_run.h"

namespace relufit {

namespace {

SequenceStatus sequence_status(SearchStatus status) {
  switch (status) {
    case SearchStatus::converged:
      return SequenceStatus::converged;
    case SearchStatus::time_limit:
      return SequenceStatus::time_limit;
    case SearchStatus::interrupted:
      return SequenceStatus::interrupted;
    case SearchStatus::run_limit:
      break;
  }
  return SequenceStatus::iteration_limit;
}

}  // namespace

SequenceResult StartRun::run_search() {
  SearchOptions search;
  search.max_runs = plan_.iterations;
  return run_fit("search", search, search_exact_fit);
}

SequenceResult StartRun::run_fixed_output() {
  FixedOutputOptions fit;
  fit.output_weights = options_.fixed_output.row(0).transpose();
  fit.max_iterations = plan_.iterations;
  return run_fit("fixed output", fit, fit_fixed_output);
}

template <class Options, class Fit>
SequenceResult StartRun::run_fit(const char* name, Options options, Fit&& fit) {
  Clock clock;
  SequenceResult result;
  const Piece kept = piece_.part(name).with([&](StateVisitor& visitor) {
    double seconds = clock.seconds();
    visitor(seconds, result.trace);
    progress_.visit_best(visitor);
    if (visitor.restores()) clock = Clock(seconds);
  });
  const auto describe = [&](SequenceRecord& record, double residual) {
    record.fit = residual;
    record.loss = 0.5 * std::pow(residual * problem_.targets.norm(), 2);
    record.seconds = clock.seconds();
  };
  options.seed = start_seed(options_.seed, number_);
  options.tolerance = plan_.tolerance;
  options.time_limit = sequence_.time_limit;
  options.should_stop = sequence_.subproblem.should_stop;
  options.piece = &kept;
  const auto found = fit(problem_, options, [&](Index iterations, double residual) {
    SequenceRecord& record = result.trace.emplace_back();
    record.iteration = iterations;
    describe(record, residual);
    return progress_.observe(number_, record);
  });
  describe(result.trace.back(), found.relative_residual);  // of the network kept, not of the last one tried
  result.status = sequence_status(found.status);
  keep(problem_, found.layers, found.relative_residual, result);
  return result;
}

}  // namespace relufit
