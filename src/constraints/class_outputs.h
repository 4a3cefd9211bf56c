/// \file
/// What a constraint that names a class is about.
///
/// Scores z of several classes say nothing on their own: softmax(z + a 1) = softmax(z), and the class given is the one
/// with the largest. What counts are differences, z_c - z_k = log(p_c / p_k). With one score of two classes that score
/// is the difference already, log(p_1 / p_0).
#pragma once

#include <optional>

#include "relufit/constraints.h"

namespace relufit {

/// What outputs mean: the classification, or under the cross-entropy of targets that are probabilities themselves one
/// whose classes are the targets.
inline Classification meaning_of(const Classification& classification, const std::optional<Loss>& loss,
                                 const std::vector<std::string>& target_names) {
  if (!classification.empty() || !loss || *loss != Loss::cross_entropy) return classification;
  return {"", target_names, Link::softmax};
}

/// Whether outputs are scores of several classes, which only their differences tell apart.
inline bool compares_outputs(const NamedNetwork& shape) { return shape.classification.output_count() > 1; }

/// Whether outputs are made into probabilities.
inline bool has_probabilities(const NamedNetwork& shape) {
  return !shape.classification.empty() && shape.classification.link != Link::none;
}

/// The output that a name stands for: `sign` is -1 for the first of two classes with one output, that of the second.
struct NamedOutput {
  Index output = 0;
  int sign = 1;
};

/// None where there is no such target or class.
inline std::optional<NamedOutput> named_output(const NamedNetwork& shape, const std::string& name) {
  for (std::size_t i = 0; i < shape.target_names.size(); ++i) {
    if (shape.target_names[i] == name) return NamedOutput{static_cast<Index>(i), 1};
  }
  const Classification& classes = shape.classification;
  if (classes.output_count() == 1 && name == classes.label + "=" + classes.classes.front()) return NamedOutput{0, -1};
  return std::nullopt;
}

}  // namespace relufit
