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
  search.seed = start_seed(options_.seed, number_);
  search.time_limit = sequence_.time_limit;
  search.max_runs = plan_.iterations;
  search.tolerance = plan_.tolerance;
  search.should_stop = sequence_.subproblem.should_stop;
  return run_fit(piece_.part("search"), [&](const Piece& kept, const auto& record) {
    search.piece = &kept;
    return search_exact_fit(problem_, search, record);
  });
}

SequenceResult StartRun::run_fixed_output() {
  FixedOutputOptions fit;
  fit.seed = start_seed(options_.seed, number_);
  fit.output_weights = options_.fixed_output.row(0).transpose();
  fit.max_iterations = plan_.iterations;
  fit.tolerance = plan_.tolerance;
  fit.time_limit = sequence_.time_limit;
  fit.should_stop = sequence_.subproblem.should_stop;
  return run_fit(piece_.part("fixed output"), [&](const Piece& kept, const auto& record) {
    fit.piece = &kept;
    return fit_fixed_output(problem_, fit, record);
  });
}

template <class Fit>
SequenceResult StartRun::run_fit(const Piece& piece, Fit&& fit) {
  Clock clock;
  SequenceResult result;
  const Piece kept = piece.with([&](StateVisitor& visitor) {
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
  const auto found = fit(kept, [&](Index iterations, double residual) {
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
