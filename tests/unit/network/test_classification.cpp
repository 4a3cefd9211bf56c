// Labels to targets and back, and measures against sums written out.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "relufit/classification.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;

using Names = std::vector<std::string>;
using Positions = std::vector<Index>;

std::string message(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(FindClasses, SortsTextByBytesAndNumbersByValue) {
  EXPECT_EQ(find_classes("y", {"b", "a", " b ", "ab", "B"}, Loss::cross_entropy).classes, (Names{"B", "a", "ab", "b"}));
  EXPECT_EQ(find_classes("y", {"10", "9", "9.0", "+10", "-0", "0", "1e1", "0.5"}, Loss::cross_entropy).classes,
            (Names{"0", "0.5", "9", "10"}));
  // One label that is no number makes all of them text.
  EXPECT_EQ(find_classes("y", {"10", "9", "9.0", "x"}, Loss::hinge).classes, (Names{"10", "9", "9.0", "x"}));
}

Names classes_of(const Names& labels) { return find_classes("y", labels, Loss::cross_entropy).classes; }

TEST(FindClasses, WholeNumbersThatDifferStayDifferent) {
  EXPECT_EQ(classes_of({"9007199254740994", "9007199254740992", "9007199254740993", "-9007199254740993",
                        "-9007199254740992", "-9007199254740994"}),
            (Names{"-9007199254740994", "-9007199254740993", "-9007199254740992", "9007199254740992",
                   "9007199254740993", "9007199254740994"}));
  EXPECT_EQ(classes_of({"123456789012345678901234567891", "123456789012345678901234567890", "99"}),
            (Names{"99", "123456789012345678901234567890", "123456789012345678901234567891"}));
}

TEST(FindClasses, OneValueIsOneClassHoweverItIsWritten) {
  EXPECT_EQ(classes_of({"1", "1.0", "+1", "1.", "1e0", "10e-1", " 1 ", ".1E1", "2"}), (Names{"1", "2"}));
  EXPECT_EQ(classes_of({"1000", "1e3", "1E+03", "1.50e3", "1500", "10000e-1", "100.0e1"}), (Names{"1000", "1500"}));
  EXPECT_EQ(classes_of({"0", "-0", "0.0", "-0.00", "0e5", "0e99999999999999999999", "-1"}), (Names{"-1", "0"}));
  EXPECT_EQ(classes_of({"0.5", "0.50", ".5", "5e-1", "-2.5", "1e-7"}), (Names{"-2.5", "1e-07", "0.5"}));
  EXPECT_EQ(classes_of({"1e22", "10000000000000000000000", "1"}), (Names{"1", "10000000000000000000000"}));
  // 17 digits, as numbers are written by programs, and the shortest way.
  EXPECT_EQ(classes_of({"0.1", "0.10000000000000001", "1"}), (Names{"0.1", "1"}));
}

TEST(FindClasses, CodesComeBackAsTheyWere) {
  EXPECT_EQ(classes_of({"007", "7", "01", " 01"}), (Names{"007", "01", "7"}));
  EXPECT_EQ(classes_of({"00", "0", "+1", "1", "1.0"}), (Names{"+1", "0", "00", "1", "1.0"}));
  EXPECT_EQ(classes_of({"-01", "-1"}), (Names{"-01", "-1"}));
  const Names codes = {"01", "1", "001"};
  const Classification classification = find_classes("y", codes, Loss::cross_entropy);
  EXPECT_EQ(class_indices(classification, {"001", "01", "1", "1.0", "0001"}), (Positions{0, 1, 2, -1, -1}));
  // Where classes are numbers a code is none of them.
  EXPECT_EQ(class_indices(find_classes("y", {"1", "2"}, Loss::cross_entropy), {"1", "01"}), (Positions{0, -1}));
}

TEST(FindClasses, NamesWhatIsWrong) {
  EXPECT_EQ(message([] {
              find_classes("y", {"a", " a"}, Loss::hinge);
            }),
            "label 'y': 'a' in all 2 samples, expected at least 2 classes");
  EXPECT_EQ(message([] { find_classes("y", {"a", " "}, Loss::hinge); }), "label 'y': a value is empty");
  EXPECT_EQ(message([] { find_classes("y", {"a", "\xff"}, Loss::hinge); }), "label 'y': '\\xff' is not UTF-8 text");
  EXPECT_EQ(message([] {
              find_classes("y", {"a", "b", "c"}, Loss::logistic);
            }),
            "loss: 'logistic' with the 3 classes of 'y', expected 2, or cross-entropy");
  EXPECT_EQ(message([] {
              find_classes("y", {"a", "b"}, Loss::squared);
            }),
            "loss: 'squared' for classes, expected cross-entropy, logistic or hinge");
  Names many;
  for (int i = 0; i < 1001; ++i) many.push_back(std::to_string(i));
  EXPECT_EQ(message([&] { find_classes("y", many, Loss::cross_entropy); }),
            "label 'y': 1001 different values in 1001 samples, expected at most 1000 classes");
}

TEST(ClassTargets, RoundTrip) {
  const Names labels = {"c", "a", "b", "a"};
  for (const Loss& loss : {Loss::cross_entropy, Loss::hinge}) {
    const Classification three = find_classes("y", labels, loss);
    const Positions classes = class_indices(three, labels);
    EXPECT_EQ(classes, (Positions{2, 0, 1, 0}));
    const Matrix targets = class_targets(three, classes);
    EXPECT_EQ(targets, (Matrix{{0, 1, 0, 1}, {0, 0, 1, 0}, {1, 0, 0, 0}}));
    EXPECT_EQ(decided_classes(three, targets), classes);
    EXPECT_EQ(output_names(three), (Names{"y=a", "y=b", "y=c"}));
    check_targets(loss, targets);
  }
  const Names two_labels = {"yes", "no", "yes"};
  for (const Loss& loss : {Loss::cross_entropy, Loss::logistic, Loss::hinge}) {
    const Classification two = find_classes("y", two_labels, loss);
    const Matrix targets = class_targets(two, class_indices(two, two_labels));
    const bool pair = loss == Loss::cross_entropy;
    EXPECT_EQ(targets, pair ? (Matrix{{0, 1, 0}, {1, 0, 1}}) : (Matrix{{1, 0, 1}}));
    EXPECT_EQ(decided_classes(two, targets), (Positions{1, 0, 1}));
    EXPECT_EQ(output_names(two), pair ? (Names{"y=no", "y=yes"}) : Names{"y=yes"});
    EXPECT_EQ(two.output_count(), pair ? 2 : 1);
  }
}

TEST(ClassIndices, UnknownLabelsAndOtherWritings) {
  const Classification numbers = find_classes("y", {"1", "2.50"}, Loss::cross_entropy);
  EXPECT_EQ(class_indices(numbers, {"2.5", " 1.0 ", "3", "x", ""}), (Positions{1, 0, -1, -1, -1}));
  // As earlier versions named the class.
  EXPECT_EQ(class_indices({"y", {"1", "1e+16"}, Link::softmax}, {"1e16", "10000000000000000"}), (Positions{1, 1}));
  const Classification text = find_classes("y", {"1", "two"}, Loss::cross_entropy);
  EXPECT_EQ(class_indices(text, {"1.0", " two", "1"}), (Positions{-1, 1, 0}));
}

TEST(ClassProbabilities, OfEachLink) {
  Generator random(1);
  const Matrix scores = normal_matrix(random, 3, 20, 3);
  const Classification three{"y", {"a", "b", "c"}, Link::softmax};
  const Matrix p = class_probabilities(three, scores);
  for (Index j = 0; j < scores.cols(); ++j) {
    const double sum = scores.col(j).array().exp().sum();
    for (Index i = 0; i < 3; ++i) EXPECT_NEAR(p(i, j), std::exp(scores(i, j)) / sum, 1e-15);
  }
  const Classification two{"y", {"a", "b"}, Link::logistic};
  const Matrix q = class_probabilities(two, scores.row(0));
  for (Index j = 0; j < scores.cols(); ++j) EXPECT_NEAR(q(1, j), 1 / (1 + std::exp(-scores(0, j))), 1e-15);
  EXPECT_LE((q.colwise().sum().array() - 1).abs().maxCoeff(), 1e-15);
  EXPECT_LE((class_probabilities(two, Matrix{{800.0, -800.0}}) - Matrix{{0, 1}, {1, 0}}).norm(), 1e-300);
  EXPECT_EQ(class_probabilities({"y", {"a", "b"}, Link::none}, scores.row(0)).rows(), 0);
}

TEST(EvaluateClasses, CountsAccuracyAndLogLoss) {
  const Classification three{"y", {"a", "b", "c"}, Link::softmax};
  const Matrix targets = class_targets(three, {0, 0, 1, 2});
  const Matrix scores{{3, 0, 0, 1}, {1, 2, 4, 2}, {0, 1, 1, 3}};
  const ClassificationMeasures measures = evaluate_classes(three, scores, targets);
  EXPECT_EQ(measures.accuracy, 0.75);
  EXPECT_EQ(measures.counts, (Matrix{{1, 1, 0}, {0, 1, 0}, {0, 0, 1}}));
  const Matrix p = class_probabilities(three, scores);
  EXPECT_NEAR(measures.log_loss, -std::log(p(0, 0) * p(0, 1) * p(1, 2) * p(2, 3)) / 4, 1e-14);

  const Classification two{"y", {"a", "b"}, Link::none};
  const ClassificationMeasures hinge = evaluate_classes(two, Matrix{{-1.0, 2.0, 3.0}}, Matrix{{0.0, 0.0, 1.0}});
  EXPECT_NEAR(hinge.accuracy, 2.0 / 3, 1e-15);
  EXPECT_TRUE(std::isnan(hinge.log_loss));
  EXPECT_EQ(message([&] { evaluate_classes(three, scores, targets.leftCols(3)); }),
            "outputs are 3 x 4 and targets 3 x 3, expected 3 rows in both");
  EXPECT_EQ(message([&] { evaluate_classes(three, Matrix(3, 0), Matrix(3, 0)); }),
            "no sample to evaluate, expected at least 1");
}

}  // namespace
}  // namespace relufit
