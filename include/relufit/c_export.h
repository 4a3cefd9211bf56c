/// \file
/// A trained network as C source: one header for embedded programs.
#pragma once

#include <string>

#include "relufit/model.h"

namespace relufit {

struct CExportOptions {
  std::string name = "model";     ///< prefix of everything the header defines, a C identifier
  bool single_precision = false;  ///< float instead of double, numbers rounded to it
};

/// A C99 header that includes nothing, allocates nothing, and defines
///
///     #define NAME_INPUTS, NAME_OUTPUTS
///     static inline void name_predict(const double inputs[NAME_INPUTS], double outputs[NAME_OUTPUTS])
///
/// for one sample of raw data: the scalings are part of it, operations are those of Model::predict in another order of
/// summation. All values between the layers lie on the stack. Throws std::invalid_argument for a name that is not a C
/// identifier, and with single precision for a value that does not fit it.
std::string c_source(const Model& model, const CExportOptions& options = {});

/// Writes c_source(...); the file appears whole or not at all. Throws std::runtime_error when it cannot be written.
void export_c(const Model& model, const std::string& path, const CExportOptions& options = {});

/// A C identifier made from the name of a file: "models/my net.h" becomes "my_net".
std::string c_name_from(const std::string& path);

}  // namespace relufit
