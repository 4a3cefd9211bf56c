#include "page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "python_package.h"
#include "relufit/files.h"
#include "relufit/model.h"
#include "report.h"
#include "training_options.h"

namespace relufit::cli {

namespace {

/// A file without a name that a program started from here can read, and that is gone at the end.
class HandedOver {
 public:
  HandedOver() : file_(std::tmpfile()) {
    if (!file_)
      throw std::runtime_error("temporary file: cannot be written: " + std::generic_category().message(errno));
  }
  std::string path() const { return fmt::format("/dev/fd/{}", ::fileno(file_.get())); }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

nlohmann::json samples_json(const Matrix& columns) {
  nlohmann::json json = nlohmann::json::array();
  for (Index j = 0; j < columns.cols(); ++j) {
    json.push_back(std::vector<double>(columns.col(j).data(), columns.col(j).data() + columns.rows()));
  }
  return json;
}

nlohmann::json trace_json(const std::vector<SequenceRecord>& trace) {
  nlohmann::json json;
  for (const char* name : {"iteration", "objective", "merit", "pair", "product", "fit", "seconds"}) {
    json[name] = nlohmann::json::array();
  }
  for (const SequenceRecord& r : trace) {
    json["iteration"].push_back(r.iteration);
    json["objective"].push_back(r.objective);
    json["merit"].push_back(r.merit);
    json["pair"].push_back(r.pair);
    json["product"].push_back(r.product);
    json["fit"].push_back(r.fit);
    json["seconds"].push_back(r.seconds);
  }
  return json;
}

std::string content(const Page& page) {
  nlohmann::json json = {{"title", page.title},
                         {"summary", page.summary},
                         {"options", nlohmann::json::object()},
                         {"samples", nlohmann::json::array()},
                         {"constraints", constraints_json(page.constraints)},
                         {"trace", trace_json(page.trace)},
                         {"certificate", page.certificate}};
  for (const auto& [name, value] : page.options) json["options"][name] = value;
  for (const auto& [name, data] : page.data_sets) {
    json["samples"].push_back(
        {{"name", name}, {"inputs", samples_json(data->inputs)}, {"targets", samples_json(data->targets)}});
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);  // names of files need not be UTF-8
}

int run_maker(const std::vector<std::string>& arguments) { return run_python_package(arguments, "a report", "report"); }

}  // namespace

std::vector<std::pair<std::string, std::string>> given_options(const CLI::App& command) {
  std::vector<std::pair<std::string, std::string>> given;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    std::string text = fmt::format("{}", fmt::join(option->results(), ","));
    if (option->get_name() == "--hidden") text = hidden_text(option->results());
    given.emplace_back(option->get_name(), text);
  }
  return given;
}

int check_page_maker() { return run_maker({"report"}); }

int write_page(const Page& page, const std::string& path) {
  const HandedOver model, told;
  save_model(page.model, model.path());
  write_file(told.path(), content(page));
  return run_maker({"report", path, "--content", told.path(), "--model", model.path()});
}

}  // namespace relufit::cli
