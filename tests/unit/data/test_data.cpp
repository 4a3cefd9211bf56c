// Networks, datasets, scalings, predictions and measures.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "support/io_helpers.h"

namespace relufit {
namespace {

using testing_io::expect_one_line_with;
using testing_io::message_of;
using testing_io::random_values;
using Strings = std::vector<std::string>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Table small_table() {
  return {"data.csv", {"a", "b", "c", "d"}, {2, 3}, (Matrix(2, 4) << 1, 2, 3, 4, 5, 6, 7, 8).finished()};
}

Dataset small_dataset() {
  Dataset data{Matrix::Zero(2, 3), (Matrix(1, 3) << 1, 0, 2).finished(), {"a", "b"}, {"y"}};
  data.inputs << 1, 2, 3, 4, 5, 6;
  return data;
}

TEST(Network, ComputesForward) {
  const Layer first{(Matrix(2, 2) << 1, -1, 2, 0).finished(), (Vector(2) << 0.5, -3).finished()};
  const Layer second{(Matrix(1, 2) << -2, 1).finished(), (Vector(1) << 1).finished()};
  const Matrix inputs = (Matrix(2, 2) << 1, 2, 3, 0).finished();
  // Hidden: max(0, [-1.5, 2.5; -1, 1]) = [0, 2.5; 0, 1]; outputs: [1, -3].
  const Network linear({first, second}, OutputActivation::linear);
  EXPECT_EQ(linear.forward(inputs), (Matrix(1, 2) << 1, -3).finished());
  EXPECT_EQ(Network({first, second}, OutputActivation::relu).forward(inputs), (Matrix(1, 2) << 1, 0).finished());
  EXPECT_EQ(linear.widths(), (std::vector<Index>{2, 2, 1}));
  EXPECT_EQ(linear.forward(Matrix(2, 0)).cols(), 0);
  EXPECT_TRUE(std::isnan(Network({first}, OutputActivation::relu).forward(Matrix::Constant(2, 1, kInfinity))(0, 0)));
}

TEST(Network, IsZeroFromWidths) {
  const Network network(Architecture{{3, 4, 2}, OutputActivation::relu});
  EXPECT_EQ(network.widths(), (std::vector<Index>{3, 4, 2}));
  EXPECT_EQ(network.forward(Matrix::Ones(3, 5)), Matrix::Zero(2, 5));
}

TEST(Network, RefusesWrongShapes) {
  const auto message = [](const auto& make) { return message_of<std::invalid_argument>(make); };
  const auto linear = OutputActivation::linear;
  const auto layers = [&](std::vector<Layer> list) { return message([&] { Network(list, linear); }); };
  expect_one_line_with(message([&] { Network(Architecture{{3}}); }), {"widths: 1 given"});
  expect_one_line_with(message([&] { Network(Architecture{{3, 0, 1}}); }), {"widths[1]: 0"});
  expect_one_line_with(layers({}), {"without layers"});
  expect_one_line_with(layers({{Matrix(0, 2), Vector(0)}}), {"layers[0].weights: 0 x 2 values"});
  expect_one_line_with(layers({{Matrix::Ones(2, 2), Vector::Ones(3)}}), {"layers[0].bias: 3 values, expected 2"});
  expect_one_line_with(layers({{Matrix::Ones(2, 2), Vector::Ones(2)}, {Matrix::Ones(1, 3), Vector::Ones(1)}}),
                       {"layers[1].weights: 3 columns, expected 2"});
  expect_one_line_with(layers({{Matrix::Constant(1, 1, kInfinity), Vector::Ones(1)}}), {"layers[0].weights: a value"});
  expect_one_line_with(layers({{Matrix::Ones(1, 1), Vector::Constant(1, std::nan(""))}}), {"layers[0].bias: a value"});
  expect_one_line_with(message([&] { Network(Architecture{{3, 1}}).forward(Matrix(2, 5)); }), {"2 rows", "expected 3"});
  expect_one_line_with(message([] { Network().forward(Matrix(2, 5)); }), {"without layers"});
  EXPECT_TRUE(Network().widths().empty());
}

TEST(OutputActivation, HasNames) {
  EXPECT_EQ(output_activation_from("relu"), OutputActivation::relu);
  EXPECT_EQ(output_activation_from(to_string(OutputActivation::linear)), OutputActivation::linear);
  expect_one_line_with(message_of<std::invalid_argument>([] { output_activation_from("ReLU"); }),
                       {"'ReLU'", "expected 'linear' or 'relu'"});
}

TEST(Dataset, TakesTheNamedColumns) {
  const Dataset all = make_dataset(small_table(), {"d", "b"});
  EXPECT_EQ(all.target_names, (Strings{"d", "b"}));
  EXPECT_EQ(all.input_names, (Strings{"a", "c"}));
  EXPECT_EQ(all.targets, (Matrix(2, 2) << 4, 8, 2, 6).finished());
  EXPECT_EQ(all.inputs, (Matrix(2, 2) << 1, 5, 3, 7).finished());
  const Dataset some = make_dataset(small_table(), {"a"}, {"d", "c"});
  EXPECT_EQ(some.input_names, (Strings{"d", "c"}));
  EXPECT_EQ(some.inputs, (Matrix(2, 2) << 4, 8, 3, 7).finished());
  EXPECT_EQ(select_columns(small_table(), {"c", "a", "c"}), (Matrix(3, 2) << 3, 7, 1, 5, 3, 7).finished());
}

TEST(Dataset, RefusesWrongNames) {
  struct Case {
    Strings targets;
    Strings inputs;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {{}, {}, "no target column named"},
      {{"x"}, {}, "no column 'x', expected one of 'a', 'b', 'c', 'd'"},
      {{"A"}, {}, "no column 'A'"},
      {{"a"}, {"b", "y\n"}, "no column 'y\\n'"},
      {{"a", "b", "a"}, {}, "column 'a' is named more than once"},
      {{"a"}, {"b", "b"}, "column 'b' is named more than once"},
      {{"a"}, {"b", "a"}, "column 'a' is named more than once"},
      {{"a", "b", "c", "d"}, {}, "no input column is left"},
  };
  for (const Case& bad : cases) {
    const auto make = [&] { make_dataset(small_table(), bad.targets, bad.inputs); };
    expect_one_line_with(message_of<std::invalid_argument>(make), {"data.csv: " + bad.expected});
  }
  expect_one_line_with(message_of<std::invalid_argument>([] {
                         select_columns(small_table(), {"a", "q"});
                       }),
                       {"data.csv: no column 'q'"});
}

TEST(CheckTrainable, AcceptsAndRefuses) {
  const auto message = [](const Dataset& data, OutputActivation output, Index minimum) {
    return message_of<std::invalid_argument>([&] { check_trainable(data, output, minimum); });
  };
  const auto relu = OutputActivation::relu;
  const Dataset good = small_dataset();
  EXPECT_NO_THROW(check_trainable(good, relu, 3));
  expect_one_line_with(message(good, relu, 4), {"3 samples, expected at least 4"});
  expect_one_line_with(message(Dataset(), relu, 0), {"0 samples, expected at least 1"});
  Dataset bad = good;
  bad.targets << 7, 7, 7;
  expect_one_line_with(message(bad, relu, 2), {"target 'y': 7 in all 3 samples, expected at least two different"});
  bad.targets << 1, -0.5, 2;
  expect_one_line_with(message(bad, relu, 2), {"target 'y': sample 2 is -0.5, expected no value below 0"});
  EXPECT_NO_THROW(check_trainable(bad, OutputActivation::linear));
  bad.targets(0, 2) = kInfinity;
  expect_one_line_with(message(bad, relu, 2), {"target 'y': sample 3 is inf, expected a finite number"});
  bad = good;
  bad.inputs(1, 0) = std::nan("");
  expect_one_line_with(message(bad, relu, 2), {"input 'b': sample 1 is nan"});
  bad = good;
  bad.targets = Matrix::Ones(1, 2);
  expect_one_line_with(message(bad, relu, 2), {"2 samples of targets, expected 3"});
  bad = good;
  bad.input_names.pop_back();
  expect_one_line_with(message(bad, relu, 2), {"1 input names, expected 2"});
  // What no model file could hold, too.
  for (const auto& [name, problem] : {std::pair{"", "empty, expected a name"}, std::pair{"a", "'a' is repeated"},
                                      std::pair{"\xe9", "'\\xe9' is not UTF-8 text"}}) {
    bad.input_names = {"a", name};
    expect_one_line_with(message(bad, relu, 2), {"input_names[1]", problem});
  }
  bad = good;
  bad.target_names = {""};
  expect_one_line_with(message(bad, relu, 2), {"target_names[0]: empty, expected a name"});
}

TEST(Scaling, Standardizes) {
  std::mt19937_64 generator(4);
  Matrix values = random_values(6, 50, generator);
  values.row(1).setConstant(0.1);
  values.row(2) *= 1e300;
  values.row(3) = (values.row(3).array() * 1e-3 + 1e6).matrix();
  values.row(4) *= 1e-300;
  values.row(5).setZero();
  const Scaling scaling = Scaling::standardize(values);
  const Matrix scaled = scaling.apply(values);
  EXPECT_TRUE((scaling.scale.array() > 0).all() && scaling.scale.allFinite() && scaling.offset.allFinite());
  for (const Index row : {0, 2, 3, 4}) {
    EXPECT_NEAR(scaled.row(row).mean(), 0, 1e-6) << row;
    EXPECT_NEAR(scaled.row(row).squaredNorm() / 50, 1, 1e-6) << row;
  }
  EXPECT_EQ(scaling.scale(1), 1);
  EXPECT_EQ(scaled.row(1), Matrix::Zero(1, 50));
  EXPECT_EQ(scaling.scale(5), 1);
  const Matrix back = scaling.invert(scaled);
  for (Index row = 0; row < 6; ++row) {
    EXPECT_LE((back - values).row(row).lpNorm<Eigen::Infinity>(), 1e-14 * values.row(row).lpNorm<Eigen::Infinity>());
  }
}

TEST(Scaling, HandlesTheEdgesOfTheRange) {
  const double largest = std::numeric_limits<double>::max();
  const Matrix values = (Matrix(3, 3) << largest, largest / 2, largest / 4, 5e-324, 0, 1e-323, 1, 1, 1).finished();
  for (const Scaling& scaling : {Scaling::standardize(values), Scaling::normalize(values)}) {
    EXPECT_TRUE(scaling.offset.allFinite());
    EXPECT_TRUE((scaling.scale.cwiseInverse().array() > 0).all() && scaling.scale.cwiseInverse().allFinite());
  }
  EXPECT_EQ(Scaling::standardize(Matrix(2, 0)).scale, Vector::Ones(2));
}

TEST(Scaling, NormalizesKeepingZero) {
  const Matrix values = (Matrix(3, 2) << 3, 4, 0, 0, 5, 5).finished();
  const Scaling scaling = Scaling::normalize(values);
  EXPECT_EQ(scaling.offset, Vector::Zero(3));
  EXPECT_NEAR(scaling.scale(0), std::sqrt(12.5), 1e-15);
  EXPECT_EQ(scaling.scale(1), 1);
  EXPECT_NEAR(scaling.scale(2), 5, 1e-15);
  EXPECT_NEAR(scaling.apply(values).row(0).squaredNorm() / 2, 1, 1e-15);
}

TEST(Scaling, MatchesHandComputation) {
  const Scaling scaling = Scaling::standardize((Matrix(1, 4) << 2, 4, 4, 6).finished());
  EXPECT_DOUBLE_EQ(scaling.offset(0), 4);
  EXPECT_DOUBLE_EQ(scaling.scale(0), std::sqrt(2.0));
  EXPECT_EQ(Scaling::identity(2).apply(Matrix::Constant(2, 2, 0.3)), Matrix::Constant(2, 2, 0.3));
  expect_one_line_with(message_of<std::invalid_argument>([&] { scaling.apply(Matrix(2, 1)); }),
                       {"2 rows", "expected 1"});
  expect_one_line_with(message_of<std::invalid_argument>([&] { scaling.invert(Matrix(0, 1)); }), {"0 rows"});
}

TEST(SplitDataset, IsDisjointCompleteAndReproducible) {
  for (const Index samples : {2, 3, 10, 101}) {
    Dataset data{Matrix(1, samples), Matrix(1, samples), {"x"}, {"y"}};
    for (Index i = 0; i < samples; ++i) data.inputs(0, i) = data.targets(0, i) = static_cast<double>(i);
    for (const double fraction : {1e-9, 0.2, 0.5, 0.999999}) {
      const Split split = split_dataset(data, fraction, 7);
      std::set<double> seen;
      for (const Dataset* part : {&split.train, &split.test}) {
        EXPECT_GE(part->samples(), 1);
        EXPECT_EQ(part->inputs, part->targets);
        EXPECT_EQ(part->input_names, data.input_names);
        for (Index i = 0; i < part->samples(); ++i) seen.insert(part->inputs(0, i));
      }
      EXPECT_EQ(static_cast<Index>(seen.size()), samples);
      EXPECT_EQ(split.train.samples() + split.test.samples(), samples);
      EXPECT_EQ(split_dataset(data, fraction, 7).test.inputs, split.test.inputs);
    }
    if (samples == 101) {
      EXPECT_NE(split_dataset(data, 0.2, 1).test.inputs, split_dataset(data, 0.2, 2).test.inputs);
      EXPECT_EQ(split_dataset(data, 0.2, 1).test.samples(), 20);
    }
  }
}

TEST(SplitDataset, GivesTheSameSamplesEverywhere) {
  // Fixed: published results name a seed.
  Dataset data{Matrix(1, 10), Matrix::Zero(1, 10), {"x"}, {"y"}};
  for (Index i = 0; i < 10; ++i) data.inputs(0, i) = static_cast<double>(i);
  EXPECT_EQ(split_dataset(data, 0.3, 1).test.inputs, (Matrix(1, 3) << 1, 3, 7).finished());
}

TEST(SplitDataset, RefusesWrongArguments) {
  for (const double fraction : {0.0, 1.0, -0.1, 1.5, std::nan("")}) {
    expect_one_line_with(message_of<std::invalid_argument>([&] { split_dataset(small_dataset(), fraction, 1); }),
                         {"test fraction ", "expected a number above 0 and below 1"});
  }
  const Dataset one{Matrix::Ones(1, 1), Matrix::Ones(1, 1), {"x"}, {"y"}};
  expect_one_line_with(message_of<std::invalid_argument>([&] { split_dataset(one, 0.5, 1); }),
                       {"1 samples to be split, expected at least 2"});
}

TEST(Model, FoldedEqualsPredict) {
  std::mt19937_64 generator(5);
  for (std::size_t depth = 1; depth <= 4; ++depth) {
    for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
      const std::vector<Index> widths = {4, 6, 5, 7, 3};
      std::vector<Layer> layers;
      for (std::size_t i = 0; i < depth; ++i) {
        const Index rows = i + 1 == depth ? 3 : widths[i + 1];
        layers.push_back({random_values(rows, widths[i], generator), random_values(rows, 1, generator)});
      }
      const Matrix units = (Vector(4) << 1, 100, 1e-3, 1e6).finished().asDiagonal();
      const Matrix inputs = (units * random_values(4, 200, generator)).colwise() + units.diagonal();
      Model model;
      model.network = Network(layers, output);
      model.input_scaling = Scaling::standardize(inputs);
      model.target_scaling = {Vector::Constant(3, output == OutputActivation::relu ? 0 : 40),
                              (Vector(3) << 10, 0.1, 1e5).finished()};
      const Matrix predicted = model.predict(inputs);
      EXPECT_GT(predicted.norm(), 0);
      const Matrix folded = model.folded().forward(inputs);
      for (Index row = 0; row < 3; ++row) {
        EXPECT_LE((folded - predicted).row(row).norm(), 1e-12 * predicted.row(row).norm());
      }
      EXPECT_EQ(model.folded().output_activation(), output);
      expect_one_line_with(message_of<std::invalid_argument>([&] { model.predict(Matrix(3, 1)); }),
                           {"3 rows of model inputs, expected 4"});
      model.target_scaling.offset.setOnes();
      if (output == OutputActivation::relu) {
        EXPECT_THROW(model.folded(), std::invalid_argument);
      }
    }
  }
}

TEST(Evaluate, MatchesHandComputation) {
  const Matrix targets = (Matrix(2, 4) << 1, 2, 3, 4, 5, 5, 5, 5).finished();
  const Matrix predictions = (Matrix(2, 4) << 1, 2, 2, 6, 5, 5, 4, 5).finished();
  const Evaluation evaluation = evaluate(predictions, targets);
  ASSERT_EQ(evaluation.per_target.size(), 2u);
  const FitMeasures& first = evaluation.per_target[0];
  EXPECT_DOUBLE_EQ(first.relative_residual, std::sqrt(5.0 / 30.0));
  EXPECT_DOUBLE_EQ(first.mean_squared_error, 5.0 / 4);
  EXPECT_DOUBLE_EQ(first.r2, 0);
  EXPECT_DOUBLE_EQ(first.largest_error, 2);
  const FitMeasures& second = evaluation.per_target[1];
  EXPECT_DOUBLE_EQ(second.relative_residual, 0.1);
  EXPECT_DOUBLE_EQ(second.mean_squared_error, 0.25);
  EXPECT_TRUE(std::isnan(second.r2));
  EXPECT_DOUBLE_EQ(evaluation.all.relative_residual, std::sqrt(6.0 / 130.0));
  EXPECT_DOUBLE_EQ(evaluation.all.mean_squared_error, 6.0 / 8);
  EXPECT_DOUBLE_EQ(evaluation.all.r2, 1 - 6.0 / 5.0);
  EXPECT_DOUBLE_EQ(evaluation.all.largest_error, 2);
}

TEST(Evaluate, HandlesZeroTargetsAndBrokenPredictions) {
  const Matrix zero = Matrix::Zero(1, 3);
  EXPECT_EQ(evaluate(zero, zero).all.relative_residual, 0);
  EXPECT_EQ(evaluate(Matrix::Ones(1, 3), zero).all.relative_residual, kInfinity);
  EXPECT_TRUE(std::isnan(evaluate(zero, Matrix::Constant(1, 3, 0.1)).per_target[0].r2));
  const Matrix targets = (Matrix(1, 2) << 1, 2).finished();
  const FitMeasures broken = evaluate((Matrix(1, 2) << std::nan(""), 1).finished(), targets).all;
  EXPECT_TRUE(std::isnan(broken.relative_residual) && std::isnan(broken.largest_error) && std::isnan(broken.r2));
}

/// No unit is in R2 and the relative residual: a power of two leaves every bit of them, up to sizes whose squares
/// overflow or vanish.
TEST(Evaluate, ScaleFreeMeasuresDoNotChangeWithTheUnit) {
  const Matrix targets = (Matrix(2, 4) << 1, 2, 4, 7.5, -3, 0.25, 11, 2).finished();
  const Matrix predictions = targets + (Matrix(2, 4) << 0.5, -1, 0.1, 0.3, 2, 0.7, -0.4, 0.1).finished();
  const Evaluation plain = evaluate(predictions, targets);
  const auto expect_same = [](const FitMeasures& scaled, const FitMeasures& unscaled, int exponent) {
    EXPECT_EQ(scaled.r2, unscaled.r2) << exponent;
    EXPECT_EQ(scaled.relative_residual, unscaled.relative_residual) << exponent;
    EXPECT_EQ(scaled.largest_error, std::ldexp(unscaled.largest_error, exponent)) << exponent;
    const double mean_square = std::ldexp(unscaled.mean_squared_error, 2 * exponent);
    EXPECT_TRUE(std::abs(scaled.mean_squared_error - mean_square) <= 1e-15 * mean_square ||
                scaled.mean_squared_error == mean_square)
        << exponent << ": " << scaled.mean_squared_error << " and " << mean_square;
  };
  for (const int exponent : {-960, -664, -512, -100, -1, 1, 60, 511, 664, 1019}) {
    const auto scale = [&](double value) { return std::ldexp(value, exponent); };
    const Evaluation scaled = evaluate(predictions.unaryExpr(scale), targets.unaryExpr(scale));
    expect_same(scaled.all, plain.all, exponent);
    for (std::size_t row = 0; row < 2; ++row) expect_same(scaled.per_target[row], plain.per_target[row], exponent);
  }
}

TEST(Evaluate, MeasuresOfHugeTargets) {
  const Matrix targets = (Matrix(1, 4) << 1e308, -1e308, 1.5e308, 1.7e308).finished();
  const FitMeasures zero = evaluate(Matrix::Zero(1, 4), targets).all;
  EXPECT_DOUBLE_EQ(zero.relative_residual, 1);
  EXPECT_EQ(zero.largest_error, 1.7e308);
  EXPECT_EQ(zero.mean_squared_error, kInfinity) << "as it is";
  EXPECT_TRUE(std::isfinite(zero.r2));
  EXPECT_EQ(evaluate(-targets, targets).all.relative_residual, 2);
}

TEST(IsConstant, ComparesTheSpreadWithTheSizeOfTheValues) {
  const double tenths = 0.1 + 0.2;  // one unit in the last place above 0.3
  for (const double size : {1e-300, 1e-6, 1.0, 1e6, 1e307}) {
    EXPECT_TRUE(is_constant(Eigen::RowVector3d(0.3, tenths, 0.3) * size)) << size;
    EXPECT_TRUE(is_constant(Eigen::RowVector3d(-1, -1 + 1e-16, -1 - 2e-16) * size)) << size;
    EXPECT_FALSE(is_constant(Eigen::RowVector3d(1, 1 + 1e-9, 1) * size)) << size;
    EXPECT_FALSE(is_constant(Eigen::RowVector3d(1, 1 + 1e-13, 1) * size)) << size;
  }
  EXPECT_FALSE(is_constant(Eigen::RowVector3d(0, 1e-300, 0))) << "0 has no rounding";
  EXPECT_TRUE(is_constant(Eigen::RowVector3d(0, -0.0, 0)));
  EXPECT_FALSE(is_constant(Eigen::RowVector2d(-1.7e308, 1.7e308)));
  EXPECT_FALSE(is_constant(Eigen::RowVector2d(1732000000, 1732000001.5))) << "a timestamp";
}

TEST(Scaling, OfAConstantButForRoundingLeavesRounding) {
  for (const double size : {1e-200, 1.0, 1e12, 1e300}) {
    const Matrix values = (Matrix(1, 3) << 1, 1 - 1e-16, 1).finished() * size;
    const Scaling scaling = Scaling::standardize(values);
    EXPECT_LE(scaling.apply(values).cwiseAbs().maxCoeff(), 1e-15) << size;
    EXPECT_NEAR(scaling.apply(Matrix::Constant(1, 1, 0.99 * size))(0, 0), -0.01, 1e-9) << size;
  }
}

TEST(Evaluate, RefusesWrongShapes) {
  expect_one_line_with(message_of<std::invalid_argument>([] { evaluate(Matrix(1, 2), Matrix(2, 1)); }),
                       {"predictions are 1 x 2, expected 2 x 1"});
  expect_one_line_with(message_of<std::invalid_argument>([] { evaluate(Matrix(1, 0), Matrix(1, 0)); }), {"no sample"});
}

TEST(FoldSamples, EverySampleIsInOneFoldAndClassesAreSpread) {
  std::vector<Index> keys(103);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i % 10 == 0 ? 1 : 0;  // 11 of one class
  for (const Index folds : {2, 3, 5, 11}) {
    const auto parts = fold_samples(103, folds, 4, keys);
    ASSERT_EQ(static_cast<Index>(parts.size()), folds);
    std::vector<int> seen(103, 0);
    for (const auto& part : parts) {
      EXPECT_NEAR(static_cast<double>(part.size()), 103. / static_cast<double>(folds), 1);
      EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
      double rare = 0;
      for (const Index sample : part) {
        ++seen[static_cast<std::size_t>(sample)];
        rare += static_cast<double>(keys[static_cast<std::size_t>(sample)]);
      }
      EXPECT_NEAR(rare, 11. / static_cast<double>(folds), 1);
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 103);
  }
  EXPECT_EQ(fold_samples(20, 4, 1), fold_samples(20, 4, 1));
  EXPECT_NE(fold_samples(20, 4, 1), fold_samples(20, 4, 2));
  EXPECT_THROW(fold_samples(20, 1, 1), std::invalid_argument);
  EXPECT_THROW(fold_samples(3, 4, 1), std::invalid_argument);
}

}  // namespace
}  // namespace relufit
