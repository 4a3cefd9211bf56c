/// \file
/// A trained network with all that is needed to use it on raw data, and its file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "relufit/data.h"
#include "relufit/network.h"

namespace relufit {

/// How a model was trained, and how well it fits: recorded in the file, not needed to predict.
struct TrainingRecord {
  std::string version;   ///< of relufit
  std::string strategy;  ///< name of the update strategy, or of the method where that is not the relaxation
  std::string loss;      ///< name of the loss (loss.h)
  std::string status;    ///< how training ended, see SequenceStatus
  unsigned seed = 0;
  Index samples = 0;
  Index iterations = 0;          ///< outer iterations of the start that was kept
  double seconds = 0;            ///< of the whole training: all starts and the choice of the ridge
  double relative_residual = 0;  ///< ||F(U) - Y||_F / ||Y||_F on the raw training data; NaN for losses of classes
  double pair_violation = 0;     ///< largest |h s| of the lifted solution, in scaled units
  double product_violation = 0;  ///< largest |W H - C| of the lifted solution, in scaled units
  double loss_parameter = 0;     ///< of the losses that have one, raw units
  /// Per target value (cross-entropy: sample), scaled units (TrainOptions::ridge); absent where it is not known.
  std::optional<double> ridge = {};
};

/// Network on scaled data plus the scalings and names that connect it to raw data.
struct Model {
  Network network;
  Scaling input_scaling;   ///< applied to raw inputs before the network
  Scaling target_scaling;  ///< undone on the network's outputs
  std::vector<std::string> input_names;
  std::vector<std::string> target_names;
  TrainingRecord training;
  Classification classification = {};     ///< what the outputs mean; empty for regression
  std::vector<Category> categories = {};  ///< columns of text that inputs stand for; those have the names of the levels

  /// Raw outputs (outputs x samples; scores of classes for classification, see classification.h) for raw inputs (inputs
  /// x samples), which may lie in memory of others (Eigen::Map).
  Matrix predict(const Eigen::Ref<const Matrix>& inputs) const;

  /// The same function as one plain network on raw data (scalings folded into the first and last layer).
  Network folded() const;
};

/// The loss that the model was trained with, for its raw outputs; none where the record's name or parameter is unknown.
std::optional<Loss> recorded_loss(const Model& model);

/// Writes the model as JSON ("relufit-model", version 1, every double to full precision). The file appears whole or not
/// at all. Throws std::invalid_argument for a model that could not be read again, std::runtime_error when it cannot be
/// written.
void save_model(const Model& model, const std::string& path);

/// Reads and checks a model file. Throws std::invalid_argument naming the file, the field and what is expected when it
/// is not readable, not JSON, of another format or version, when a field is missing or of the wrong type, shapes do not
/// chain, a value is not finite, or a scale is not positive.
Model load_model(const std::string& path);

/// Fit of predictions to targets, per target and over all.
struct FitMeasures {
  double relative_residual = 0;  ///< ||F - Y||_F / ||Y||_F; infinity if Y = 0 and F != 0
  double mean_squared_error = 0;
  double r2 = 0;             ///< 1 - SSE / SST about the mean; NaN for a constant target (is_constant)
  double largest_error = 0;  ///< max |F - Y|
};
struct Evaluation {
  std::vector<FitMeasures> per_target;
  FitMeasures all;  ///< over all entries (R2: SSE and SST summed over targets)
};

/// Throws std::invalid_argument when the shapes differ or there is no sample.
Evaluation evaluate(const Matrix& predictions, const Matrix& targets);

}  // namespace relufit
