#include "training_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

#include "numbers.h"

namespace relufit::cli {

namespace {

constexpr long long kMostUnits = 10000;  // beyond these a run would end for want of memory, not with a message
constexpr long long kMostFolds = 1000;
constexpr long long kLargestSeed = std::numeric_limits<unsigned>::max();

constexpr Index kAutomatic = -1;  // units that are chosen from the data

/// Units of a layer; "none" becomes 0, "auto" kAutomatic.
CLI::Validator units_or_none() {
  const auto convert = [units = whole_number(1, kMostUnits)](std::string& text) {
    if (text != "none" && text != "auto") return units(text);
    text = text == "none" ? "0" : std::to_string(kAutomatic);
    return std::string();
  };
  return CLI::Validator(convert, "");
}

/// Takes the first name off a line of CSV: up to a comma, or in quotes with those inside doubled. Nothing where a quote
/// is misplaced.
std::optional<std::string> take_name(std::string_view& line) {
  std::string name;
  std::size_t end = std::min(line.find(','), line.size());
  if (line.starts_with('"')) {
    for (end = 1; end < line.size() && (line[end] != '"' || line.substr(end, 2) == "\"\""); ++end) {
      end += line[end] == '"' ? 1 : 0;
      name += line[end];
    }
    if (end++ >= line.size()) return std::nullopt;
  } else {
    name = line.substr(0, end);
  }
  if (end < line.size() && line[end] != ',') return std::nullopt;
  line.remove_prefix(end);
  return name;
}

/// An option that takes such a list; given again, it adds to it.
CLI::Option* add_name_list(CLI::App& command, const std::string& option, std::vector<std::string>& names,
                           const std::string& description) {
  const auto take = [&names, option](const std::vector<std::string>& texts) {
    for (std::string_view line : texts) {
      const std::string_view whole = line;
      for (bool goes_on = true; goes_on; line.remove_prefix(goes_on ? 1 : 0)) {
        const std::optional<std::string> name = take_name(line);
        if (!name) throw CLI::ValidationError(option, fmt::format("'{}', expected quotes around whole names", whole));
        names.push_back(*name);
        goes_on = !line.empty();
      }
    }
  };
  return command.add_option_function<std::vector<std::string>>(option, take, description)->allow_extra_args(false);
}

/// Options for the defaults of a loss, with these hidden layers.
TrainOptions of_loss(const Loss& loss, std::vector<Index> hidden = {1}) {
  TrainOptions options;
  options.loss = loss;
  options.hidden = std::move(hidden);
  return options;
}

std::string help_of_random_scale() {
  TrainOptions saturating = of_loss(Loss::squared);
  saturating.activation = Activation::hard_tanh;
  return fmt::format(
      "Size of random guesses (default {}; exact loss {}, with several layers or constraints {}; clipped-relu, "
      "hard-tanh {})",
      plan(of_loss(Loss::squared)).random_scale, plan(of_loss(Loss::exact)).random_scale,
      plan(of_loss(Loss::exact, {1, 1})).random_scale, plan(saturating).random_scale);
}

void add_data_options(CLI::App& command, TrainingArguments& a) {
  command.add_option("data", a.data, "CSV file with a header; one row is one sample");
  add_name_list(command, "--targets", a.targets, "Target columns, comma separated, in quotes where a name has commas");
  add_name_list(command, "--inputs", a.inputs, "Input columns, likewise (default: all that are not targets)");
  add_name_list(command, "--categorical", a.categorical,
                "Input columns of text, likewise: an input of 0 and 1 for each of their texts");
  add_array_files(command, a.files, true);
  command.add_option("--weights-file", a.files.weights, "NumPy file of sample weights, with --inputs-file");
}

void add_network_options(CLI::App& command, TrainingArguments& a) {
  TrainOptions& o = a.options;
  command
      .add_option(
          "--hidden", o.hidden,
          "Units of the hidden layers, e.g. 3 or 10,10; none: a linear model; auto: one layer, its units chosen")
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->transform(units_or_none());
  command
      .add_option("--task", a.task,
                  "regress (targets are numbers) or classify (the one target is a label: text or number)")
      ->capture_default_str();
  command
      .add_option("--activation", a.activation,
                  "Of hidden units: relu, leaky-relu, absolute, clipped-relu (0 to a ceiling), hard-tanh (-1 to 1), "
                  "maxout (of two)")
      ->capture_default_str();
  command.add_option("--activation-parameter", a.activation_parameter,
                     "leaky-relu: slope left of 0 (default 0.01); clipped-relu: ceiling, scaled units (default 1)");
  command.add_option("--output-activation", a.output_activation, "linear or relu")->capture_default_str();
  command.add_flag("--skip-connections", o.skip_connections, "Every layer after the first sees the inputs as well");
}

void add_objective_options(CLI::App& command, TrainingArguments& a) {
  TrainOptions& o = a.options;
  command.add_option("--loss", a.loss,
                     "regress: squared (default), exact (outputs equal targets), absolute, huber, quantile; classify: "
                     "cross-entropy (default), logistic (2 classes), hinge (no probabilities)");
  command.add_option("--huber-delta", a.huber_delta, "Error from which on the huber loss is linear, raw units")
      ->check(positive_number());
  command.add_option("--quantile", a.quantile, "The quantile that the quantile loss fits, e.g. 0.9")->check(fraction());
  command.add_option("--sample-weights", a.sample_weights, "Column with the weights of the samples in the loss, >= 0");
  command.add_option_function<std::string>(
      "--ridge", [&o](const std::string& text) { o.ridge = number_from_zero_or_auto("--ridge", text); },
      fmt::format("Penalty on squared weights, per target value (cross-entropy: per sample), or auto: the one that "
                  "predicts held-out samples best (default auto; exact loss {})",
                  *plan(of_loss(Loss::exact)).ridge));
  command.add_option("--folds", o.folds, "Parts of the samples, each held out once to choose the ridge")
      ->capture_default_str()
      ->transform(whole_number(2, kMostFolds));
}

void add_relaxation_options(CLI::App& command, TrainingArguments& a) {
  TrainOptions& o = a.options;
  command.add_option("--init", a.init, "Start of X and Y: zero, random, or a model file")->capture_default_str();
  command.add_flag_function(
      "--no-bias", [&o](std::int64_t count) { o.bias = count == 0; },
      "Layers without biases; data are scaled, not centered");
  command.add_option("--random-scale", o.random_scale, help_of_random_scale())->check(positive_number());
  command.add_option("--seed", o.seed, "Seed of random guesses and of --test-fraction")
      ->capture_default_str()
      ->transform(whole_number(0, kLargestSeed));
  const auto weight = [](const Loss& loss) { return plan(of_loss(loss)).relaxation.weights.pair; };
  const std::string weights =
      fmt::format(" (default {}, for classes {})", weight(Loss::squared), weight(Loss::cross_entropy));
  for (const auto& [name, value, help] :
       {std::tuple{"--lambda-pair", &o.lambda_pair, "Weight of the pairs h s = 0" + weights},
        std::tuple{"--lambda-product", &o.lambda_product, "Weight of the layer products" + weights},
        std::tuple{"--pair-scale", &o.pair_scale, std::string("Scale w of the pairs (default 1)")},
        std::tuple{"--left-scale", &o.left_scale, std::string("Scale V1 of the products (default 1)")},
        std::tuple{"--right-scale", &o.right_scale, std::string("Scale V2 of the products (default 1)")},
        std::tuple{"--penalty-pair", &o.penalty_pair, "Penalty of the pairs' copies" + weights},
        std::tuple{"--penalty-product", &o.penalty_product, "Penalty of the products' copies" + weights},
        std::tuple{"--penalty-output", &o.penalty_output, "Penalty of the outputs' copies" + weights},
        std::tuple{"--over-relaxation", &o.over_relaxation, std::string("Below 2 (default 1.6)")}}) {
    command.add_option(name, *value, help)->check(positive_number());
  }
}

}  // namespace

void add_training_options(CLI::App& command, TrainingArguments& a) {
  add_data_options(command, a);
  add_network_options(command, a);
  add_objective_options(command, a);
  add_relaxation_options(command, a);
}

std::string hidden_text(const std::vector<std::string>& units) {
  if (units == std::vector<std::string>{std::to_string(kAutomatic)}) return "auto";
  return units == std::vector<std::string>{"0"} ? "none" : fmt::format("{}", fmt::join(units, ","));
}

bool classifies(const TrainingArguments& a) {
  if (a.task == "classify") return true;
  if (a.task == "regress") return false;
  throw std::invalid_argument(fmt::format("--task: '{}', expected regress or classify", a.task));
}

namespace {

/// The loss with its parameter, which must be given where it is needed and nowhere else.
Loss chosen_loss(const TrainingArguments& a) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  const bool classify = classifies(a);
  const std::string name = a.loss.value_or(classify ? "cross-entropy" : "squared");
  if (a.huber_delta && name != "huber") fail("--huber-delta: given, expected --loss huber with it");
  if (a.quantile && name != "quantile") fail("--quantile: given, expected --loss quantile with it");
  if (name == "huber" && !a.huber_delta) fail("--loss: 'huber' needs --huber-delta");
  if (name == "quantile" && !a.quantile) fail("--loss: 'quantile' needs --quantile");
  const double parameter = a.huber_delta ? *a.huber_delta : a.quantile.value_or(0);
  const Loss loss = naming_options([&] { return loss_from(name, parameter); });
  if (classify && !is_for_classes(loss)) {
    fail(fmt::format("--loss: '{}' with --task classify, expected cross-entropy, logistic or hinge", name));
  }
  if (!classify && is_for_classes(loss)) fail(fmt::format("--loss: '{}', expected --task classify with it", name));
  if (classify && !reads_arrays(a) && a.targets.size() != 1) {
    fail(fmt::format("--targets: {} columns with --task classify, expected 1, the label", a.targets.size()));
  }
  if (!a.sample_weights.empty() && loss == Loss::exact)
    fail("--sample-weights: given, expected none with --loss exact");
  if (!a.files.weights.empty() && loss == Loss::exact) fail("--weights-file: given, expected none with --loss exact");
  return loss;
}

Activation chosen_activation(const TrainingArguments& a) {
  return naming_options([&] { return activation_from(a.activation, a.activation_parameter); });
}

/// No layer for "none" and "auto".
std::vector<Index> hidden_layers(const std::vector<Index>& given) {
  for (const auto& [value, name] : {std::pair{Index{0}, "none"}, std::pair{kAutomatic, "auto"}}) {
    if (std::find(given.begin(), given.end(), value) == given.end()) continue;
    if (given.size() > 1)
      throw std::invalid_argument(fmt::format("--hidden: '{}' with other layers, expected it alone", name));
    return {};
  }
  return given;
}

Start chosen_start(const std::string& init) {
  if (init == "random") return RandomStart{};
  if (init == "zero") return ZeroStart{};
  return load_model(init);
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Columns of text are inputs, and nothing else.
void check_categorical(const TrainingArguments& a) {
  const auto fail = [](const std::string& name, const char* problem) {
    throw std::invalid_argument(fmt::format("--categorical: '{}' {}", name, problem));
  };
  for (const std::string& name : a.categorical) {
    if (contains(a.targets, name)) fail(name, "is a target, expected an input");
    if (name == a.sample_weights) fail(name, "has the sample weights, expected an input");
    if (!a.inputs.empty() && !contains(a.inputs, name)) fail(name, "is not among --inputs");
    if (std::count(a.categorical.begin(), a.categorical.end(), name) > 1) fail(name, "is named twice");
  }
}

/// All columns where no inputs are named, else the used ones; of several ranks, one's part of the rows.
Table read_table(const TrainingArguments& a, const Ranks* ranks = nullptr) {
  check_categorical(a);
  std::vector<std::string> texts = classifies(a) ? a.targets : std::vector<std::string>();
  texts.insert(texts.end(), a.categorical.begin(), a.categorical.end());
  std::vector<std::string> needed = classifies(a) ? std::vector<std::string>() : a.targets;
  if (!a.sample_weights.empty()) needed.push_back(a.sample_weights);
  needed.insert(needed.end(), a.inputs.begin(), a.inputs.end());
  try {
    const std::vector<std::string> numbers = a.inputs.empty() ? std::vector<std::string>() : needed;
    return ranks ? read_csv_part(a.data, ranks->rank(), ranks->size(), texts, numbers)
                 : read_csv(a.data, texts, numbers);
  } catch (const NotANumber& error) {
    if (contains(needed, error.column)) throw;
    throw std::invalid_argument(
        fmt::format("{} (--inputs NAMES leaves other columns out, --categorical NAMES takes texts)", error.what()));
  }
}

}  // namespace

void add_array_files(CLI::App& command, ArrayFiles& files, bool with_targets) {
  command.add_option("--inputs-file", files.inputs,
                     "In place of a CSV file: NumPy file (.npy) of inputs, one row is one sample");
  if (!with_targets) return;
  command.add_option("--targets-file", files.targets, "NumPy file of targets, with --inputs-file");
}

bool from_array_files(const std::string& data, const ArrayFiles& files, bool with_targets) {
  const auto fail = [](const char* message) { throw std::invalid_argument(message); };
  if (files.inputs.empty()) {
    if (!files.targets.empty() || !files.weights.empty()) {
      fail("--targets-file, --weights-file: given, expected --inputs-file with them");
    }
    if (data.empty()) fail("data: missing, expected a CSV file, or --inputs-file");
    return false;
  }
  if (!data.empty()) fail("--inputs-file: given with a CSV file, expected one of them");
  if (with_targets && files.targets.empty()) fail("--inputs-file: given, expected --targets-file with it");
  return true;
}

bool reads_arrays(const TrainingArguments& a) {
  const bool arrays = from_array_files(a.data, a.files, true);
  if (!arrays && a.targets.empty()) throw std::invalid_argument("--targets: missing, expected the target columns");
  if (!arrays) return false;
  if (!a.targets.empty() || !a.inputs.empty() || !a.categorical.empty() || !a.sample_weights.empty()) {
    throw std::invalid_argument(
        "--targets, --inputs, --categorical, --sample-weights: given with --inputs-file, whose columns have no names");
  }
  return true;
}

const std::string& data_file(const TrainingArguments& a) { return a.data.empty() ? a.files.inputs : a.data; }

Dataset read_dataset(const TrainingArguments& a, const Loss& loss) {
  if (reads_arrays(a)) {
    return classifies(a) ? read_classification(a.files, loss) : relufit::read_dataset(a.files);
  }
  Table table = read_table(a);
  const std::vector<Category> categories = find_categories(table, a.categorical);
  table = with_levels(std::move(table), categories);
  const std::vector<std::string> inputs = with_level_names(a.inputs, categories);
  if (!classifies(a)) return make_dataset(table, a.targets, inputs, a.sample_weights);
  return make_classification(table, a.targets.front(), loss, inputs, a.sample_weights);
}

bool reads_in_parts(const TrainingArguments& a) { return !classifies(a) && a.categorical.empty(); }

Dataset read_part(const TrainingArguments& a, const Ranks& ranks) {
  if (reads_arrays(a)) return read_dataset_part(a.files, ranks.rank(), ranks.size());
  return make_dataset(read_table(a, &ranks), a.targets, a.inputs, a.sample_weights);
}

TrainOptions train_options(const TrainingArguments& a) {
  if (a.output_activation != "linear" && a.output_activation != "relu") {
    throw std::invalid_argument(fmt::format("--output-activation: '{}', expected linear or relu", a.output_activation));
  }
  TrainOptions options = a.options;
  options.loss = chosen_loss(a);
  options.automatic_width = std::find(options.hidden.begin(), options.hidden.end(), kAutomatic) != options.hidden.end();
  options.hidden = hidden_layers(options.hidden);
  options.activation = chosen_activation(a);
  options.output_activation = output_activation_from(a.output_activation);
  options.init = chosen_start(a.init);
  return options;
}

}  // namespace relufit::cli
