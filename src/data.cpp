#include "relufit/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "text.h"

namespace relufit {
namespace {

using detail::shown;

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMostListed = 20;
  std::string result;
  for (std::size_t i = 0; i < std::min(names.size(), kMostListed); ++i) {
    result += (i == 0 ? "" : ", ") + shown(names[i]);
  }
  return names.size() > kMostListed ? result + ", ..." : result;
}

Index find_column(const Table& table, const std::string& name) {
  const auto found = std::find(table.columns.begin(), table.columns.end(), name);
  if (found == table.columns.end()) {
    throw std::invalid_argument(
        fmt::format("{}: no column {}, expected one of {}", table.source, shown(name), list_of(table.columns)));
  }
  return found - table.columns.begin();
}

void check_not_repeated(const Table& table, const std::string& name, std::set<std::string>& seen) {
  if (!seen.insert(name).second) {
    throw std::invalid_argument(fmt::format("{}: column {} is named more than once, expected once as target or input",
                                            table.source, shown(name)));
  }
}

/// Rows the training cannot use, whoever built the dataset.
void check_well_formed(const Matrix& values, const std::vector<std::string>& names, Index samples, const char* what) {
  if (values.cols() != samples) {
    throw std::invalid_argument(fmt::format("{} samples of {}s, expected {}", values.cols(), what, samples));
  }
  if (values.rows() < 1) throw std::invalid_argument(fmt::format("no {}, expected at least 1", what));
  if (static_cast<Index>(names.size()) != values.rows()) {
    throw std::invalid_argument(fmt::format("{} {} names, expected {}", names.size(), what, values.rows()));
  }
  if (values.allFinite()) return;
  for (Index row = 0; row < values.rows(); ++row) {
    for (Index column = 0; column < samples; ++column) {
      if (std::isfinite(values(row, column))) continue;
      throw std::invalid_argument(fmt::format("{} {}: sample {} is {}, expected a finite number", what,
                                              shown(names[static_cast<std::size_t>(row)]), column + 1,
                                              values(row, column)));
    }
  }
}

void check_size(const Eigen::Ref<const Matrix>& values, const Scaling& scaling) {
  if (values.rows() != scaling.offset.size() || values.rows() != scaling.scale.size()) {
    throw std::invalid_argument(fmt::format("{} rows to be scaled, expected {}", values.rows(), scaling.offset.size()));
  }
}

bool is_constant(const Eigen::Ref<const Eigen::RowVectorXd>& row) { return (row.array() == row(0)).all(); }

/// Offset and scale of one row. Works on values divided by a power of two (exact), so that squares and sums neither
/// overflow nor vanish whatever the unit of the data.
void scale_row(const Eigen::Ref<const Eigen::RowVectorXd>& row, bool center, double& offset, double& scale) {
  const double largest = row.cwiseAbs().maxCoeff();
  int exponent = 0;
  std::frexp(largest, &exponent);
  const Eigen::RowVectorXd unit = row.unaryExpr([exponent](double value) { return std::ldexp(value, -exponent); });
  // One refinement: the mean of many large, nearly equal values is otherwise off by a rounding error of their sum.
  double mean = center ? unit.mean() : 0.0;
  if (center) mean += (unit.array() - mean).mean();
  offset = center ? std::ldexp(mean, exponent) : 0.0;
  const double deviation = std::ldexp(std::sqrt((unit.array() - mean).square().mean()), exponent);
  // A subnormal scale has no finite reciprocal, which folding needs: such a row counts as constant.
  scale = deviation >= std::numeric_limits<double>::min() ? deviation : 1.0;
}

Scaling scaling_of(const Matrix& values, bool center) {
  Scaling result = Scaling::identity(values.rows());
  if (values.cols() == 0) return result;
  for (Index i = 0; i < values.rows(); ++i) {
    const Eigen::RowVectorXd row = values.row(i);
    if (center && is_constant(row)) {
      result.offset(i) = row(0);
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
  return {data.inputs(Eigen::all, samples), data.targets(Eigen::all, samples), data.input_names, data.target_names};
}

}  // namespace

Matrix select_columns(const Table& table, const std::vector<std::string>& names) {
  Matrix result(static_cast<Index>(names.size()), table.values.rows());
  for (std::size_t i = 0; i < names.size(); ++i) {
    result.row(static_cast<Index>(i)) = table.values.col(find_column(table, names[i])).transpose();
  }
  return result;
}

Dataset make_dataset(const Table& table, const std::vector<std::string>& targets,
                     const std::vector<std::string>& inputs) {
  if (targets.empty()) throw std::invalid_argument(table.source + ": no target column named, expected at least one");
  std::set<std::string> seen;
  for (const std::string& name : targets) check_not_repeated(table, name, seen);
  Dataset result;
  result.target_names = targets;
  if (inputs.empty()) {
    std::copy_if(table.columns.begin(), table.columns.end(), std::back_inserter(result.input_names),
                 [&](const std::string& name) { return seen.count(name) == 0; });
  } else {
    for (const std::string& name : inputs) check_not_repeated(table, name, seen);
    result.input_names = inputs;
  }
  result.targets = select_columns(table, result.target_names);
  if (result.input_names.empty()) {
    throw std::invalid_argument(fmt::format("{}: no input column is left, all {} are targets: {}", table.source,
                                            table.columns.size(), list_of(targets)));
  }
  result.inputs = select_columns(table, result.input_names);
  return result;
}

void check_trainable(const Dataset& data, OutputActivation output, Index minimum_samples) {
  const Index samples = data.samples();
  if (samples < minimum_samples || samples < 1) {
    throw std::invalid_argument(
        fmt::format("{} samples, expected at least {}", samples, std::max<Index>(minimum_samples, 1)));
  }
  check_well_formed(data.inputs, data.input_names, samples, "input");
  check_well_formed(data.targets, data.target_names, samples, "target");
  for (Index row = 0; row < data.targets.rows(); ++row) {
    const std::string name = shown(data.target_names[static_cast<std::size_t>(row)]);
    const Eigen::RowVectorXd values = data.targets.row(row);
    if (is_constant(values)) {
      throw std::invalid_argument(fmt::format("target {}: {} in all {} samples, expected at least two different values",
                                              name, values(0), samples));
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

Scaling Scaling::standardize(const Matrix& values) { return scaling_of(values, true); }

Scaling Scaling::normalize(const Matrix& values) { return scaling_of(values, false); }

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
  std::vector<Index> order(static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  std::mt19937_64 generator(seed);
  for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random_below(generator, i + 1)]);

  const auto wanted = static_cast<Index>(std::llround(fraction * static_cast<double>(samples)));
  const auto middle = order.begin() + std::clamp<Index>(wanted, 1, samples - 1);
  std::vector<Index> test(order.begin(), middle);
  std::vector<Index> train(middle, order.end());
  // Both parts keep the order of the file: which samples, not their order, is what the seed decides.
  std::sort(test.begin(), test.end());
  std::sort(train.begin(), train.end());
  return {take_samples(data, train), take_samples(data, test)};
}

}  // namespace relufit
