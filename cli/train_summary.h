/// \file
/// What `relufit train` says of a training that has ended.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "relufit/train.h"

namespace relufit::cli {

/// What it trained on, and what it held out.
struct Samples {
  Dataset train;
  std::optional<Dataset> test, validation;
};

/// `model`: the file it is written to.
void print_summary(const std::string& model, const TrainResult& result, const Samples& samples);
nlohmann::json summary_json(const std::string& model, const TrainResult& result, const Samples& samples);

}  // namespace relufit::cli
