/// \file
/// The options that describe a training problem, shared by the commands that set one up.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "relufit/train.h"

namespace relufit::cli {

struct TrainingArguments {
  std::string data;
  std::vector<std::string> targets;
  std::vector<std::string> inputs;
  std::vector<Index> hidden;
  std::string output = "linear";
  std::string activation = "relu";
  std::optional<double> activation_parameter;
  std::string task = "regress";
  std::optional<std::string> loss;
  std::optional<double> huber_delta, quantile;
  std::string sample_weights;
  std::optional<double> ridge;
  std::string init = "random";
  std::optional<double> random_scale;
  bool no_bias = false;
  bool skip_connections = false;
  unsigned seed = 0;
  std::optional<double> lambda_relu, lambda_product;
  std::optional<double> relu_scale, left_scale, right_scale;
};

/// Declares them on a command.
void add_training_options(CLI::App& command, TrainingArguments& arguments);

/// Whether the targets are classes.
bool classifies(const TrainingArguments& arguments);

/// The samples of a CSV file: targets as the task says, inputs and weights by name.
Dataset read_dataset(const TrainingArguments& arguments, const Loss& loss);

/// The first option of these that only the relaxation has; empty where none is given.
std::string relaxation_option(const TrainingArguments& arguments);

/// Options of the library for these arguments. Throws std::invalid_argument.
TrainOptions train_options(const TrainingArguments& arguments);

}  // namespace relufit::cli
