#include "train/plan/sharing.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "base/refusal.h"
#include "problem/sample_sums.h"
#include "relufit/polish.h"

namespace relufit {

namespace {

/// Whether the samples stay with their ranks: where training takes only sums over them, and there are so many that
/// Levenberg-Marquardt, which takes more, would not polish (PolishOptions::largest_dense).
bool keeps_samples_apart(const Dataset& data, Index samples, const TrainOptions& options, const TrainPlan& plan) {
  const bool early =
      plan.relaxation.strategy == Strategy::inexact || plan.relaxation.strategy == Strategy::continuation;
  const bool path_on_all = plan.path && samples <= kSampledRows;  // which is one rank's
  return plan.method == Method::relaxation && early && !path_on_all && !plan.relaxation.subproblem.accelerate &&
         !options.hidden.empty() && lift_of(options.activation).pieces.size() == 1 &&
         options.constraints.outputs.empty() && options.constraints.hidden.empty() && options.weight_grid == 0 &&
         samples * data.targets.rows() * parameter_count(architecture_of(options, data), options.bias) >
             PolishOptions().largest_dense &&
         Chunks(samples).total() >= options.ranks->size();
}

/// Whether samples have weights; a rank may have no samples.
bool are_weighted(const Dataset& data, const Ranks* ranks) {
  return largest_of(ranks, data.sample_weights.size() > 0 ? 1 : 0) > 0;
}

void check_alike(const Dataset& data, const Ranks* ranks) {
  collectively(ranks, [&] {
    if (data.targets.cols() != data.samples()) {
      fail(fmt::format("{} samples of targets, expected {}", data.targets.cols(), data.samples()));
    }
    if (data.sample_weights.size() != 0 && data.sample_weights.size() != data.samples()) {
      fail(fmt::format("sample_weights: {} values, expected {}, one per sample", data.sample_weights.size(),
                       data.samples()));
    }
  });
  const double inputs = agreed(ranks, static_cast<double>(data.inputs.rows()));
  const double targets = agreed(ranks, static_cast<double>(data.targets.rows()));
  const bool weighted = are_weighted(data, ranks);
  collectively(ranks, [&] {
    if (static_cast<double>(data.inputs.rows()) != inputs || static_cast<double>(data.targets.rows()) != targets) {
      fail(fmt::format("rank {}: {} inputs and {} targets, expected {} and {} as rank 0 has", ranks->rank(),
                       data.inputs.rows(), data.targets.rows(), inputs, targets));
    }
    if (data.samples() > 0 && (data.sample_weights.size() > 0) != weighted) {
      fail(fmt::format("rank {}: sample weights {}, expected as on other ranks", ranks->rank(),
                       weighted ? "not given" : "given"));
    }
  });
}

/// Where the samples of every rank begin, as they were passed.
std::vector<Index> passed_begins(const Dataset& data, const Ranks& ranks) {
  std::vector<Index> begins = {0};
  const Matrix counts = gathered_columns(&ranks, Matrix::Constant(1, 1, static_cast<double>(data.samples())));
  for (const double count : counts.reshaped()) begins.push_back(begins.back() + static_cast<Index>(count));
  return begins;
}

/// These samples, on every rank.
Dataset taken(const Dataset& data, const Ranks* ranks, const std::vector<Index>& begins,
              const std::vector<Index>& samples) {
  const auto columns = [&](const Matrix& from) { return columns_at(ranks, begins, from, samples); };
  const bool weighted = are_weighted(data, ranks);
  const Matrix weights = weighted ? columns(data.sample_weights.transpose()) : Matrix(1, 0);
  return {columns(data.inputs), columns(data.targets), data.input_names, data.target_names,
          weights.transpose(),  data.classification,   data.categories,  {}};
}

std::vector<Index> consecutive(Range samples) {
  std::vector<Index> numbers(static_cast<std::size_t>(samples.size));
  std::iota(numbers.begin(), numbers.end(), samples.begin);
  return numbers;
}

/// `count` of so many samples, ascending; all where there are no more.
std::vector<Index> drawn(Index samples, Index count, unsigned seed) {
  std::vector<Index> all = consecutive({0, samples});
  if (samples <= count) return all;
  Random random(seed);
  for (Index i = 0; i < count; ++i) {
    std::swap(all[static_cast<std::size_t>(i)], all[static_cast<std::size_t>(i + random.index(samples - i))]);
  }
  all.resize(static_cast<std::size_t>(count));
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

// One rank's samples at a time, so that none holds more than two ranks'.
Dataset dealt(const Dataset& data, const Ranks& ranks) {
  const std::vector<Index> begins = passed_begins(data, ranks);
  const Index samples = begins.back();
  Dataset mine;
  for (int rank = 0; rank < ranks.size(); ++rank) {
    Dataset theirs = taken(data, &ranks, begins, consecutive(Chunks(samples, &ranks, rank).samples()));
    if (rank == ranks.rank()) mine = std::move(theirs);
  }
  mine.share = {&ranks, samples};
  return mine;
}

Dataset shared_data(const Dataset& data, const TrainOptions& options, const TrainPlan& plan) {
  const Ranks* ranks = options.ranks;
  if (ranks == nullptr) return data;
  check_alike(data, ranks);
  const std::vector<Index> begins = passed_begins(data, *ranks);
  if (keeps_samples_apart(data, begins.back(), options, plan)) return dealt(data, *ranks);
  return taken(data, ranks, begins, consecutive({0, begins.back()}));
}

LiftedProblem sampled(const LiftedProblem& problem, Index samples, unsigned seed) {
  return on_samples(problem, drawn(problem.total_samples(), samples, seed));
}

}  // namespace relufit
