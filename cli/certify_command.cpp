#include <fmt/ranges.h>

#include "commands.h"
#include "numbers.h"
#include "output.h"
#include "page.h"
#include "progress.h"
#include "relufit/certificate.h"
#include "report.h"

namespace relufit::cli {

namespace {

struct CertifyArguments {
  std::string model, data, sample_weights, out, report;
  CertifyOptions options;
  bool json = false;
};

std::string units_text(Index added) {
  if (added == 0) return "as many units";
  return fmt::format("{} {} units", std::abs(added), added > 0 ? "more" : "fewer");
}

void print_certificate(const CertifyArguments& a, const Certificate& certificate) {
  print("objective {:.8g} (scaled units, ridge {} per target value)\n", certificate.objective, certificate.ridge);
  print("no network of one hidden layer, of any width, is below {:.8g}: gap {:.3g} %\n", certificate.lower_bound,
        100 * certificate.gap);
  print("largest unit over ridge: {:.5g} to {:.5g} ({} after {} cells, {:.2f} s)\n", certificate.unit_lower,
        certificate.unit_upper, to_string(certificate.status), certificate.cells, certificate.seconds);
  if (!a.out.empty()) print("model: {}, {}\n", a.out, units_text(certificate.units_added));
}

nlohmann::json certificate_json(const CertifyArguments& a, const Certificate& certificate) {
  nlohmann::json json = {{"status", to_string(certificate.status)},
                         {"objective", certificate.objective},
                         {"lower_bound", certificate.lower_bound},
                         {"gap", certificate.gap},
                         {"ridge", certificate.ridge},
                         {"unit_lower", certificate.unit_lower},
                         {"unit_upper", certificate.unit_upper},
                         {"cells", certificate.cells},
                         {"units_added", certificate.units_added},
                         {"seconds", certificate.seconds}};
  if (!a.out.empty()) json["model"] = a.out;
  return json;
}

/// What the library says of its arguments, said of the program's.
Certificate certificate_of(const CertifyArguments& a, const Model& model, const Dataset& data,
                           const CertifyOptions& options) {
  try {
    return certify(model, data, options);
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    if (message.starts_with("model: ")) throw std::invalid_argument(a.model + message.substr(5));
    if (message.starts_with("ridge: ")) throw std::invalid_argument("--" + message);
    throw;
  }
}

void check_files(const CertifyArguments& a) {
  if (!a.out.empty()) {
    check_output(a.out);
    check_distinct(a.out, {a.data});
  }
  if (!a.report.empty()) {
    check_output(a.report);
    check_distinct(a.report, {a.model, a.data, a.out});
  }
}

void run_certify(const CertifyArguments& a, const CLI::App& command, ExitCode& exit) {
  check_files(a);
  const Model model = load_model(a.model);
  const Dataset data = read_like(a.data, model, a.sample_weights);
  if (!a.report.empty()) exit.value = check_page_maker();
  if (exit.value != 0) return;
  const InterruptGuard guard;
  CertifyOptions options = a.options;
  options.should_stop = &InterruptGuard::interrupted;
  const Certificate certificate = certificate_of(a, model, data, options);
  if (!a.out.empty()) save_model(certificate.model, a.out);
  if (a.json) {
    print("{}\n", certificate_json(a, certificate).dump(2));
  } else {
    print_certificate(a, certificate);
  }
  if (!a.report.empty()) {
    const std::string title = fmt::format("{}: {}", a.data, fmt::join(model.target_names, ", "));
    Page page{title, certificate.model, given_options(command), {{"training", &data}}};
    page.certificate = certificate_json(a, certificate);
    exit.value = write_page(page, a.report);
  }
  if (InterruptGuard::interrupted()) exit.value = 130;
}

}  // namespace

void add_certify(CLI::App& app, ExitCode& exit) {
  auto a = std::make_shared<CertifyArguments>();
  CertifyOptions& o = a->options;
  CLI::App* command =
      app.add_subcommand("certify", "A lower bound on the training objective of every network with one hidden layer");
  command->add_option("model", a->model, "Model file: one hidden layer of ReLUs, squared or logistic loss")->required();
  command->add_option("data", a->data, "CSV file that the model was trained on")->required();
  command->add_option("--ridge", o.ridge, "Ridge per target value (default: what the model was trained with)")
      ->check(positive_number());
  command->add_option("--sample-weights", a->sample_weights, "Column of sample weights in the loss");
  command->add_option("--accuracy", o.accuracy, "Of the largest unit, relative: the search for it ends there")
      ->capture_default_str()
      ->check(positive_number());
  command->add_option("--time-limit", o.time_limit, "Seconds for this search; 0: none. The bound holds nevertheless")
      ->capture_default_str()
      ->check(number_from_zero());
  command
      ->add_option("--tighten", o.tighten,
                   "Seconds to add missing units and train on before: a better network, and a better bound")
      ->capture_default_str()
      ->check(number_from_zero());
  add_output(*command, "--model", a->out, "Model file to write: the better network of --tighten");
  add_output(*command, "--report", a->report,
             "Page about the network and its certificate to write, HTML, by the Python package");
  command->add_option("--threads", o.threads, "Threads; the result does not depend on them")
      ->capture_default_str()
      ->transform(whole_number(1, 1024));
  command->add_flag("--json", a->json, "Print as JSON");
  command->footer("Example:\n  relufit certify diabetes.json data/diabetes.csv --tighten 10 --model better.json");
  command->callback([a, command, &exit] { run_certify(*a, *command, exit); });
}

}  // namespace relufit::cli
