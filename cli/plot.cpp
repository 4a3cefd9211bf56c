#include "plot.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <filesystem>
#include <iterator>
#include <stdexcept>

#include "relufit/files.h"
#include "relufit/table.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it undeclared

namespace relufit::cli {

namespace {

/// A gnuplot string literal: nothing but the quote is special between single quotes.
std::string literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

std::string script(const TracePlot& plot, const std::string& path) {
  std::string text;
  const bool png = path.size() > 4 && path.ends_with(".png");
  fmt::format_to(std::back_inserter(text), "set terminal {} size 1200,400 font 'sans,12'\nset output {}\n",
                 png ? "pngcairo" : "svg background rgb 'white'", literal(path));
  text += "$trace << EOD\n";
  for (const auto& trace : plot.traces) {
    for (const SequenceRecord& r : trace) {
      fmt::format_to(std::back_inserter(text), "{} {:.6e} {:.6e} {:.6e}\n", r.iteration, r.pair, r.product, r.fit);
    }
    text += "\n";
  }
  text += "EOD\n";
  fmt::format_to(std::back_inserter(text), "set multiplot layout 1,3 title {} noenhanced\n", literal(plot.title));
  text +=
      "set logscale y\nset format y '10^{%T}'\nset grid ytics lc rgb '#dddddd'\nunset key\nset xlabel 'outer "
      "iteration'\n";
  // Values of zero have no logarithm; they are drawn at the bottom.
  const char* titles[] = {"pair: largest |h s|", "product: largest |W H - C|", "fit: ||F(U) - Y|| / ||Y||"};
  const std::size_t longest = plot.traces.empty() ? 0 : plot.traces.front().size();
  const char* style = longest <= 60 && plot.traces.size() == 1 ? "linespoints pt 7 ps 0.5" : "lines";
  for (int column = 2; column <= 4; ++column) {
    fmt::format_to(
        std::back_inserter(text),
        "set title {} noenhanced\nplot $trace using 1:(${} > 1e-16 ? ${} : 1e-16) with {} lw 1.3 lc rgb '{}'\n",
        literal(titles[column - 2]), column, column, style,
        column == 4 ? "#2a7f3f" : (column == 3 ? "#c0392b" : "#1f4e9c"));
  }
  return text + "unset multiplot\n";
}

bool run_gnuplot(const std::string& script_path) {
  std::string program = "gnuplot";
  std::string argument = script_path;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  return failed == 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::string script_of(const std::string& path) { return path + ".gp"; }

void check_plot(const std::string& path) {
  check_output(path);
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown)) {
    throw std::invalid_argument(fmt::format("{}: no regular file, expected one: its script is kept beside it", path));
  }
  check_output(script_of(path));
}

bool draw_traces(const TracePlot& plot, const std::string& path) {
  write_file(script_of(path), script(plot, path));
  return run_gnuplot(script_of(path));
}

void write_traces(const std::string& path, const std::vector<std::vector<SequenceRecord>>& traces) {
  Index rows = 0;
  for (const auto& trace : traces) rows += static_cast<Index>(trace.size());
  Matrix values(rows, 10);
  Index row = 0;
  for (std::size_t start = 0; start < traces.size(); ++start) {
    for (const SequenceRecord& r : traces[start]) {
      values.row(row++) << static_cast<double>(start), static_cast<double>(r.iteration), r.objective, r.merit, r.loss,
          r.pair, r.product, r.fit, static_cast<double>(r.inner_iterations), r.seconds;
    }
  }
  write_csv(
      path,
      {"start", "iteration", "objective", "merit", "loss", "pair", "product", "fit", "inner_iterations", "seconds"},
      values);
}

}  // namespace relufit::cli
