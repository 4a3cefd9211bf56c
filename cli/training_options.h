/// \file
/// The options that describe a training problem, shared by the commands that set one up.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "relufit/train.h"

namespace relufit::cli {

/// What the library's options do not say themselves: files, columns and names, still as texts.
struct TrainingArguments {
  TrainOptions options;  ///< what is given as numbers and flags
  std::string data;
  std::vector<std::string> targets;
  std::vector<std::string> inputs;
  std::vector<std::string> categorical;
  ArrayFiles files;
  std::string output_activation = "linear";
  std::string activation = "relu";
  std::optional<double> activation_parameter;
  std::string task = "regress";
  std::optional<std::string> loss;
  std::optional<double> huber_delta, quantile;
  std::string sample_weights;
  std::string init = "random";
};

/// Declares them on a command.
void add_training_options(CLI::App& command, TrainingArguments& arguments);

/// Declares options for NumPy files in place of a CSV file.
void add_array_files(CLI::App& command, ArrayFiles& files, bool with_targets);

/// Whether these files are to be read, and not the CSV file. Throws std::invalid_argument where neither or both are
/// given, or not all that are needed.
bool from_array_files(const std::string& data, const ArrayFiles& files, bool with_targets);

/// Whether the samples are those of NumPy files, not of a CSV file; likewise.
bool reads_arrays(const TrainingArguments& arguments);

/// The file that inputs are in.
const std::string& data_file(const TrainingArguments& arguments);
/// The units of --hidden as they were given, of texts that stand for them inside.
std::string hidden_text(const std::vector<std::string>& units);

/// Whether the targets are classes.
bool classifies(const TrainingArguments& arguments);

/// The samples of a CSV file, targets as the task says, inputs and weights by name; or of NumPy files.
Dataset read_dataset(const TrainingArguments& arguments, const Loss& loss);

/// Whether several processes can read a part of the file each: numbers, whose meaning does not depend on other rows.
bool reads_in_parts(const TrainingArguments& arguments);

/// This process's part of the file, in the order of ranks.
Dataset read_part(const TrainingArguments& arguments, const Ranks& ranks);

/// Options of the library for these arguments. Throws std::invalid_argument.
TrainOptions train_options(const TrainingArguments& arguments);

/// What `make` returns; a std::invalid_argument of it, which begins with the name of an option of the library, is
/// thrown on with the name that the option has here.
template <class Make>
auto naming_options(Make&& make) {
  try {
    return make();
  } catch (const std::invalid_argument& error) {
    std::string message = error.what();
    const auto name_end = static_cast<std::ptrdiff_t>(std::min(message.find(':'), message.size()));
    std::replace(message.begin(), message.begin() + name_end, '_', '-');
    throw std::invalid_argument("--" + message);
  }
}

}  // namespace relufit::cli
