#include <optional>
#include <stdexcept>

#include "commands.h"
#include "relufit/c_export.h"
#include "report.h"

namespace relufit::cli {

void add_export(CLI::App& app) {
  struct Arguments {
    std::string model, c;
    std::optional<std::string> name;
    bool single_precision = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("export", "Write a model as C source");
  command->add_option("model", a->model, "Model file")->required();
  command->add_option("--c", a->c, "C99 header to write: a function for one sample, without allocation")->required();
  command->add_option("--name", a->name, "Prefix of the names in the header (default: from its file name)");
  command->add_flag("--float32", a->single_precision, "float instead of double");
  command->footer("Example:\n  relufit export diabetes.json --c diabetes.h");
  command->callback([a] {
    const Model model = load_model(a->model);
    check_writable(a->c);
    check_distinct(a->c, {a->model});
    export_c(model, a->c, {a->name.value_or(c_name_from(a->c)), a->single_precision});
  });
}

}  // namespace relufit::cli
