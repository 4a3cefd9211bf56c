// The experiments of the source: a teacher network with random weights, N = 30 samples, ReLU on both layers, and
// sequential convex relaxation started from true, perturbed, random or zero values of X and Y; random and zero starts
// also with relufit's own updates.

#include <algorithm>
#include <filesystem>
#include <limits>

#include "commands.h"
#include "early_race.h"
#include "output.h"
#include "plot.h"
#include "progress.h"
#include "relufit/sequence.h"
#include "relufit/teacher.h"

namespace relufit::cli {

namespace {

enum class StartFrom { true_values, perturbed, random, zero };

struct Experiment {
  std::string name;
  std::string title;
  StartFrom start = StartFrom::true_values;
  std::vector<Index> widths = {3, 3, 2};
  Index seeds = 20;
  double size = 0;  // of the perturbation or the random guess
  SequenceOptions options;
  Index first_seed = 0;
};

constexpr Index kSamples = 30;

/// The author's weights; every problem is solved to the end.
SequenceOptions source_options(Index iterations) {
  SequenceOptions options;
  options.weights = {1.1, 10};
  options.max_iterations = iterations;
  options.stall_window = 0;
  options.tolerance = 1e-8;
  options.subproblem.tolerance = 1e-10;
  options.subproblem.max_iterations = 5000;
  return options;
}

bool is_wanted(const std::string& which, const char* name) { return which == name || which == "all"; }

std::vector<Experiment> experiments(const std::string& which) {
  std::vector<Experiment> list;
  const auto wanted = [&](const char* name) { return is_wanted(which, name); };
  if (wanted("true")) {
    list.push_back({"true", "true values", StartFrom::true_values, {3, 3, 2}, 20, 0, source_options(1)});
    list.back().options.subproblem.max_iterations = 50000;
  }
  if (wanted("perturbed")) {
    list.push_back({"perturbed",
                    "true values + 0.1 randn, plain update",
                    StartFrom::perturbed,
                    {3, 3, 2},
                    20,
                    0.1,
                    source_options(30)});
    Experiment scaled = list.back();
    scaled.name = "perturbed-scaled";
    scaled.title = "true values + 0.1 randn, lambda = 1, 1";
    scaled.options.weights = {1, 1};
    list.push_back(scaled);
    Experiment reweighted = list.back();
    reweighted.name = "perturbed-reweighted";
    reweighted.title = "true values + 0.1 randn, reweighted";
    reweighted.options.strategy = Strategy::reweighted;
    list.push_back(reweighted);
    Experiment extrapolated = scaled;
    extrapolated.name = "perturbed-extrapolated";
    extrapolated.title = "true values + 0.1 randn, lambda = 1, 1, extrapolated";
    extrapolated.options.strategy = Strategy::extrapolated;
    list.push_back(extrapolated);
  }
  if (wanted("random")) {
    list.push_back({"random", "0.05 randn", StartFrom::random, {3, 3, 2}, 10, 0.05, source_options(50)});
    Experiment author{"random-author",   "3-5-3, 0.05 randn, reweighted", StartFrom::random, {3, 5, 3}, 5, 0.05,
                      source_options(25)};
    author.options.strategy = Strategy::reweighted;
    list.push_back(author);
  }
  if (wanted("zero")) list.push_back({"zero", "zero", StartFrom::zero, {3, 3, 2}, 5, 0, source_options(50)});
  return list;
}

/// The teacher's own point with noise on what X and Y of the hidden layer are taken from.
LiftedPoint perturbed_point(const LiftedProblem& problem, const Network& teacher, double size,
                            unsigned long long seed) {
  LiftedPoint point = lift_network(problem, teacher.layers());
  const RelaxationParameters noise = random_parameters(problem, size, seed);
  point.active[0] -= noise.pair[0].x;
  point.slack[0] -= noise.pair[0].y;
  point.layers[1].weights -= noise.product[0].x;
  return point;
}

RelaxationParameters start_parameters(const Experiment& experiment, const LiftedProblem& problem,
                                      const Network& teacher, unsigned long long seed) {
  switch (experiment.start) {
    case StartFrom::true_values:
      return parameters_at(lift_network(problem, teacher.layers()));
    case StartFrom::perturbed:
      return parameters_at(perturbed_point(problem, teacher, experiment.size, seed));
    case StartFrom::random:
      return random_parameters(problem, experiment.size, seed);
    case StartFrom::zero:
      break;
  }
  return parameters_at(zero_point(problem));
}

struct Outcome {
  SequenceResult result;
  double weight_distance = 0;  // to the teacher's, relative
  double output_distance = 0;  // largest, on the data
  bool dead_output = false;
};

LiftedProblem problem_of(const Teacher& teacher, const std::vector<Index>& widths) {
  LiftedProblem problem;
  problem.inputs = teacher.inputs;
  problem.targets = teacher.targets;
  problem.network.widths = widths;
  problem.network.output = OutputActivation::relu;
  return problem;
}

double largest_error(const std::vector<Layer>& layers, const LiftedProblem& problem) {
  return (Network(layers, problem.network.output).forward(problem.inputs) - problem.targets).cwiseAbs().maxCoeff();
}

Outcome run_one(const Experiment& experiment, unsigned long long seed) {
  const Teacher teacher = make_teacher(experiment.widths, OutputActivation::relu, kSamples, seed);
  const LiftedProblem problem = problem_of(teacher, experiment.widths);
  Outcome outcome;
  outcome.dead_output = teacher.targets.rowwise().maxCoeff().minCoeff() <= 0;
  outcome.result = run_sequence(
      problem, with_scales(start_parameters(experiment, problem, teacher.network, seed), experiment.options.scales),
      experiment.options,
      [](const SequenceRecord&, const std::vector<Layer>&) { return !InterruptGuard::interrupted(); });
  double difference = 0;
  double size = 0;
  for (std::size_t l = 0; l < experiment.widths.size() - 1; ++l) {
    difference += (outcome.result.point.layers[l].weights - teacher.network.layers()[l].weights).squaredNorm();
    size += teacher.network.layers()[l].weights.squaredNorm();
  }
  outcome.weight_distance = std::sqrt(difference / size);
  outcome.output_distance = largest_error(outcome.result.point.layers, problem);
  return outcome;
}

std::string picture_of(const std::string& experiment, const std::filesystem::path& folder) {
  return (folder / (experiment + ".svg")).string();
}

std::string trace_of(const std::string& experiment, const std::filesystem::path& folder) {
  return (folder / (experiment + ".csv")).string();
}

void draw_and_write(const TracePlot& plot, const std::string& experiment, const std::filesystem::path& folder) {
  const std::string picture = picture_of(experiment, folder);
  const auto is_empty = [](const std::vector<SequenceRecord>& trace) { return trace.empty(); };
  if (std::all_of(plot.traces.begin(), plot.traces.end(), is_empty)) {
    print("no picture: no start came near, so no problem was solved to the end\n");
  } else if (draw_traces(plot, picture)) {
    print("picture: {}\n", picture);
  } else {
    print("picture not drawn (gnuplot is not installed); its script: {}.gp\n", picture);
  }
  write_traces(trace_of(experiment, folder), plot.traces);
}

/// Returns false when interrupted.
bool run_experiment(const Experiment& experiment, const std::filesystem::path& folder) {
  print("\n{}: {}-{}-{}, start from {}, at most {} iterations\n", experiment.name, experiment.widths[0],
        experiment.widths[1], experiment.widths[2], experiment.title, experiment.options.max_iterations);
  print("{:>5} {:>16} {:>6} {:>8} {:>14} {:>9} {:>9} {:>10} {:>10} {:>8}\n", "seed", "status", "iter.", "inner",
        "complementar.", "product", "fit", "|W - W*|", "|F - Y|max", "seconds");
  TracePlot plot{fmt::format("{}: constraint violations per iteration", experiment.name), {}};
  Index solved = 0;
  Index solved_elsewhere = 0;
  for (Index seed = experiment.first_seed; seed < experiment.first_seed + experiment.seeds; ++seed) {
    const Outcome outcome = run_one(experiment, static_cast<unsigned long long>(seed));
    if (InterruptGuard::interrupted()) return false;
    const SequenceResult& result = outcome.result;
    const SequenceRecord& last = result.trace.back();
    print("{:>5} {:>16} {:>6} {:>8} {:>14.1e} {:>9.1e} {:>9.1e} {:>10.2e} {:>10.1e} {:>8.2f}{}\n", seed,
          to_string(result.status), last.iteration, last.inner_iterations, last.pair, last.product, last.fit,
          outcome.weight_distance, outcome.output_distance, last.seconds, outcome.dead_output ? "  dead output" : "");
    const bool converged = result.status == SequenceStatus::converged;
    solved += converged ? 1 : 0;
    solved_elsewhere += converged && outcome.weight_distance > 1e-3 && outcome.output_distance < 1e-7 ? 1 : 0;
    plot.traces.push_back(result.trace);
  }
  print(
      "all violations below {:.0e}: {} of {} seeds; with other weights than the teacher's and the same outputs "
      "(to 1e-7): {}\n",
      experiment.options.tolerance, solved, experiment.seeds, solved_elsewhere);
  draw_and_write(plot, experiment.name, folder);
  return true;
}

/// An experiment of the source with relufit's own updates.
struct OwnExperiment {
  std::string name;
  std::string title;
  Index seeds = 0;
  EarlyRaceOptions race;
  double perturbation = 0;  // of true values, from which it starts; 0: random starts
  Index first_seed = 0;
};

std::vector<OwnExperiment> own_experiments(const std::string& which, Index starts) {
  std::vector<OwnExperiment> list;
  EarlyRaceOptions race;
  race.starts = starts;
  if (is_wanted(which, "random")) {
    race.size = 0.05;
    list.push_back({"random-own", "0.05 randn", 10, race});
  }
  if (is_wanted(which, "zero")) {
    race.size = 0.001;  // zero is a symmetric point; what leaves it is a guess too small to say where to
    list.push_back({"zero-own", "0.001 randn", 5, race});
  }
  if (is_wanted(which, "perturbed")) {
    race.starts = 1;
    race.kicks = starts;
    list.push_back({"perturbed-own", "true values + 0.1 randn", 20, race, 0.1});
  }
  return list;
}

/// Returns false when interrupted.
bool run_own(const OwnExperiment& experiment, const std::filesystem::path& folder) {
  const bool has_kicks = experiment.race.kicks > 0;
  print("\n{}: relufit's own updates, 3-3-2, {}; at most {} {}\n", experiment.name, experiment.title,
        has_kicks ? experiment.race.kicks : experiment.race.starts,
        has_kicks ? "kicks in a row without progress" : "starts");
  print("{:>5} {:>7} {:>7} {:>6} {:>9} {:>9} {:>9} {:>8} {:>10}\n", "seed", "solved", "starts", "kicks", "early",
        "inner", "problems", "fit", "|F - Y|max");
  TracePlot plot{fmt::format("{}: constraint violations per problem solved to the end", experiment.name), {}};
  Index solved = 0;
  for (Index seed = experiment.first_seed; seed < experiment.first_seed + experiment.seeds; ++seed) {
    const auto number = static_cast<unsigned long long>(seed);
    const Teacher teacher = make_teacher({3, 3, 2}, OutputActivation::relu, kSamples, number);
    const LiftedProblem problem = problem_of(teacher, {3, 3, 2});
    EarlyRaceOptions options = experiment.race;
    if (experiment.perturbation > 0) {
      options.from = perturbed_point(problem, teacher.network, experiment.perturbation, number);
    }
    const EarlyRaceResult result =
        race_early_updates(problem, options, number, [] { return !InterruptGuard::interrupted(); });
    if (InterruptGuard::interrupted()) return false;
    // Without a network the outputs are 0, which is what a fit of 1 says.
    const double distance = result.layers.empty() ? problem.targets.maxCoeff() : largest_error(result.layers, problem);
    print("{:>5} {:>7} {:>7} {:>6} {:>9} {:>9} {:>9} {:>8.1e} {:>10.1e}\n", seed, result.solved ? "yes" : "no",
          result.starts, result.kicks, result.early_iterations, result.inner_iterations,
          result.trace.empty() ? 0 : result.trace.back().iteration, result.fit, distance);
    solved += result.solved ? 1 : 0;
    plot.traces.push_back(result.trace);
  }
  print("right outputs (to {:.0e}, relative): {} of {} seeds\n", kSameOutputs, solved, experiment.seeds);
  draw_and_write(plot, experiment.name, folder);
  return true;
}

}  // namespace

void add_reproduce(CLI::App& app, ExitCode& exit) {
  struct Arguments {
    std::string which, out;
    Index starts = EarlyRaceOptions().starts;
    Index first_seed = 0, seeds = 0;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("reproduce", "The experiments of the source");
  command->add_option("experiment", a->which, "true, perturbed, random, zero or all")
      ->required()
      ->check(CLI::IsMember({"true", "perturbed", "random", "zero", "all"}));
  command->add_option("--out", a->out, "Folder for traces (CSV) and pictures (SVG); made if missing")->required();
  command
      ->add_option("--starts", a->starts,
                   "Starts of relufit's own updates (perturbed: kicks without progress), at most")
      ->check(CLI::Range(Index{1}, std::numeric_limits<Index>::max()))
      ->capture_default_str();
  command->add_option("--seeds", a->seeds, "Seeds of each experiment, in place of the table's")
      ->check(CLI::Range(Index{1}, Index{1000000}));
  command->add_option("--first-seed", a->first_seed, "The first of them")
      ->check(CLI::Range(Index{0}, Index{1000000}))
      ->capture_default_str();
  command->footer("Example:\n  relufit reproduce perturbed --out reproduced");
  command->callback([a, &exit] {
    std::error_code error;
    std::filesystem::create_directories(a->out, error);
    if (error) throw std::invalid_argument(fmt::format("--out: '{}' cannot be made: {}", a->out, error.message()));
    std::vector<Experiment> chosen = experiments(a->which);
    std::vector<OwnExperiment> own = own_experiments(a->which, a->starts);
    const auto set_seeds = [&](auto& experiment) {
      experiment.first_seed = a->first_seed;
      if (a->seeds > 0) experiment.seeds = a->seeds;
    };
    std::ranges::for_each(chosen, set_seeds);
    std::ranges::for_each(own, set_seeds);
    const auto check_files = [&](const auto& experiment) {
      check_plot(picture_of(experiment.name, a->out));
      check_output(trace_of(experiment.name, a->out));
    };
    std::ranges::for_each(chosen, check_files);
    std::ranges::for_each(own, check_files);
    const InterruptGuard guard;
    const bool done =
        std::ranges::all_of(chosen, [&](const Experiment& each) { return run_experiment(each, a->out); }) &&
        std::ranges::all_of(own, [&](const OwnExperiment& each) { return run_own(each, a->out); });
    if (!done) exit.value = 130;
  });
}

}  // namespace relufit::cli
