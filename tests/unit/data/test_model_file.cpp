// Model files: round trips, and every way in which a file can be wrong.
#include <clocale>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>

#include "support/io_helpers.h"

namespace relufit {
namespace {

using nlohmann::json;
using testing_io::expect_one_line_with;
using testing_io::message_of;
using testing_io::random_bits;
using testing_io::same_bits;
using ModelFileTest = testing_io::FileTest;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Model random_model(std::size_t depth, OutputActivation output, std::mt19937_64& generator) {
  std::vector<Index> widths;
  for (std::size_t i = 0; i <= depth; ++i) widths.push_back(1 + static_cast<Index>(generator() % 6));
  std::vector<Layer> layers;
  for (std::size_t i = 0; i < depth; ++i) {
    layers.push_back({random_bits(widths[i + 1], widths[i], generator), random_bits(widths[i + 1], 1, generator)});
  }
  Model model;
  model.network = Network(std::move(layers), output);
  const Index inputs = widths.front();
  const Index outputs = widths.back();
  model.input_scaling = {random_bits(inputs, 1, generator), random_bits(inputs, 1, generator).cwiseAbs()};
  model.target_scaling = {random_bits(outputs, 1, generator), random_bits(outputs, 1, generator).cwiseAbs()};
  if (output == OutputActivation::relu) model.target_scaling.offset.setZero();
  const std::vector<std::string>& names = testing_io::odd_names();
  model.input_names.assign(names.begin(), names.begin() + inputs);
  model.target_names.assign(names.end() - outputs, names.end());
  model.training = {"0.1.0", "line \"x\"\n",        "exact", "größe", 4294967295u, int64_t{1} << 60, 17, 0.1, -0.0,
                    5e-324,  1.7976931348623157e308};
  return model;
}

void expect_same(const Model& a, const Model& b) {
  ASSERT_EQ(a.network.layers().size(), b.network.layers().size());
  for (std::size_t i = 0; i < a.network.layers().size(); ++i) {
    EXPECT_TRUE(same_bits(a.network.layers()[i].weights, b.network.layers()[i].weights));
    EXPECT_TRUE(same_bits(a.network.layers()[i].bias, b.network.layers()[i].bias));
  }
  EXPECT_EQ(a.network.output_activation(), b.network.output_activation());
  EXPECT_TRUE(same_bits(a.input_scaling.offset, b.input_scaling.offset));
  EXPECT_TRUE(same_bits(a.input_scaling.scale, b.input_scaling.scale));
  EXPECT_TRUE(same_bits(a.target_scaling.offset, b.target_scaling.offset));
  EXPECT_TRUE(same_bits(a.target_scaling.scale, b.target_scaling.scale));
  EXPECT_EQ(a.input_names, b.input_names);
  EXPECT_EQ(a.target_names, b.target_names);
  const TrainingRecord& r = a.training;
  const TrainingRecord& s = b.training;
  EXPECT_EQ(std::tie(r.version, r.strategy, r.loss, r.status), std::tie(s.version, s.strategy, s.loss, s.status));
  EXPECT_EQ(std::tie(r.seed, r.samples, r.iterations), std::tie(s.seed, s.samples, s.iterations));
  const auto figures = [](const TrainingRecord& record) {
    return Eigen::Vector4d(record.seconds, record.relative_residual, record.pair_violation, record.product_violation);
  };
  EXPECT_TRUE(same_bits(figures(r), figures(s)));
}

TEST_F(ModelFileTest, RoundTripIsBitForBit) {
  std::mt19937_64 generator(2);
  for (std::size_t depth = 1; depth <= 4; ++depth) {
    for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
      for (int repetition = 0; repetition < 10; ++repetition) {
        const Model model = random_model(depth, output, generator);
        save_model(model, path("model.json"));
        expect_same(model, load_model(path("model.json")));
        const std::string text = read(path("model.json"));
        save_model(load_model(path("model.json")), path("model.json"));
        EXPECT_EQ(read(path("model.json")), text);
      }
    }
  }
  EXPECT_EQ(files(), 1u);
}

TEST_F(ModelFileTest, RecordedFiguresNeedNotBeFinite) {
  std::mt19937_64 generator(3);
  Model model = random_model(2, OutputActivation::linear, generator);
  model.training.relative_residual = kInfinity;
  model.training.product_violation = std::nan("");
  save_model(model, path("model.json"));
  const TrainingRecord record = load_model(path("model.json")).training;
  EXPECT_TRUE(std::isnan(record.relative_residual));
  EXPECT_TRUE(std::isnan(record.product_violation));
  EXPECT_EQ(record.seconds, 0.1);
}

/// 3 inputs, 2 hidden units, 1 output.
Model small_model(OutputActivation output = OutputActivation::linear) {
  Model model;
  model.network = Network({{Matrix::Ones(2, 3), Vector::Zero(2)}, {Matrix::Ones(1, 2), Vector::Ones(1)}}, output);
  model.input_scaling = Scaling::identity(3);
  model.target_scaling = Scaling::identity(1);
  model.input_names = {"age", "bmi", "bp"};
  model.target_names = {"progression"};
  model.training.version = "0.1.0";
  return model;
}

struct BadModel {
  std::function<void(json&)> damage;
  std::string expected;  ///< follows the path and ": "
};

const std::vector<BadModel>& bad_models() {
  static const std::vector<BadModel> cases = {
      {[](json& j) { j = json::array(); }, "[], expected an object"},
      {[](json& j) { j = 5; }, "5, expected an object"},
      {[](json& j) { j.erase("format"); }, "format: missing"},
      {[](json& j) { j["format"] = "other"; }, "format: 'other', expected 'relufit-model'"},
      {[](json& j) { j["format"] = 3; }, "format: 3, expected a text"},
      {[](json& j) { j["version"] = 2; }, "version: 2, expected 1"},
      {[](json& j) { j["version"] = "1"; }, "version: '1', expected a number"},
      {[](json& j) { j.erase("input_names"); }, "input_names: missing"},
      {[](json& j) { j["input_names"] = "age"; }, "input_names: 'age', expected an array"},
      {[](json& j) { j["input_names"] = json::array(); }, "input_names: no names, expected at least 1"},
      {[](json& j) { j["input_names"][1] = 4; }, "input_names[1]: 4, expected a text"},
      {[](json& j) { j["input_names"][1] = ""; }, "input_names[1]: empty, expected a name"},
      {[](json& j) { j["input_names"][2] = "age"; }, "input_names[2]: 'age' is repeated"},
      {[](json& j) { j["target_names"] = nullptr; }, "target_names: null, expected an array"},
      {[](json& j) { j["target_names"].push_back("x"); }, "target_scaling.offset: 1 values, expected 2"},
      {[](json& j) { j["output_activation"] = "tanh"; }, "output_activation: 'tanh', expected 'linear' or 'relu'"},
      {[](json& j) { j["output_activation"] = true; }, "output_activation: true, expected a text"},
      {[](json& j) { j["input_scaling"] = 1.5; }, "input_scaling: 1.5, expected an object"},
      {[](json& j) { j["input_scaling"].erase("scale"); }, "input_scaling.scale: missing"},
      {[](json& j) { j["input_scaling"]["offset"].push_back(1); }, "input_scaling.offset: 4 values, expected 3"},
      {[](json& j) { j["input_scaling"]["scale"][2] = 0; }, "input_scaling.scale[2]: 0, expected above 0"},
      {[](json& j) { j["input_scaling"]["scale"][0] = -1.5; }, "input_scaling.scale[0]: -1.5, expected above 0"},
      {[](json& j) { j["input_scaling"]["offset"][1] = nullptr; }, "input_scaling.offset[1]: null, expected a number"},
      {[](json& j) { j["target_scaling"]["scale"] = json::object(); }, "target_scaling.scale: {}, expected an"},
      {[](json& j) { j["output_activation"] = "relu", j["target_scaling"]["offset"][0] = 2; },
       "target_scaling.offset[0]: 2, expected 0 with ReLU outputs"},
      {[](json& j) { j["layers"] = json::array(); }, "layers: no layers, expected at least 1"},
      {[](json& j) { j["layers"] = json::object(); }, "layers: {}, expected an array"},
      {[](json& j) { j["layers"][1] = 7; }, "layers[1]: 7, expected an object"},
      {[](json& j) { j["layers"][1].erase("bias"); }, "layers[1].bias: missing"},
      {[](json& j) { j["layers"][1].erase("weights"); }, "layers[1].weights: missing"},
      {[](json& j) { j["layers"][0]["weights"] = json::array(); }, "layers[0].weights: no rows, expected at least 1"},
      {[](json& j) { j["layers"][0]["weights"][1].push_back(9); }, "layers[0].weights: row 2 has 4 values, expected 3"},
      {[](json& j) { j["layers"][0]["weights"][1] = 3; }, "layers[0].weights[1]: 3, expected an array"},
      {[](json& j) { j["layers"][0]["weights"][1][2] = "abc"; }, "layers[0].weights[1][2]: 'abc', expected a number"},
      {[](json& j) { j["layers"][0]["weights"][0][0] = false; }, "layers[0].weights[0][0]: false, expected a number"},
      {[](json& j) {
         j["layers"][0]["weights"].push_back({1, 2, 3});
       },
       "layers[0].bias: 2 values, expected 3"},
      {[](json& j) {
         j["layers"][1]["weights"].push_back({1, 2});
       },
       "layers[1].weights: 2 rows, expected 1"},
      {[](json& j) { j["layers"].erase(1); }, "layers[0].weights: 2 rows, expected 1"},
      {[](json& j) { j["layers"][1]["bias"][0] = json::array({1}); }, "layers[1].bias[0]: [1], expected a num"},
      {[](json& j) { j.erase("training"); }, "training: missing"},
      {[](json& j) { j["training"].erase("loss"); }, "training.loss: missing"},
      {[](json& j) { j["training"]["status"] = 1; }, "training.status: 1, expected a text"},
      {[](json& j) { j["training"]["seed"] = -1; }, "training.seed: -1, expected an integer from 0 to 4294967295"},
      {[](json& j) { j["training"]["seed"] = 4294967296; }, "training.seed: 4294967296, expected an integer"},
      {[](json& j) { j["training"]["samples"] = 1.5; }, "training.samples: 1.5, expected an integer"},
      {[](json& j) { j["training"]["seconds"] = "long"; }, "training.seconds: 'long', expected a number"},
      {[](json& j) { j["categories"] = 1; }, "categories: 1, expected an array"},
      {[](json& j) { j["categories"][0]["column"] = "c"; }, "categories[0].levels: missing"},
      {[](json& j) {
         j["categories"][0] = {{"column", 2}, {"levels", {"a", "b"}}};
       },
       "categories[0].column: 2, expected a text"},
      {[](json& j) {
         j["categories"][0] = {{"column", "c"}, {"levels", {"a", "b"}}};
       },
       "categories[0]: no input 'c=a' for a level"},
  };
  return cases;
}

TEST_F(ModelFileTest, RefusesWrongFieldsNamingThem) {
  save_model(small_model(), path("good.json"));
  const json good = json::parse(read(path("good.json")));
  for (const BadModel& bad : bad_models()) {
    SCOPED_TRACE(bad.expected);
    json damaged = good;
    bad.damage(damaged);
    const std::string file = write("model.json", damaged.dump());
    expect_one_line_with(message_of<std::invalid_argument>([&] { load_model(file); }), {file + ": " + bad.expected});
  }
}

/// Names and rows of which every pair would be a weight: some hundred gigabytes.
TEST_F(ModelFileTest, RefusesRowsThatAreShortWithoutMemoryForThem) {
  constexpr std::size_t kSize = 300000;
  save_model(small_model(), path("model.json"));
  json model = json::parse(read(path("model.json")));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kSize; ++i) names.push_back(std::to_string(i));
  model["input_names"] = names;
  model["input_scaling"]["offset"] = model["input_scaling"]["scale"] = std::vector<int>(kSize, 1);
  model["layers"][0]["weights"] = json::array_t(kSize, json::array());
  const std::string file = write("model.json", model.dump());
  expect_one_line_with(message_of<std::invalid_argument>([&] { load_model(file); }),
                       {file + ": layers[0].weights: row 1 has 0 values, expected 300000"});
}

TEST_F(ModelFileTest, RefusesWhatIsNotJson) {
  save_model(small_model(), path("good.json"));
  const std::string good = read(path("good.json"));
  std::string huge = good;
  huge.replace(huge.find("1.0"), 3, "1e999");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "not JSON, at line 1"},
      {"a,b\n1,2\n", "not JSON, at line 1"},
      {good.substr(0, good.size() / 2), "not JSON, at line "},
      {good + "x", "not JSON"},
      {std::string("{\0}", 3), "not JSON"},
      {"{\"format\": \"\xE4\"}", "not JSON"},
      {"{\"format\": NaN}", "not JSON"},
      {huge, "the number 1e999 is outside the range of double precision numbers"},
      {std::string(100, '['), "not JSON, at line 1, column 101"},
      {std::string(200000, '['), "arrays and objects nested more than 100 deep"},
      {"{\"[\\\"[[\":\n " + std::string(101, '[') + std::string(101, ']') + "}", "nested more than 100 deep"},
      {"{\"" + std::string(100000, 'x'), "not JSON, at line 1, column 100003"},
  };
  for (const auto& [content, expected] : cases) {
    SCOPED_TRACE(content.substr(0, 60));
    const std::string file = write("model.json", content);
    const std::string message = message_of<std::invalid_argument>([&] { load_model(file); });
    expect_one_line_with(message, {file + ": ", expected});
    EXPECT_LT(message.size(), 500u);
  }
  expect_one_line_with(message_of<std::invalid_argument>([&] { load_model(path("none.json")); }),
                       {path("none.json") + ": cannot be read: No such file"});
  expect_one_line_with(message_of<std::invalid_argument>([&] { load_model(folder_.string()); }),
                       {folder_.string() + ": cannot be read: Is a directory"});
}

TEST_F(ModelFileTest, DoesNotDependOnTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no German locale here";
  std::mt19937_64 generator(6);
  const Model model = random_model(2, OutputActivation::linear, generator);
  save_model(model, path("model.json"));
  expect_same(model, load_model(path("model.json")));
  std::setlocale(LC_ALL, before.c_str());
}

TEST_F(ModelFileTest, AcceptsIntegersAndUnknownFields) {
  save_model(small_model(), path("model.json"));
  json document = json::parse(read(path("model.json")));
  document["layers"][0]["weights"][0][0] = 3;
  document["comment"] = "by hand";
  EXPECT_EQ(load_model(write("model.json", document.dump())).network.layers()[0].weights(0, 0), 3.0);
}

TEST_F(ModelFileTest, RefusesToWriteWhatCouldNotBeRead) {
  const std::vector<std::pair<std::function<void(Model&)>, std::string>> cases = {
      {[](Model& m) { m.network = Network(); }, "layers: none"},
      {[](Model& m) { m.input_names.pop_back(); }, "input_names: 2 names, expected 3"},
      {[](Model& m) { m.target_names.clear(); }, "target_names: 0 names, expected 1"},
      {[](Model& m) { m.input_names[1] = "age"; }, "input_names[1]: 'age' is repeated"},
      {[](Model& m) { m.input_names[0] = "\xFF"; }, "input_names[0]: '\\xff' is not UTF-8"},
      {[](Model& m) { m.input_scaling.scale(1) = 0; }, "input_scaling.scale[1]: 0, expected above 0"},
      {[](Model& m) { m.input_scaling.offset(1) = kInfinity; }, "input_scaling.offset[1]: inf, expected a finite"},
      {[](Model& m) { m.target_scaling = Scaling::identity(2); }, "target_scaling.offset: 2 values, expected 1"},
      {[](Model& m) { m.training.status = "\x80"; }, "training: '\\x80' is not UTF-8"},
      {[](Model& m) { m.training.iterations = -1; }, "-1 iterations"},
      {[](Model& m) { m = small_model(OutputActivation::relu), m.target_scaling.offset(0) = 1; },
       "target_scaling.offset[0]: 1, expected 0 with ReLU outputs"},
  };
  for (const auto& [damage, expected] : cases) {
    Model model = small_model();
    damage(model);
    const std::string message = message_of<std::invalid_argument>([&] { save_model(model, path("model.json")); });
    expect_one_line_with(message, {path("model.json") + ": cannot be written: ", expected});
    EXPECT_EQ(files(), 0u);
  }
  const std::string message = message_of<std::runtime_error>([&] { save_model(small_model(), path("no/m.json")); });
  expect_one_line_with(message, {path("no/m.json") + ": cannot be written: No such file"});
}

}  // namespace
}  // namespace relufit
