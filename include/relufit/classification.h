/// \file
/// Classification: labels as targets of a loss for classes, and outputs of a network as labels again.
///
///     loss            outputs               class of a sample                   probabilities
///     cross-entropy   one per class         largest output                      softmax
///     logistic        one, of two classes   second class where positive         logistic function
///     hinge           one, of two classes   second class where positive         none
///     hinge           one per class         largest output, one against rest    none
#pragma once

#include <string>
#include <vector>

#include "relufit/loss.h"

namespace relufit {

/// What turns outputs into probabilities.
enum class Link { softmax, logistic, none };

/// Name of a link as it stands in model files: "softmax", "logistic" or "none".
const char* to_string(Link link);

/// The link of a loss for classes. Throws std::invalid_argument for another loss.
Link link_of(const Loss& loss);

/// The classes of a label, and what the outputs of a network say about them. Without classes: no classification.
struct Classification {
  std::string label;                 ///< name of the column
  std::vector<std::string> classes;  ///< different and at least 2, in the order of the outputs
  Link link = Link::softmax;

  bool empty() const { return classes.empty(); }
  Index class_count() const { return static_cast<Index>(classes.size()); }
  /// Rows of the targets and of the network's outputs; 0 without classes.
  Index output_count() const;
};

/// The classes among `labels`, sorted; blanks around a label do not count. Where all are numbers without zeros in
/// front, by value, and one value is one class: whole numbers are compared by all their digits and written so ("1.0",
/// "+1" and "1e0" are "1", "-0" is "0"), other numbers as doubles and the shortest way. Else (007 is a code, no number)
/// by their bytes, as they are. Throws std::invalid_argument, naming the label, for fewer than 2 or more than 1000
/// classes, an empty or broken label, a loss that is not for classes, or a logistic loss of more than 2.
Classification find_classes(const std::string& label, const std::vector<std::string>& labels, const Loss& loss);

/// Position among the classes of every label, written as find_classes reads them; -1 for other labels.
std::vector<Index> class_indices(const Classification& classification, const std::vector<std::string>& labels);

/// Targets of the loss (output_count x samples): 1 in the row of the class, or 1 for the second of two classes with one
/// output; elsewhere 0.
Matrix class_targets(const Classification& classification, const std::vector<Index>& classes);

/// Names of the outputs, "label=class".
std::vector<std::string> output_names(const Classification& classification);

/// Class of every sample by the network's outputs, or by targets of class_targets.
std::vector<Index> decided_classes(const Classification& classification, const Matrix& outputs);

/// Probabilities (classes x samples), which sum to 1 for each sample; 0 x samples for a link that has none.
Matrix class_probabilities(const Classification& classification, const Matrix& outputs);

struct ClassificationMeasures {
  double accuracy = 0;  ///< share of samples whose class is the true one
  double log_loss = 0;  ///< mean of -log(probability of the true class); NaN for a link without probabilities
  Matrix counts;        ///< classes x classes: samples of the true class (row) that were given a class (column)
};

/// Compares outputs with targets, both output_count x samples. Throws std::invalid_argument when shapes differ or there
/// is no sample.
ClassificationMeasures evaluate_classes(const Classification& classification, const Matrix& outputs,
                                        const Matrix& targets);

}  // namespace relufit
