#include <optional>
#include <stdexcept>

#include "commands.h"
#include "output.h"
#include "python_package.h"
#include "relufit/c_export.h"
#include "relufit/sdp_export.h"
#include "training_options.h"

namespace relufit::cli {

namespace {

struct Arguments {
  std::string model, c, onnx, bounds;
  std::optional<std::string> name, opset;
  bool single_precision = false, double_precision = false, scores = false;
};

void check_kind(const Arguments& a) {
  const auto fail = [](const char* message) { throw std::invalid_argument(message); };
  if (a.c.empty() == a.onnx.empty()) fail("--c, --onnx: expected one of them");
  if (a.c.empty() && (a.name || a.single_precision)) fail("--name, --float32: options of --c");
  if (a.onnx.empty() && (a.opset || a.double_precision || a.scores || !a.bounds.empty())) {
    fail("--opset, --float64, --scores, --bounds: options of --onnx");
  }
}

int export_onnx(const Arguments& a) {
  std::vector<std::string> arguments = {"export", a.model, "--onnx", a.onnx};
  if (a.double_precision) arguments.insert(arguments.end(), {"--dtype", "float64"});
  if (a.scores) arguments.emplace_back("--scores");
  if (!a.bounds.empty()) arguments.insert(arguments.end(), {"--bounds", a.bounds});
  if (a.opset) arguments.insert(arguments.end(), {"--opset", *a.opset});
  return run_python_package(arguments);
}

}  // namespace

void add_export(CLI::App& app, ExitCode& exit) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("export", "Write a model as C source or as ONNX");
  command->add_option("model", a->model, "Model file")->required();
  add_output(*command, "--c", a->c, "C99 header to write: a function for one sample, without allocation");
  command->add_option("--name", a->name, "--c: prefix of the names in the header (default: from its file name)");
  command->add_flag("--float32", a->single_precision, "--c: float instead of double");
  add_output(*command, "--onnx", a->onnx, "ONNX file to write, by the Python package");
  command->add_flag("--float64", a->double_precision, "--onnx: double instead of float");
  command->add_flag("--scores", a->scores, "--onnx: of a classification the scores alone");
  command->add_option("--opset", a->opset, "--onnx: version of the operators (default: 13)");
  command->add_option(
      "--bounds", a->bounds,
      "--onnx: write the smallest box that holds the rows of this CSV file to FILE.bounds.json, for OMLT");
  command->footer("Example:\n  relufit export diabetes.json --c diabetes.h");
  command->callback([a, &exit] {
    check_kind(*a);
    const Model model = load_model(a->model);
    const std::string& file = a->c.empty() ? a->onnx : a->c;
    check_output(file);
    check_distinct(file, {a->model, a->bounds});
    if (!a->bounds.empty()) {
      const std::string box = file + ".bounds.json";
      check_output(box);
      check_distinct(box, {a->model, a->bounds});
    }
    if (a->c.empty()) {
      exit.value = export_onnx(*a);
    } else {
      export_c(model, a->c, {a->name.value_or(c_name_from(a->c)), a->single_precision});
    }
  });
}

void add_import(CLI::App& app, ExitCode& exit) {
  struct Files {
    std::string onnx, model;
  };
  auto files = std::make_shared<Files>();
  CLI::App* command = app.add_subcommand("import", "Read an ONNX file as a model, by the Python package");
  command->add_option("onnx", files->onnx, "ONNX file: a chain of Gemm, MatMul, Add and Relu")->required();
  add_output(*command, "--model", files->model, "Model file to write")->required();
  command->footer("Example:\n  relufit import network.onnx --model network.json");
  command->callback([files, &exit] {
    check_output(files->model);
    check_distinct(files->model, {files->onnx});
    exit.value = run_python_package({"import", files->onnx, "--model", files->model});
  });
}

void add_export_sdp(CLI::App& app) {
  struct Arguments {
    TrainingArguments training;
    std::string out;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("export-sdp", "Write the first convex problem as a semidefinite program");
  add_training_options(*command, a->training);
  add_output(*command, "--out", a->out, "File to write, SDPA sparse format (.dat-s)")->required();
  command->footer(
      "X and Y are those that `relufit train` begins with: give --init MODEL for the problem at a trained network.\n"
      "Example:\n  relufit export-sdp data.csv --targets y --hidden 2 --loss exact --out problem.dat-s && csdp "
      "problem.dat-s");
  command->callback([a] {
    TrainOptions options = train_options(a->training);
    options.method = Method::relaxation;
    const TrainPlan planned = naming_options([&] { return plan(options); });
    if (options.hidden.empty()) throw std::invalid_argument("--hidden: 'none', expected a hidden layer");
    const Dataset data = read_dataset(a->training, options.loss);
    check_trainable(data, options.output_activation);
    check_output(a->out);
    check_distinct(a->out,
                   {data_file(a->training), a->training.files.targets, a->training.files.weights, a->training.init});
    const ScaledProblem scaled = scaled_problem(data, options);
    export_sdp(scaled.problem, start_parameters(scaled, options, 0), planned.relaxation.weights, a->out);
  });
}

}  // namespace relufit::cli
