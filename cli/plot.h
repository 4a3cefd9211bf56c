/// \file
/// Pictures of traces, drawn by gnuplot where it is installed.
#pragma once

#include <string>
#include <vector>

#include "relufit/sequence.h"

namespace relufit::cli {

/// One curve family: the traces of all runs of an experiment.
struct TracePlot {
  std::string title;
  std::vector<std::vector<SequenceRecord>> traces;
};

/// Draws, against the outer iteration and on a logarithmic scale, the largest violations of both families and the fit,
/// one line per trace, into the SVG (or, by its extension, PNG) file `path`. The gnuplot script with its data is kept
/// beside it. Returns false where gnuplot is not installed or fails; throws std::runtime_error when
/// nothing can be written.
bool draw_traces(const TracePlot& plot, const std::string& path);

/// Where the script of a picture is kept.
std::string script_of(const std::string& path);

/// Throws std::invalid_argument where picture or script cannot be written.
void check_plot(const std::string& path);

/// Writes traces as CSV: one row per record, the first column telling the trace.
void write_traces(const std::string& path, const std::vector<std::vector<SequenceRecord>>& traces);

}  // namespace relufit::cli
