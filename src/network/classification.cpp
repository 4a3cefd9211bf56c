#include "relufit/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <stdexcept>
#include <string_view>
#include <tuple>

#include "files/text.h"

namespace relufit {

namespace {

using detail::NumberStatus;
using detail::shown;

constexpr std::size_t kMostClasses = 1000;

/// 007, -01 or 00.5: zeros in front tell a code, whose digits count and not its value.
bool is_code(std::string_view number) {
  number = detail::trim(number);
  if (number.front() == '+' || number.front() == '-') number.remove_prefix(1);
  return number.size() > 1 && number[0] == '0' && number[1] >= '0' && number[1] <= '9';
}

/// The value of a label that is a number; 0 for others.
double value_of(const std::string& label) {
  double value = 0;
  detail::parse_number(label, value);
  return value;
}

bool is_number(const std::string& label) {
  double ignored = 0;
  return detail::parse_number(label, ignored) == NumberStatus::ok && !is_code(label);
}

bool are_numbers(const std::vector<std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(), is_number);
}

/// The digits of a whole number, however it is written (1e3, 10.0); empty for a number with a fraction. Exact, unlike a
/// double from 2^53 on.
std::string whole_digits(std::string_view number) {
  number = detail::trim(number);
  const bool negative = number.front() == '-';
  if (negative || number.front() == '+') number.remove_prefix(1);
  const std::size_t e = std::min(number.find_first_of("eE"), number.size());
  std::string digits(number.substr(0, e));
  const std::size_t point = std::min(digits.find('.'), digits.size());
  const auto decimals = static_cast<long>(digits.size() - std::min(point + 1, digits.size()));
  digits.erase(point, 1);
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.empty()) return "0";
  const auto zeros = static_cast<long>(digits.size() - 1 - digits.find_last_not_of('0'));
  // Within the range of doubles, so that neither this nor the zeros to append are many.
  const long exponent = e < number.size() ? std::strtol(number.data() + e + 1, nullptr, 10) : 0;
  if (exponent - decimals + zeros < 0) return {};
  if (exponent < decimals) digits.erase(digits.size() - static_cast<std::size_t>(decimals - exponent));
  if (exponent > decimals) digits.append(static_cast<std::size_t>(exponent - decimals), '0');
  if (negative) digits.insert(digits.begin(), '-');
  return digits;
}

/// The one way a label is written: a whole number by its digits, another number the shortest way, text without blanks
/// around.
std::string canonical(const std::string& label, bool as_number) {
  if (!as_number || !is_number(label)) return std::string(detail::trim(label));
  const std::string shortest = fmt::format("{}", value_of(label));
  for (const std::string& text : {label, shortest}) {  // a fraction may be lost in rounding to a double
    const std::string digits = whole_digits(text);
    if (!digits.empty()) return digits;
  }
  return shortest;
}

/// Order of numbers in canonical form: of whole numbers that are one double, the digits decide.
bool is_less(const std::string& a, const std::string& b) {
  const double x = value_of(a);
  const double y = value_of(b);
  if (x != y) return x < y;
  const auto [least, most] = x < 0 ? std::tie(b, a) : std::tie(a, b);
  return least.size() != most.size() ? least.size() < most.size() : least < most;
}

void check_label(const std::string& label, const std::string& name) {
  if (name.empty()) throw std::invalid_argument(fmt::format("label {}: a value is empty", shown(label)));
  if (!detail::is_valid_utf8(name) || name.find('\0') != std::string::npos) {
    throw std::invalid_argument(fmt::format("label {}: {} is not UTF-8 text", shown(label), shown(name)));
  }
}

}  // namespace

const char* to_string(Link link) {
  switch (link) {
    case Link::softmax:
      return "softmax";
    case Link::logistic:
      return "logistic";
    case Link::none:
      return "none";
  }
  return "unknown";
}

Link link_of(const Loss& loss) {
  if (loss == Loss::cross_entropy) return Link::softmax;
  if (loss == Loss::logistic) return Link::logistic;
  if (loss == Loss::hinge) return Link::none;
  throw std::invalid_argument(
      fmt::format("loss: '{}' for classes, expected cross-entropy, logistic or hinge", to_string(loss)));
}

Index Classification::output_count() const { return link != Link::softmax && class_count() == 2 ? 1 : class_count(); }

Classification find_classes(const std::string& label, const std::vector<std::string>& labels, const Loss& loss) {
  Classification result;
  result.label = label;
  result.link = link_of(loss);
  const bool numbers = are_numbers(labels);
  auto& classes = result.classes;
  for (const std::string& text : labels) {
    classes.push_back(canonical(text, numbers));
    check_label(label, classes.back());
  }
  std::sort(classes.begin(), classes.end(),
            [&](const std::string& a, const std::string& b) { return numbers ? is_less(a, b) : a < b; });
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  if (classes.size() < 2) {
    throw std::invalid_argument(fmt::format("label {}: {} in all {} samples, expected at least 2 classes", shown(label),
                                            classes.empty() ? "nothing" : shown(classes.front()), labels.size()));
  }
  if (classes.size() > kMostClasses) {
    throw std::invalid_argument(fmt::format("label {}: {} different values in {} samples, expected at most {} classes",
                                            shown(label), classes.size(), labels.size(), kMostClasses));
  }
  if (result.link == Link::logistic && classes.size() > 2) {
    throw std::invalid_argument(fmt::format("loss: 'logistic' with the {} classes of {}, expected 2, or cross-entropy",
                                            classes.size(), shown(label)));
  }
  return result;
}

std::vector<Index> class_indices(const Classification& classification, const std::vector<std::string>& labels) {
  const bool numbers = are_numbers(classification.classes);
  std::map<std::string, Index> positions;
  for (const std::string& name : classification.classes) {
    positions.emplace(canonical(name, numbers), static_cast<Index>(positions.size()));
  }
  std::vector<Index> result;
  for (const std::string& text : labels) {
    const auto found = positions.find(canonical(text, numbers));
    result.push_back(found == positions.end() ? -1 : found->second);
  }
  return result;
}

Matrix class_targets(const Classification& classification, const std::vector<Index>& classes) {
  const Index rows = classification.output_count();
  Matrix targets = Matrix::Zero(rows, static_cast<Index>(classes.size()));
  for (std::size_t j = 0; j < classes.size(); ++j) {
    const auto column = static_cast<Index>(j);
    if (rows == 1) {
      targets(0, column) = classes[j] == 1 ? 1 : 0;
    } else {
      targets(classes[j], column) = 1;
    }
  }
  return targets;
}

std::vector<std::string> output_names(const Classification& classification) {
  std::vector<std::string> names;
  for (Index i = classification.class_count() - classification.output_count(); i < classification.class_count(); ++i) {
    names.push_back(classification.label + "=" + classification.classes[static_cast<std::size_t>(i)]);
  }
  return names;
}

std::vector<Index> decided_classes(const Classification& classification, const Matrix& outputs) {
  std::vector<Index> result;
  // Targets of one output are 0 and 1, scores of it negative and positive: 0 is not the second class in either.
  for (Index j = 0; j < outputs.cols(); ++j) {
    Index largest = 0;
    outputs.col(j).maxCoeff(&largest);
    result.push_back(classification.output_count() == 1 ? (outputs(0, j) > 0 ? 1 : 0) : largest);
  }
  return result;
}

Matrix class_probabilities(const Classification& classification, const Matrix& outputs) {
  if (classification.link == Link::none) return Matrix(0, outputs.cols());
  Matrix scores = outputs;
  if (classification.link == Link::logistic) {
    // A score of the first class as well, 0: the logistic function is the softmax of (0, z).
    scores = Matrix::Zero(2, outputs.cols());
    scores.row(1) = outputs;
  }
  for (Index j = 0; j < scores.cols(); ++j) {
    scores.col(j) = (scores.col(j).array() - scores.col(j).maxCoeff()).exp();
    scores.col(j) /= scores.col(j).sum();
  }
  return scores;
}

ClassificationMeasures evaluate_classes(const Classification& classification, const Matrix& outputs,
                                        const Matrix& targets) {
  const Index rows = classification.output_count();
  if (outputs.rows() != rows || targets.rows() != rows || outputs.cols() != targets.cols()) {
    throw std::invalid_argument(fmt::format("outputs are {} x {} and targets {} x {}, expected {} rows in both",
                                            outputs.rows(), outputs.cols(), targets.rows(), targets.cols(), rows));
  }
  if (outputs.cols() == 0) throw std::invalid_argument("no sample to evaluate, expected at least 1");
  const std::vector<Index> truth = decided_classes(classification, targets);
  const std::vector<Index> given = decided_classes(classification, outputs);
  ClassificationMeasures measures;
  measures.counts = Matrix::Zero(classification.class_count(), classification.class_count());
  for (std::size_t j = 0; j < truth.size(); ++j) measures.counts(truth[j], given[j]) += 1;
  const auto samples = static_cast<double>(outputs.cols());
  measures.accuracy = measures.counts.trace() / samples;
  measures.log_loss = std::numeric_limits<double>::quiet_NaN();
  if (classification.link != Link::none) {
    const Loss& loss = classification.link == Link::softmax ? Loss::cross_entropy : Loss::logistic;
    measures.log_loss = loss_value(loss, outputs, targets) / samples;
  }
  return measures;
}

}  // namespace relufit
