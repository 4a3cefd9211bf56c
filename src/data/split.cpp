#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
#include <utility>

#include "relufit/data.h"

namespace relufit {
namespace {

/// Uniform in [0, bound) by rejection; std::uniform_int_distribution differs between standard libraries.
std::uint64_t random_below(std::mt19937_64& generator, std::uint64_t bound) {
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t limit = largest - largest % bound;
  std::uint64_t value = generator();
  while (value >= limit) value = generator();
  return value % bound;
}

Dataset take_samples(const Dataset& data, const std::vector<Index>& samples) {
  Dataset taken{data.inputs(Eigen::all, samples), data.targets(Eigen::all, samples), data.input_names,
                data.target_names};
  if (data.sample_weights.size() > 0) taken.sample_weights = data.sample_weights(samples);
  taken.classification = data.classification;
  taken.categories = data.categories;
  return taken;
}

/// The samples in random order, by the generator of the split alone.
std::vector<Index> shuffled(std::vector<Index> samples, std::mt19937_64& generator) {
  for (std::size_t i = samples.size(); i > 1; --i) std::swap(samples[i - 1], samples[random_below(generator, i)]);
  return samples;
}

/// How many samples of each class to hold out: its share, rounded so that the sum is `wanted`, and never the whole
/// class.
std::vector<Index> held_out_counts(const std::vector<std::vector<Index>>& classes, double fraction, Index wanted) {
  std::vector<Index> counts;
  std::vector<std::pair<double, std::size_t>> remainders;
  Index total = 0;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const double share = fraction * static_cast<double>(classes[c].size());
    counts.push_back(static_cast<Index>(share));
    total += counts[c];
    remainders.emplace_back(static_cast<double>(counts[c]) - share, c);
  }
  std::sort(remainders.begin(), remainders.end());
  for (const auto& [remainder, c] : remainders) {
    if (total >= wanted) break;
    if (counts[c] + 1 >= static_cast<Index>(classes[c].size())) continue;
    ++counts[c];
    ++total;
  }
  return counts;
}

/// The samples to hold out.
std::vector<Index> stratified_choice(const Dataset& data, double fraction, Index wanted, std::mt19937_64& generator) {
  const std::vector<Index> decided = decided_classes(data.classification, data.targets);
  std::vector<std::vector<Index>> classes(data.classification.classes.size());
  for (std::size_t j = 0; j < decided.size(); ++j) {
    classes[static_cast<std::size_t>(decided[j])].push_back(static_cast<Index>(j));
  }
  const std::vector<Index> counts = held_out_counts(classes, fraction, wanted);
  std::vector<Index> chosen;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const std::vector<Index> order = shuffled(classes[c], generator);
    chosen.insert(chosen.end(), order.begin(), order.begin() + counts[c]);
  }
  return chosen;
}

}  // namespace

Split split_dataset(const Dataset& data, double fraction, unsigned seed) {
  if (!(fraction > 0 && fraction < 1)) {
    throw std::invalid_argument(fmt::format("test fraction {}, expected a number above 0 and below 1", fraction));
  }
  const Index samples = data.samples();
  if (samples < 2) throw std::invalid_argument(fmt::format("{} samples to be split, expected at least 2", samples));
  if (data.targets.cols() != samples) {
    throw std::invalid_argument(fmt::format("{} samples of targets, expected {}", data.targets.cols(), samples));
  }
  const auto wanted = std::clamp<Index>(std::llround(fraction * static_cast<double>(samples)), 1, samples - 1);
  std::mt19937_64 generator(seed);
  std::vector<Index> all(static_cast<std::size_t>(samples));
  std::iota(all.begin(), all.end(), Index{0});
  std::vector<Index> test;
  if (data.classification.empty()) {
    test = shuffled(all, generator);
    test.resize(static_cast<std::size_t>(wanted));
  } else {
    test = stratified_choice(data, fraction, wanted, generator);
    if (test.empty()) throw std::invalid_argument("no class has 2 samples, expected one that can be split");
  }
  // Both parts keep the order of the file: which samples, not their order, is what the seed decides.
  std::sort(test.begin(), test.end());
  std::vector<Index> train;
  std::set_difference(all.begin(), all.end(), test.begin(), test.end(), std::back_inserter(train));
  return {take_samples(data, train), take_samples(data, test)};
}

std::vector<std::vector<Index>> fold_samples(Index samples, Index folds, unsigned seed,
                                             const std::vector<Index>& keys) {
  if (folds < 2 || samples < folds) {
    throw std::invalid_argument(fmt::format("folds: {}, expected 2 to {}, the samples", folds, samples));
  }
  std::mt19937_64 generator(seed);
  std::vector<Index> all(static_cast<std::size_t>(samples));
  std::iota(all.begin(), all.end(), Index{0});
  all = shuffled(std::move(all), generator);
  const auto key = [&](Index sample) { return keys.empty() ? 0 : keys[static_cast<std::size_t>(sample)]; };
  std::stable_sort(all.begin(), all.end(), [&](Index a, Index b) { return key(a) < key(b); });
  std::vector<std::vector<Index>> parts(static_cast<std::size_t>(folds));
  for (std::size_t i = 0; i < all.size(); ++i) parts[i % parts.size()].push_back(all[i]);
  for (std::vector<Index>& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

}  // namespace relufit
