/// \file
/// Samples, from tables and NumPy files, and their scaling.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "relufit/classification.h"
#include "relufit/network.h"
#include "relufit/ranks.h"
#include "relufit/table.h"

namespace relufit {

/// Samples for training or evaluation: one column is one sample.
struct Dataset {
  Matrix inputs;   ///< inputs x samples
  Matrix targets;  ///< outputs x samples
  std::vector<std::string> input_names;
  std::vector<std::string> target_names;
  Vector sample_weights = {};             ///< of the loss, one per sample, >= 0; empty: ones
  Classification classification = {};     ///< where the targets are those of class_targets
  std::vector<Category> categories = {};  ///< those of the inputs, which have the names of their levels
  Share share = {};                       ///< where other ranks have samples too
  Index samples() const { return inputs.cols(); }
  /// With those of other ranks.
  Index total_samples() const { return share.ranks ? share.samples : samples(); }
};

/// Splits a table into targets (the named columns, in the given order) and inputs (all others, or `inputs` where given,
/// in the given order). The column `weights`, where named, holds the sample weights and is neither. Throws
/// std::invalid_argument for an unknown or repeated name, or when no target or input is left.
Dataset make_dataset(const Table& table, const std::vector<std::string>& targets,
                     const std::vector<std::string>& inputs = {}, const std::string& weights = {});

/// The same for classification: the text column `label` says the class of each sample, which becomes the targets of the
/// loss (classification.h). Throws std::invalid_argument as make_dataset and find_classes do.
Dataset make_classification(const Table& table, const std::string& label, const Loss& loss,
                            const std::vector<std::string>& inputs = {}, const std::string& weights = {});

/// With the classes of a model: a label that is none of them is refused, naming its line.
Dataset make_classification(const Table& table, const Classification& classification,
                            const std::vector<std::string>& inputs, const std::string& weights = {});

/// The numbers of a NumPy file (.npy, version 1.0 to 3.0) as one sample per column: columns x rows of a file with two
/// dimensions, in C or Fortran order, 1 x values of one with one dimension. Floating point numbers of 32 and 64 bits,
/// booleans and integers, little endian. The file is mapped into memory, and must not become shorter meanwhile. Throws
/// std::invalid_argument naming the file and what is expected for another format, version or type, for other than 1 or
/// 2 dimensions (`dimensions`, where that is not 0), for a file that is longer or shorter than its header says, for no
/// values, and naming row and column for a value that is not finite and a whole number beyond 2^53.
Matrix read_npy(const std::string& path, std::size_t dimensions = 0);

/// NumPy files with the inputs (samples x inputs), targets (samples x targets, or one dimension) and, where named,
/// weights (one dimension) of the samples.
struct ArrayFiles {
  std::string inputs, targets, weights;
};

/// The samples of these files. Inputs are named x0, x1, ..., targets y0, y1, ... Throws std::invalid_argument as
/// read_npy does, and where numbers of samples differ.
Dataset read_dataset(const ArrayFiles& files);

/// Part `part` of `parts` of these samples, 0 <= part < parts: consecutive rows, as many as the other parts or one more
/// or less, so that several processes can read the files together; a part may have none. Of other rows nothing is read.
/// What read_dataset refuses at least one of the parts refuses.
Dataset read_dataset_part(const ArrayFiles& files, Index part, Index parts);

/// The same for classification: the targets are numbers that say the class of each sample, the label is named "class".
Dataset read_classification(const ArrayFiles& files, const Loss& loss);

/// With the classes of a model.
Dataset read_classification(const ArrayFiles& files, const Classification& classification);

/// Only the named columns, in that order, as inputs x samples. Throws std::invalid_argument for an unknown name.
Matrix select_columns(const Table& table, const std::vector<std::string>& names);

/// Whether the values differ by no more than rounding: the largest from the least by at most 32 eps times the largest
/// size, eps = 2^-52. All of them finite.
bool is_constant(const Eigen::Ref<const Eigen::RowVectorXd>& values);

/// What training needs beyond well-formed numbers: at least `minimum_samples` samples, no constant target
/// (is_constant), and no target below zero for ReLU outputs. Throws std::invalid_argument naming the column, the value
/// and what is expected.
void check_trainable(const Dataset& data, OutputActivation output, Index minimum_samples = 2);

/// The affine map `(v - offset) / scale` per row. Scales are positive.
struct Scaling {
  Vector offset;
  Vector scale;

  // Both below are those of the columns of all ranks, of which `values` are some.

  /// No change, for `size` rows.
  static Scaling identity(Index size);
  /// Mean 0 and standard deviation 1 over the columns. A constant row (is_constant) keeps scale 1, or where it is
  /// constant but for rounding has its largest size as scale.
  static Scaling standardize(const Matrix& values, const Share& share = {});
  /// Offset 0 and root mean square 1 (for ReLU outputs, whose zero must stay zero).
  static Scaling normalize(const Matrix& values, const Share& share = {});

  /// The same offsets, and for every row the root mean square of all scales.
  Scaling uniform() const;

  Matrix apply(const Eigen::Ref<const Matrix>& values) const;
  Matrix invert(const Eigen::Ref<const Matrix>& values) const;
};

/// Random disjoint split: `fraction` in (0, 1) of the samples go to the second part (at least one to each).
/// The same seed gives the same split. Throws std::invalid_argument for a fraction outside (0, 1) or fewer than 2
/// samples. With classes the split is stratified: each part has its share of every class, to a sample, and the first
/// part at least one sample of each.
struct Split {
  Dataset train;
  Dataset test;
};
Split split_dataset(const Dataset& data, double fraction, unsigned seed);

/// The samples of every fold of a cross-validation, ascending: each sample is in one fold, sizes differ by at most 1.
/// `keys` are empty or one per sample; samples of one key (a class) are spread evenly. The same seed gives the same
/// folds. Throws std::invalid_argument for fewer than 2 folds or fewer samples than folds.
std::vector<std::vector<Index>> fold_samples(Index samples, Index folds, unsigned seed,
                                             const std::vector<Index>& keys = {});

}  // namespace relufit
