/// \file
/// Reports: a page about a training, made by the Python package.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "relufit/constraints.h"
#include "relufit/sequence.h"

namespace relufit::cli {

/// What a page tells.
struct Page {
  std::string title;
  const Model& model;
  std::vector<std::pair<std::string, std::string>> options;       ///< as given, by name
  std::vector<std::pair<std::string, const Dataset*>> data_sets;  ///< by what they are called, training data first
  nlohmann::json summary = nlohmann::json::object();              ///< as `train --json` prints it
  std::vector<ConstraintCheck> constraints = {};
  std::vector<SequenceRecord> trace = {};
  nlohmann::json certificate = nullptr;  ///< as `certify --json` prints it
};

/// The options of a command as they were given, by name.
std::vector<std::pair<std::string, std::string>> given_options(const CLI::App& command);

/// Whether a page can be made; where not, the package has said why, and this is the exit code. Throws
/// std::runtime_error where there is no package. To be asked before long work.
int check_page_maker();

/// Writes the page as an HTML file, whole or not at all. Returns the exit code; messages are the package's.
int write_page(const Page& page, const std::string& path);

}  // namespace relufit::cli
