#include <nlohmann/json.hpp>

#include "commands.h"
#include "numbers.h"
#include "output.h"
#include "page.h"
#include "plot.h"
#include "progress.h"
#include "report.h"
#include "train/plan/sharing.h"
#include "train_summary.h"
#include "training_options.h"
#include "world.h"

namespace relufit::cli {

namespace {

// Beyond these a run would end for want of memory or threads, not with a message.
constexpr long long kMostThreads = 1024;
constexpr long long kMostStarts = 1000000;
constexpr long long kMostIterations = 1000000000000;

struct TrainArguments {
  TrainingArguments training;
  std::string method = "auto";
  std::optional<std::string> fixed_output;
  std::string constraints;
  std::optional<std::string> strategy;
  std::optional<double> test_fraction, validation_fraction;
  std::string test, validation, model, trace, plot, report;
  bool json = false;
};

/// The file of output weights; empty where there is none.
std::string output_weights_file(const TrainArguments& a) {
  return a.fixed_output.value_or("ones") == "ones" ? "" : *a.fixed_output;
}

/// Targets x units.
Matrix output_weights(const TrainArguments& a) {
  const auto targets = reads_arrays(a.training) ? Index{1} : static_cast<Index>(a.training.targets.size());
  const Index units = std::max<Index>(a.training.options.hidden.back(), 1);  // 0 for "none", which is refused later
  if (*a.fixed_output == "ones") return Matrix::Ones(targets, units);
  Matrix weights = read_csv(*a.fixed_output).values;
  if (weights.rows() != targets || weights.cols() != units) {
    throw std::invalid_argument(
        fmt::format("{}: {} rows of {} values, expected {} of {}: one per target, of one per unit", *a.fixed_output,
                    weights.rows(), weights.cols(), targets, units));
  }
  if ((weights.array() == 0).any()) {
    throw std::invalid_argument(fmt::format("{}: a weight is 0, expected other numbers", *a.fixed_output));
  }
  return weights;
}

TrainOptions train_options(const TrainArguments& a) {
  TrainOptions options = cli::train_options(a.training);
  options.method = naming_options([&] { return method_from(a.method); });
  if (a.fixed_output) options.fixed_output = output_weights(a);
  if (!a.constraints.empty()) options.constraints = load_constraints(a.constraints);
  if (a.strategy) options.strategy = strategy_from(*a.strategy);
  return options;
}

/// Rows held out: of `file` where one is named, else a fraction of the training rows, which leave these.
std::optional<Dataset> held_out(const std::string& name, const std::string& file, std::optional<double> fraction,
                                unsigned seed, Dataset& train) {
  if (!file.empty()) {
    if (fraction) throw std::invalid_argument(fmt::format("--{}-fraction: not together with --{}", name, name));
    return read_like(file, train);
  }
  if (!fraction) return std::nullopt;
  Split split = split_dataset(train, *fraction, seed);
  train = std::move(split.train);
  return std::move(split.test);
}

/// Whether every process reads a part of the file: nothing is drawn from the rows, and the report needs not all.
bool reads_apart(const TrainArguments& a, const Ranks* ranks) {
  return ranks && !a.test_fraction && !a.validation_fraction && a.report.empty() && reads_in_parts(a.training);
}

Samples read_samples(const TrainArguments& a, const Loss& loss, const Ranks* ranks) {
  Samples samples{reads_apart(a, ranks) ? read_part(a.training, *ranks) : read_dataset(a.training, loss), {}, {}};
  const unsigned seed = a.training.options.seed;
  samples.test = held_out("test", a.test, a.test_fraction, seed, samples.train);
  samples.validation = held_out("validation", a.validation, a.validation_fraction, seed, samples.train);
  return samples;
}

std::vector<std::vector<SequenceRecord>> recorded_traces(const TrainResult& result) {
  std::vector<std::vector<SequenceRecord>> traces;
  for (const StartSummary& start : result.starts) traces.push_back(start.trace);
  return traces;
}

void check_kept(const std::vector<ConstraintCheck>& checks) {
  for (const ConstraintCheck& check : checks) {
    if (holds(check)) continue;
    throw std::runtime_error(
        fmt::format("constraint {} is violated by {:.3g} in the best network found: nothing is written. Too few units, "
                    "or constraints that contradict each other?",
                    check.name, -check.slack));
  }
}

/// What cannot be written, or would overwrite another file of the command, is found before training. The model may take
/// the place of the one that training starts from.
void check_files(const TrainArguments& a) {
  check_output(a.model);
  const std::string& checkpoint = a.training.options.checkpoint;
  if (!a.trace.empty()) check_output(a.trace);
  if (!a.plot.empty()) check_plot(a.plot);
  if (!a.report.empty()) check_output(a.report);
  std::vector<std::string> others = {data_file(a.training),
                                     a.training.files.targets,
                                     a.training.files.weights,
                                     a.test,
                                     a.validation,
                                     output_weights_file(a),
                                     a.constraints};
  check_distinct(a.model, others);
  others.insert(others.end(), {a.training.init, a.model});
  for (const std::string& output : {a.trace, a.plot, a.plot.empty() ? "" : script_of(a.plot), a.report, checkpoint}) {
    check_distinct(output, others);
    others.push_back(output);
  }
}

int write_report(const TrainArguments& a, const CLI::App& command, const TrainResult& result, const Samples& samples) {
  Page page{fmt::format("{}: {}", data_file(a.training), fmt::join(samples.train.target_names, ", ")),
            result.model,
            given_options(command),
            {{"training", &samples.train}},
            summary_json(a.model, result, samples),
            result.constraints,
            result.starts[static_cast<std::size_t>(result.best_start)].trace};
  if (samples.validation) page.data_sets.emplace_back("validation", &*samples.validation);
  if (samples.test) page.data_sets.emplace_back("held out", &*samples.test);
  return write_page(page, a.report);
}

void write_files(const TrainArguments& a, const CLI::App& command, const TrainResult& result, const Samples& samples,
                 ExitCode& exit) {
  save_model(result.model, a.model);
  const auto traces = recorded_traces(result);
  if (!a.trace.empty()) write_traces(a.trace, traces);
  if (!a.plot.empty() && !draw_traces({data_file(a.training), traces}, a.plot)) {
    complain(fmt::format("{} not drawn (gnuplot is not installed); its script: {}", a.plot, script_of(a.plot)));
  }
  if (!a.report.empty()) exit.value = write_report(a, command, result, samples);
}

void run_train(const TrainArguments& a, const CLI::App& command, ExitCode& exit, const Ranks* ranks) {
  TrainOptions options;
  Samples samples;
  collectively(ranks, [&] {
    options = train_options(a);
    naming_options([&] { return plan(options); });
    samples = read_samples(a, options.loss, ranks);
    if (!reads_apart(a, ranks)) check_trainable(samples.train, options.output_activation);
    if (is_first(ranks)) check_files(a);
  });
  const bool apart = reads_apart(a, ranks);
  if (apart) samples.train = dealt(samples.train, *ranks);
  if (!a.report.empty() && is_first(ranks)) exit.value = check_page_maker();
  exit.value = static_cast<int>(agreed(ranks, static_cast<double>(exit.value)));
  if (exit.value != 0) return;
  options.validation = samples.validation;
  options.ranks = ranks;

  const InterruptGuard guard;
  options.should_stop = &InterruptGuard::interrupted;
  TrainResult result;
  {
    ProgressLine line;
    const TrainObserver observe = [&](const TrainProgress& progress) {
      if (is_first(ranks)) line.show(progress, options.starts, options.loss);
      return !InterruptGuard::interrupted();
    };
    const bool own = ranks == nullptr || apart;
    const Dataset part = own ? Dataset() : own_part(ranks, samples.train);
    result = train(own ? samples.train : part, options, observe);
  }
  check_kept(result.constraints);
  if (is_first(ranks)) write_files(a, command, result, samples, exit);
  // All ranks, as they have to predict their rows; the first one is heard.
  if (a.json) {
    print("{}\n", summary_json(a.model, result, samples).dump(2));
  } else {
    print_summary(a.model, result, samples);
  }
  if (agreed(ranks, InterruptGuard::interrupted())) exit.value = 130;
}

void add_method_options(CLI::App& command, TrainArguments& a) {
  TrainOptions& o = a.training.options;
  command.add_option("--starts", o.starts, "Random starts; the best network is kept")
      ->capture_default_str()
      ->transform(whole_number(1, kMostStarts));
  command
      .add_option("--method", a.method,
                  "relaxation (sequential convex relaxation), search (exact loss: many short local fits), "
                  "fixed-output (with --fixed-output), or auto: fixed-output with --fixed-output, else search "
                  "where it applies and no option of the relaxation is given")
      ->capture_default_str();
  command.add_option("--fixed-output", a.fixed_output,
                     "Output weights held fixed: ones, or a CSV file of them (exact loss, one hidden layer, one linear "
                     "output, which then has no bias)");
  command
      .add_option("--iterations", o.iterations,
                  "Outer iterations (search: local fits; fixed-output: iterations from a point) at most, per start")
      ->transform(whole_number(1, kMostIterations));
  command
      .add_option("--inner-iterations", o.inner_iterations,
                  "Inner iterations between updates of X and Y; 0: solve every convex problem to the end")
      ->transform(whole_number(0, kMostIterations));
  command.add_option("--strategy", a.strategy,
                     "How X and Y follow from a solution: converged, inexact, extrapolated, continuation, reweighted, "
                     "safeguarded or projection (default inexact; converged with --inner-iterations 0)");
}

void add_weight_options(CLI::App& command, TrainArguments& a) {
  TrainOptions& o = a.training.options;
  command.add_option("--constraints", a.constraints, "JSON file of hard constraints on the network (raw units)");
  command.add_option("--lasso", o.lasso, "Penalty on absolute weights, per target value")->check(number_from_zero());
  command
      .add_option("--group-lasso", o.group_lasso,
                  "Penalty on the norms of hidden units' input weights, per target value: removes whole units")
      ->check(number_from_zero());
  command.add_option("--nuclear", o.nuclear, "Penalty on singular values of the weights, per target value: low rank")
      ->check(number_from_zero());
  command
      .add_option("--weight-grid", o.weight_grid,
                  "Round weights and biases (raw units) to multiples of this, e.g. 2^-6, and repair the fit")
      ->transform(step_of_grid());
}

void add_run_options(CLI::App& command, TrainOptions& o) {
  // A plain flag would set the value when it is not given, too.
  command.add_flag_function(
      "--polish,!--no-polish", [&o](std::int64_t count) { o.polish = count > 0; },
      "Refine the best network of every start by L-BFGS and Levenberg-Marquardt (default: yes)");
  command
      .add_option("--tolerance", o.tolerance,
                  "On the largest violation, scaled units (default 1e-8); search, fixed-output: on the relative "
                  "residual, scaled units (default 1e-9)")
      ->check(positive_number());
  command.add_option("--time-limit", o.time_limit, "Seconds for all starts together; 0: none")
      ->capture_default_str()
      ->check(number_from_zero());
  command.add_option("--threads", o.threads, "Threads; the result does not depend on them")
      ->capture_default_str()
      ->transform(whole_number(1, kMostThreads));
}

void add_held_out_options(CLI::App& command, TrainArguments& a) {
  command.add_option("--test-fraction", a.test_fraction, "Hold out this fraction of the rows and report on them")
      ->check(fraction());
  command.add_option("--test", a.test, "Report on the rows of this CSV file");
  command
      .add_option("--validation-fraction", a.validation_fraction,
                  "Choose the ridge, and among starts, by this fraction of the rows, which are not trained on")
      ->check(fraction());
  command.add_option("--validation", a.validation, "Choose by the rows of this CSV file");
}

void add_checkpoint_options(CLI::App& command, TrainOptions& o) {
  add_output(command, "--checkpoint", o.checkpoint, "File that keeps what training has done, to be resumed from");
  command.add_option("--checkpoint-interval", o.checkpoint_interval, "Seconds between writing it; 0: all the time")
      ->capture_default_str()
      ->check(number_from_zero());
  command.add_flag("--resume", o.resume,
                   "Go on from the checkpoint, where there is one; without this a file that is there is refused");
}

}  // namespace

void add_train(CLI::App& app, ExitCode& exit, const Ranks* ranks) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* command = app.add_subcommand("train", "Train a network on a CSV file");
  add_training_options(*command, a->training);
  add_method_options(*command, *a);
  add_weight_options(*command, *a);
  add_run_options(*command, a->training.options);
  add_held_out_options(*command, *a);
  add_output(*command, "--model", a->model, "Model file to write (JSON)")->required();
  add_output(*command, "--trace", a->trace, "Trace file to write (CSV): one row per recorded iteration");
  add_output(*command, "--plot", a->plot, "Picture to draw (SVG or PNG): violations and fit per iteration");
  add_output(*command, "--report", a->report,
             "Page to write (HTML), by the Python package: data, fit, constraints, all");
  add_checkpoint_options(*command, a->training.options);
  command->add_flag("--json", a->json, "Print the summary as JSON");
  command->footer(
      "Examples:\n"
      "  relufit train data/diabetes.csv --targets progression --hidden 10 --test-fraction 0.25 --model diabetes.json\n"
      "  relufit train teacher.csv --targets y0,y1 --hidden 3 --loss exact --starts 20 --model teacher.json --json\n"
      "  relufit train data/iris.csv --task classify --targets species --hidden 10 --model iris.json\n"
      "  relufit train sum.csv --targets y --hidden 10 --loss exact --no-bias --fixed-output ones --model sum.json");
  command->callback([a, command, &exit, ranks] { run_train(*a, *command, exit, ranks); });
}

}  // namespace relufit::cli
