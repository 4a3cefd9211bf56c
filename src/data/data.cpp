#include "relufit/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/chunks.h"
#include "base/text.h"
#include "data/model_checks.h"

namespace relufit {
namespace {

using detail::list_of;
using detail::shown;

/// Finds columns by name, each in the same time however many there are.
class Columns {
 public:
  explicit Columns(const Table& table) : table_(table) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) positions_.emplace(table.columns[i], i);
  }

  auto operator[](const std::string& name) const {
    const auto found = positions_.find(name);
    if (found != positions_.end()) return table_.values.col(static_cast<Index>(found->second));
    throw std::invalid_argument(fmt::format("{}: {}", table_.source, detail::no_column(name, table_.columns)));
  }

 private:
  const Table& table_;
  std::unordered_map<std::string_view, std::size_t> positions_;
};

void check_not_repeated(const Table& table, const std::string& name, std::set<std::string>& seen) {
  if (!seen.insert(name).second) {
    throw std::invalid_argument(fmt::format("{}: column {} is named more than once, expected once as target or input",
                                            table.source, shown(name)));
  }
}

/// Rows the training cannot use, whoever built the dataset. Samples count from `first`.
void check_well_formed(const Matrix& values, const std::vector<std::string>& names, Index samples, Index first,
                       const char* what) {
  if (values.cols() != samples) {
    throw std::invalid_argument(fmt::format("{} samples of {}s, expected {}", values.cols(), what, samples));
  }
  if (values.rows() < 1) throw std::invalid_argument(fmt::format("no {}, expected at least 1", what));
  if (static_cast<Index>(names.size()) != values.rows()) {
    throw std::invalid_argument(fmt::format("{} {} names, expected {}", names.size(), what, values.rows()));
  }
  // What a model file could not hold is refused before training, not after it.
  const std::string problem = names_problem(fmt::format("{}_names", what), names);
  if (!problem.empty()) throw std::invalid_argument(problem);
  if (values.allFinite()) return;
  for (Index row = 0; row < values.rows(); ++row) {
    for (Index column = 0; column < samples; ++column) {
      if (std::isfinite(values(row, column))) continue;
      throw std::invalid_argument(fmt::format("{} {}: sample {} is {}, expected a finite number", what,
                                              shown(names[static_cast<std::size_t>(row)]), first + column + 1,
                                              values(row, column)));
    }
  }
}

void check_size(const Eigen::Ref<const Matrix>& values, const Scaling& scaling) {
  if (values.rows() != scaling.offset.size() || values.rows() != scaling.scale.size()) {
    throw std::invalid_argument(fmt::format("{} rows to be scaled, expected {}", values.rows(), scaling.offset.size()));
  }
}

/// Numbers of one row, those of all ranks.
class RowOfAll {
 public:
  RowOfAll(const Chunks& chunks, Eigen::RowVectorXd mine) : chunks_(chunks), mine_(std::move(mine)) {}

  void divide_by_power_of_two(int exponent) {
    for (double& value : mine_) value = std::ldexp(value, -exponent);
  }

  double first() const { return agreed(chunks_.ranks(), mine_(0)); }
  double most() const { return largest_of(chunks_.ranks(), mine_.maxCoeff()); }
  double least() const { return -largest_of(chunks_.ranks(), -mine_.minCoeff()); }
  /// Of value(numbers), for the numbers as an array.
  template <class Value>
  double mean(Value&& value) const {
    ChunkSums sums(chunks_, 1);
    for (Index i = 0; i < chunks_.count(); ++i) {
      *sums.data(i) = value(mine_.segment(chunks_[i].begin, chunks_[i].size).array()).sum();
    }
    return sums.total()(0) / static_cast<double>(chunks_.samples_of_all());
  }

 private:
  const Chunks& chunks_;
  Eigen::RowVectorXd mine_;
};

/// Offset and scale of one row. Works on values divided by a power of two (exact), so that squares and sums neither
/// overflow nor vanish whatever the unit of the data.
void scale_row(RowOfAll& row, bool center, double& offset, double& scale) {
  int exponent = 0;
  std::frexp(std::max(row.most(), -row.least()), &exponent);
  row.divide_by_power_of_two(exponent);
  // One refinement: the mean of many large, nearly equal values is otherwise off by a rounding error of their sum.
  double mean = center ? row.mean([](const auto& values) { return values; }) : 0.0;
  if (center) mean += row.mean([mean](const auto& values) { return values - mean; });
  offset = center ? std::ldexp(mean, exponent) : 0.0;
  const double square = row.mean([mean](const auto& values) { return (values - mean).square(); });
  const double deviation = std::ldexp(std::sqrt(square), exponent);
  // A subnormal scale has no finite reciprocal, which folding needs: such a row counts as constant.
  scale = deviation >= std::numeric_limits<double>::min() ? deviation : 1.0;
}

Scaling scaling_of(const Matrix& values, bool center, const Share& share) {
  Scaling result = Scaling::identity(values.rows());
  const Chunks chunks(share.ranks ? share.samples : values.cols(), share.ranks);
  if (chunks.samples_of_all() == 0) return result;
  for (Index i = 0; i < values.rows(); ++i) {
    RowOfAll row(chunks, values.row(i));
    const double first = row.first();
    const double most = row.most();
    const double least = row.least();
    if (center && is_constant(Eigen::RowVector3d(first, most, least))) {
      // In units of its size the rest of rounding stays as small as it is.
      const bool exactly = most == least;
      result.offset(i) = first;
      if (!exactly) result.scale(i) = std::max({most, -least, std::numeric_limits<double>::min()});
    } else {
      scale_row(row, center, result.offset(i), result.scale(i));
    }
  }
  return result;
}

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

const std::vector<std::string>& labels_of(const Table& table, const std::string& label) {
  const auto found = table.texts.find(label);
  if (found != table.texts.end()) return found->second;
  throw std::invalid_argument(fmt::format("{}: {}", table.source, detail::no_column(label, table.columns)));
}

/// The input columns: the given ones, or all that are neither target nor weights. No column is named twice.
std::vector<std::string> input_columns(const Table& table, const std::vector<std::string>& targets,
                                       const std::vector<std::string>& inputs, const std::string& weights) {
  std::set<std::string> seen;
  for (const std::string& name : targets) check_not_repeated(table, name, seen);
  if (!weights.empty()) check_not_repeated(table, weights, seen);
  for (const std::string& name : inputs) check_not_repeated(table, name, seen);
  if (!inputs.empty()) return inputs;
  std::vector<std::string> others;
  std::copy_if(table.columns.begin(), table.columns.end(), std::back_inserter(others),
               [&](const std::string& name) { return seen.count(name) == 0; });
  return others;
}

/// Inputs and sample weights of a dataset that has its names and targets.
void take_inputs(const Table& table, const std::vector<std::string>& targets, const std::string& weights,
                 Dataset& data) {
  if (data.input_names.empty()) {
    throw std::invalid_argument(fmt::format("{}: no input column is left, all {} are targets: {}", table.source,
                                            table.columns.size() + table.texts.size(), list_of(targets)));
  }
  data.inputs = select_columns(table, data.input_names);
  const std::set<std::string> names(data.input_names.begin(), data.input_names.end());
  for (const Category& category : table.categories) {
    const std::vector<std::string> levels = level_names(category);
    if (std::all_of(levels.begin(), levels.end(), [&](const std::string& name) { return names.count(name) > 0; })) {
      data.categories.push_back(category);
    }
  }
  if (!weights.empty()) data.sample_weights = Columns(table)[weights];
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

// Of numbers that are meant to be equal each has a rounding error of a few units in the last place, eps |v| / 2 or
// less, from the few operations that made it. 32 eps is far above those, and 1e5 times below a deviation of 1e-9.
bool is_constant(const Eigen::Ref<const Eigen::RowVectorXd>& values) {
  constexpr double kRounding = 32 * std::numeric_limits<double>::epsilon();
  if (values.size() == 0) return true;
  // Halves, whose difference does not overflow; of subnormal numbers the last bit is lost, equal or not.
  if ((values.array() == values(0)).all()) return true;
  const double spread = 0.5 * values.maxCoeff() - 0.5 * values.minCoeff();
  return spread <= kRounding * (0.5 * values.cwiseAbs().maxCoeff());
}

Matrix select_columns(const Table& table, const std::vector<std::string>& names) {
  const Columns columns(table);
  Matrix result(static_cast<Index>(names.size()), table.values.rows());
  for (std::size_t i = 0; i < names.size(); ++i) {
    result.row(static_cast<Index>(i)) = columns[names[i]].transpose();
  }
  return result;
}

Dataset make_dataset(const Table& table, const std::vector<std::string>& targets,
                     const std::vector<std::string>& inputs, const std::string& weights) {
  if (targets.empty()) throw std::invalid_argument(table.source + ": no target column named, expected at least one");
  Dataset result;
  result.target_names = targets;
  result.input_names = input_columns(table, targets, inputs, weights);
  result.targets = select_columns(table, targets);
  take_inputs(table, targets, weights, result);
  return result;
}

Dataset make_classification(const Table& table, const std::string& label, const Loss& loss,
                            const std::vector<std::string>& inputs, const std::string& weights) {
  return make_classification(table, find_classes(label, labels_of(table, label), loss), inputs, weights);
}

Dataset make_classification(const Table& table, const Classification& classification,
                            const std::vector<std::string>& inputs, const std::string& weights) {
  Dataset result;
  result.input_names = input_columns(table, {classification.label}, inputs, weights);
  const std::vector<std::string>& labels = labels_of(table, classification.label);
  const std::vector<Index> classes = class_indices(classification, labels);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] >= 0) continue;
    throw std::invalid_argument(fmt::format("{}:{}: column {}: {} is no class, expected one of {}", table.source,
                                            table.lines[i], shown(classification.label), shown(labels[i]),
                                            list_of(classification.classes)));
  }
  result.classification = classification;
  result.target_names = output_names(classification);
  result.targets = class_targets(classification, classes);
  take_inputs(table, {classification.label}, weights, result);
  return result;
}

void check_trainable(const Dataset& data, OutputActivation output, Index minimum_samples) {
  const Index samples = data.total_samples();
  if (samples < minimum_samples || samples < 1) {
    throw std::invalid_argument(
        fmt::format("{} samples, expected at least {}", samples, std::max<Index>(minimum_samples, 1)));
  }
  collectively(data.share.ranks, [&] {
    const Index first = Chunks::of(data).samples().begin;
    check_well_formed(data.inputs, data.input_names, data.samples(), first, "input");
    check_well_formed(data.targets, data.target_names, data.samples(), first, "target");
  });
  const std::string problem = categories_problem(data.categories, data.input_names);
  if (!problem.empty()) throw std::invalid_argument(problem);
  const Matrix targets = gathered_columns(data.share.ranks, data.targets);
  for (Index row = 0; row < targets.rows(); ++row) {
    const std::string name = shown(data.target_names[static_cast<std::size_t>(row)]);
    const Eigen::RowVectorXd values = targets.row(row);
    if (is_constant(values)) {
      const bool exactly = (values.array() == values(0)).all();
      throw std::invalid_argument(
          fmt::format("target {}: {} in all {} samples{}, expected at least two different values", name, values(0),
                      samples, exactly ? "" : " but for rounding"));
    }
    if (output != OutputActivation::relu) continue;
    Index lowest = 0;
    if (values.minCoeff(&lowest) < 0) {
      throw std::invalid_argument(fmt::format("target {}: sample {} is {}, expected no value below 0 for ReLU outputs",
                                              name, lowest + 1, values(lowest)));
    }
  }
}

Scaling Scaling::identity(Index size) { return {Vector::Zero(size), Vector::Ones(size)}; }

Scaling Scaling::standardize(const Matrix& values, const Share& share) { return scaling_of(values, true, share); }

Scaling Scaling::normalize(const Matrix& values, const Share& share) { return scaling_of(values, false, share); }

Scaling Scaling::uniform() const {
  const double size = scale.norm() / std::sqrt(static_cast<double>(scale.size()));
  return {offset, Vector::Constant(scale.size(), size)};
}

Matrix Scaling::apply(const Eigen::Ref<const Matrix>& values) const {
  check_size(values, *this);
  return (values.colwise() - offset).array().colwise() / scale.array();
}

Matrix Scaling::invert(const Eigen::Ref<const Matrix>& values) const {
  check_size(values, *this);
  return (values.array().colwise() * scale.array()).matrix().colwise() + offset;
}

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
