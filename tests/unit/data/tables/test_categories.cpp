// Columns of text as inputs of 0 and 1.
#include <algorithm>
#include <set>

#include "base/random.h"
#include "relufit/train.h"
#include "support/io_helpers.h"

namespace relufit {
namespace {

using testing_io::expect_one_line_with;
using testing_io::message_of;
using CategoriesTest = testing_io::FileTest;
using Strings = std::vector<std::string>;

std::string message(const std::function<void()>& function) { return message_of<std::invalid_argument>(function); }

TEST_F(CategoriesTest, LevelsAreInputsInThePlaceOfTheirColumn) {
  const std::string file = write("cars.csv", "age,color,doors,price\n1,red,4,10\n2,\"light blue\",2,20\n3,red,04,30\n");
  const Table table = read_csv(file, {"color", "doors"});
  const std::vector<Category> categories = find_categories(table, {"doors", "color"});
  EXPECT_EQ(categories, (std::vector<Category>{{"doors", {"04", "2", "4"}}, {"color", {"light blue", "red"}}}));
  const Table numbers = with_levels(table, categories);
  EXPECT_EQ(numbers.columns,
            (Strings{"age", "color=light blue", "color=red", "doors=04", "doors=2", "doors=4", "price"}));
  EXPECT_EQ(numbers.values, (Matrix{{1, 0, 1, 0, 0, 1, 10}, {2, 1, 0, 0, 1, 0, 20}, {3, 0, 1, 1, 0, 0, 30}}));
  EXPECT_TRUE(numbers.texts.empty());
  const Dataset data = make_dataset(numbers, {"price"});
  EXPECT_EQ(data.categories, categories);
  EXPECT_EQ(data.inputs.rows(), 6);
  // Where not all levels are inputs, it is no column of text any more.
  EXPECT_TRUE(make_dataset(numbers, {"price"}, {"age", "color=red"}).categories.empty());
  EXPECT_EQ(split_dataset(data, 0.3, 0).test.categories, categories);
  EXPECT_EQ(with_level_names({"doors", "age"}, categories), (Strings{"doors=04", "doors=2", "doors=4", "age"}));
  EXPECT_EQ(without_level_names({"doors=4", "age", "doors=2"}, categories), (Strings{"doors", "age"}));
}

TEST_F(CategoriesTest, ReadsTheColumnsThatInputsAreMadeOf) {
  const std::vector<Category> categories = {{"color", {"blue", "red"}}};
  const Strings inputs = {"color=blue", "color=red", "age"};
  const std::string file = write("new.csv", "note,age,color\n?,1,red\n,2,blue\n");
  EXPECT_EQ(select_columns(read_inputs(file, inputs, categories), inputs), (Matrix{{0, 1}, {1, 0}, {1, 2}}));
  EXPECT_EQ(read_inputs(file, {"color=blue", "color=red"}, categories).columns, (Strings{"color=blue", "color=red"}));
  const std::string unknown = write("unknown.csv", "age,color\n1,red\n2,violet\n");
  expect_one_line_with(message([&] { read_inputs(unknown, inputs, categories); }),
                       {unknown + ":3: column 'color': 'violet' is no level, expected one of 'blue', 'red'"});
  const std::string empty = write("empty.csv", "age,color\n1,red\n2,  \n");
  expect_one_line_with(message([&] { read_inputs(empty, inputs, categories); }),
                       {empty + ":3: column 'color': missing value, expected a text"});
  const std::string without = write("without.csv", "age,colour\n1,red\n");
  expect_one_line_with(message([&] { read_inputs(without, inputs, categories); }),
                       {without + ": no column 'color', expected one of 'age', 'colour'"});
}

TEST_F(CategoriesTest, RefusesColumnsThatAreNone) {
  const auto found = [&](const std::string& content) {
    const std::string file = write("data.csv", content);
    return message([&] { find_categories(read_csv(file, {"c"}, {"a"}), {"c"}); });
  };
  expect_one_line_with(found("a,b\n1,x\n"), {"data.csv: no column 'c', expected one of 'a', 'b'"});
  expect_one_line_with(found("a,c\n1,x\n2,x\n"), {"data.csv: column 'c': 'x' in all 2 rows, expected at least 2"});
  expect_one_line_with(found("a,c\n1,x\n2,\n"), {"data.csv:3: column 'c': missing value, expected a text"});
  expect_one_line_with(found("a,c\n1,x\n2,\"\"\n"), {"data.csv:3: column 'c': missing value"});
  expect_one_line_with(found("a,c\n1,x\n2,\xE4\n"), {"data.csv:3: column 'c': '\\xe4' is not UTF-8 text"});
  std::string many = "a,c\n";
  for (int i = 0; i <= 1000; ++i) many += "1,id" + std::to_string(i) + "\n";
  expect_one_line_with(found(many), {"column 'c': 1001 different texts in 1001 rows, expected at most 1000"});
  // One name for two inputs.
  const Table table = read_csv(write("data.csv", "a,a=b\nb=c,c\nx,y\n"), {"a", "a=b"});
  expect_one_line_with(message([&] {
                         with_levels(table, find_categories(table, {"a", "a=b"}));
                       }),
                       {"data.csv: two inputs would have the name 'a=b=c'"});
}

/// Against the definition, row by row.
TEST_F(CategoriesTest, AreZerosAndOnesOfRandomTexts) {
  Random random(5);
  for (int round = 0; round < 20; ++round) {
    Table table{"random", {"x"}, {}, Matrix::Zero(60, 1), {{"t", {}}}};
    for (Index i = 0; i < 60; ++i) {
      table.lines.push_back(i + 2);
      std::string text = "w";
      for (Index k = random.index(3); k > 0; --k) text += static_cast<char>('a' + random.index(3));
      table.texts["t"].push_back(text);
    }
    const Strings texts = table.texts["t"];
    const Table numbers = with_levels(table, find_categories(table, {"t"}));
    const std::set<std::string> different(texts.begin(), texts.end());
    ASSERT_EQ(numbers.columns.size(), 1 + different.size());
    for (std::size_t j = 1; j < numbers.columns.size(); ++j) {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(numbers.values(static_cast<Index>(i), static_cast<Index>(j)),
                  numbers.columns[j] == "t=" + texts[i] ? 1 : 0);
      }
    }
    EXPECT_TRUE(std::is_sorted(numbers.columns.begin() + 1, numbers.columns.end()));
  }
}

Dataset colors() {
  Random random(2);
  Table table{"random", {"x", "y"}, {}, Matrix::Zero(40, 2), {{"color", {}}}};
  for (Index i = 0; i < 40; ++i) {
    const Index color = i % 3;
    table.lines.push_back(i + 2);
    table.texts["color"].push_back(Strings{"red", "green", "blue"}[static_cast<std::size_t>(color)]);
    table.values(i, 0) = random.normal();
    table.values(i, 1) = std::abs(table.values(i, 0)) + static_cast<double>(color * color);
  }
  return make_dataset(with_levels(table, find_categories(table, {"color"})), {"y"});
}

TEST_F(CategoriesTest, TrainedModelsKeepThem) {
  const Dataset data = colors();
  TrainOptions options{.hidden = {3}};
  options.iterations = 5;
  const TrainResult result = train(data, options);
  EXPECT_EQ(result.model.categories, data.categories);
  save_model(result.model, path("model.json"));
  const Model model = load_model(path("model.json"));
  EXPECT_EQ(model.categories, data.categories);
  EXPECT_TRUE(testing_io::same_bits(model.predict(data.inputs), result.model.predict(data.inputs)));
  // A start whose inputs mean something else.
  options.init = model;
  Dataset others = data;
  others.categories[0].levels[0] = "azure";
  others.input_names = with_level_names({"x", "color"}, others.categories);
  expect_one_line_with(message([&] { train(others, options); }), {"init: a model of other texts in its columns"});
}

TEST_F(CategoriesTest, HaveAnExactFit) {
  // The inputs of all levels sum to 1: with the biases they are linearly dependent.
  TrainOptions options{.hidden = {4}};
  options.loss = Loss::exact;
  options.starts = 20;
  EXPECT_EQ(train(colors(), options).status, SequenceStatus::converged);
}

TEST_F(CategoriesTest, WrongOnesAreRefusedBeforeTraining) {
  const Dataset good = colors();
  const auto refused = [&](const std::vector<Category>& categories) {
    Dataset data = good;
    data.categories = categories;
    return message([&] { check_trainable(data, OutputActivation::linear); });
  };
  EXPECT_NO_THROW(check_trainable(good, OutputActivation::linear));
  expect_one_line_with(refused({{"color", {"red", "pink"}}}), {"categories[0]: no input 'color=pink' for a level"});
  expect_one_line_with(refused({{"color", {"red"}}}), {"categories[0].levels: 1, expected at least 2"});
  expect_one_line_with(refused({{"x", {"red", "blue"}}}), {"categories[0].column: 'x' is an input itself"});
  expect_one_line_with(refused({{"", {"red", "blue"}}}), {"categories.column[0]: empty"});
  expect_one_line_with(refused({{"color", {"red", "red"}}}), {"categories[0].levels[1]: 'red' is repeated"});
  expect_one_line_with(refused({{"color", {"red", "blue"}}, {"color", {"red", "green"}}}),
                       {"categories.column[1]: 'color' is repeated"});
}

}  // namespace
}  // namespace relufit
