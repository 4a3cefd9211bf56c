/// \file
/// Tables of numbers, from CSV and NumPy files, the samples taken from them, and their scaling.
#pragma once

#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "relufit/categories.h"
#include "relufit/classification.h"
#include "relufit/network.h"
#include "relufit/ranks.h"

namespace relufit {

/// A table with named columns of numbers, and of texts where these were asked for, as read from a CSV file.
struct Table {
  std::string source;                                          ///< file name, for messages
  std::vector<std::string> columns;                            ///< unique names of the columns of numbers
  std::vector<Index> lines;                                    ///< line in the file (1-based) of every row
  Matrix values;                                               ///< rows x columns, all finite
  std::map<std::string, std::vector<std::string>> texts = {};  ///< columns of text by name, one text per row
  std::vector<std::string> header = {};                        ///< names of all columns that the file has, in its order
  std::vector<Category> categories = {};                       ///< of which with_levels has made columns of numbers
};

/// What read_csv throws for a value that is not a number.
struct NotANumber : std::invalid_argument {
  NotANumber(const std::string& message, std::string name) : std::invalid_argument(message), column(std::move(name)) {}
  std::string column;
};

/// Reads a CSV file with a header line. Columns named in `text_columns`, where the file has them, are read as they
/// stand and may hold anything; all others hold numbers, or where `number_columns` names some, these, and columns that
/// are in neither list are passed over. The separator (comma, semicolon or tab) is detected from the header; fields may
/// be quoted (RFC 4180); CRLF line ends, a UTF-8 byte order mark and blank lines at the end are accepted. Throws
/// std::invalid_argument naming file, line and column for an unreadable or empty file, a missing or non-numeric or
/// non-finite value, a row of another length than the header, an empty or repeated column name, and a column of numbers
/// that is asked for and not there. A header of numbers only is taken for data, and refused, unless one is quoted.
Table read_csv(const std::string& path, const std::vector<std::string>& text_columns = {},
               const std::vector<std::string>& number_columns = {});

/// One of `parts` parts of such a file, 0 <= part < parts: the rows that begin in that share of its bytes behind the
/// header, so that several processes can read a file together. Their rows in the order of the parts are those of
/// read_csv, with the same lines; a part may have none. Reads that share alone, and of what precedes it passes over the
/// bytes, to know its line and whether it begins within quotes. What read_csv refuses at least one of the parts
/// refuses. Throws std::invalid_argument for that, and for parts that there cannot be.
Table read_csv_part(const std::string& path, Index part, Index parts, const std::vector<std::string>& text_columns = {},
                    const std::vector<std::string>& number_columns = {});

/// Reads the columns that these inputs are made of, those of the categories as text, and further columns of numbers and
/// texts; others may hold anything. The columns of the table are the inputs, as with_levels makes them, and `numbers`.
/// Throws std::invalid_argument as read_csv and with_levels do.
Table read_inputs(const std::string& path, const std::vector<std::string>& inputs,
                  const std::vector<Category>& categories, const std::vector<std::string>& numbers = {},
                  const std::vector<std::string>& texts = {});

/// Categories of these columns of text of the table. Throws std::invalid_argument, naming file and column, for a column
/// that is not there as text, and what find_levels refuses, with its line where it is one text.
std::vector<Category> find_categories(const Table& table, const std::vector<std::string>& columns);

/// The table with columns of numbers, 0 and 1, for the levels of these categories, in the place that their column of
/// text has in the header. Throws std::invalid_argument, naming file, line, column and value, for a text that is none
/// of the levels, for a column that is not there as text, and for an input that would have the name of another.
Table with_levels(Table table, const std::vector<Category>& categories);

/// The numbers of a NumPy file (.npy, version 1.0 to 3.0) as one sample per column: columns x rows of a file with two
/// dimensions, in C or Fortran order, 1 x values of one with one dimension. Floating point numbers of 32 and 64 bits,
/// booleans and integers, little endian. The file is mapped into memory, and must not become shorter meanwhile. Throws
/// std::invalid_argument naming the file and what is expected for another format, version or type, for other than 1 or
/// 2 dimensions (`dimensions`, where that is not 0), for a file that is longer or shorter than its header says, for no
/// values, and naming row and column for a value that is not finite and a whole number beyond 2^53.
Matrix read_npy(const std::string& path, std::size_t dimensions = 0);

/// A header and rows with 17 significant digits (values read back bit for bit), names and texts quoted where needed. A
/// `first_column` of texts, one per row, stands before the values. `name` is for messages. Throws std::invalid_argument
/// when sizes do not fit or a value is not finite.
std::string csv_text(const std::string& name, const std::vector<std::string>& columns, const Matrix& values,
                     const std::vector<std::string>& first_column = {});

/// Writes that text. The file appears whole or not at all. Throws std::runtime_error when it cannot be written.
void write_csv(const std::string& path, const std::vector<std::string>& columns, const Matrix& values,
               const std::vector<std::string>& first_column = {});

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
