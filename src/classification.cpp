#include "relufit/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>

#include "text.h"

namespace relufit {

namespace {

using detail::NumberStatus;
using detail::shown;

constexpr std::size_t kMostClasses = 1000;

bool is_number(const std::string& text, double& value) { return detail::parse_number(text, value) == NumberStatus::ok; }

bool all_numbers(const std::vector<std::string>& texts) {
  double ignored = 0;
  return std::all_of(texts.begin(), texts.end(), [&](const std::string& text) { return is_number(text, ignored); });
}

/// The one way a label is written. Adding 0 makes -0 the same number as 0.
std::string canonical(const std::string& text, bool as_number) {
  double value = 0;
  if (as_number && is_number(text, value)) return fmt::format("{}", value + 0.0);
  return std::string(detail::trim(text));
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
  const bool numbers = all_numbers(labels);
  for (const std::string& text : labels) {
    result.classes.push_back(canonical(text, numbers));
    check_label(label, result.classes.back());
  }
  const auto value = [](const std::string& text) {
    double number = 0;
    is_number(text, number);
    return number;
  };
  auto& classes = result.classes;
  std::sort(classes.begin(), classes.end(),
            [&](const std::string& a, const std::string& b) { return numbers ? value(a) < value(b) : a < b; });
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
  std::map<std::string, Index> positions;
  for (const std::string& name : classification.classes) {
    positions.emplace(name, static_cast<Index>(positions.size()));
  }
  const bool numbers = all_numbers(classification.classes);
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
