// Pieces, bends and first hidden layers of teachers, from samples alone, against the teachers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "exact_fit/deep/affine_pieces.h"
#include "exact_fit/deep/continued_pieces.h"
#include "exact_fit/deep/first_layer.h"
#include "relufit/teacher.h"

namespace relufit {
namespace {

/// The largest of some affine functions (rows of `functions`, the constants last) at some inputs.
Vector largest_of(const Matrix& functions, const Matrix& inputs) {
  const Index n = inputs.rows();
  Matrix values = functions.leftCols(n) * inputs;
  values.colwise() += functions.col(n);
  return values.colwise().maxCoeff().transpose();
}

TEST(AffinePieces, AreThoseOfAMaximumOfAffineFunctions) {
  for (const unsigned long long seed : {1, 2, 3}) {
    for (const Index inputs : {1, 2, 4}) {
      Random random(seed);
      const Matrix functions = random.normal(4, inputs + 1);
      const Matrix samples = random.normal(inputs, 300);
      const Vector values = largest_of(functions, samples);
      const std::vector<AffinePiece> pieces = affine_pieces(samples, values, 1e-9);
      ASSERT_FALSE(pieces.empty());
      Index on_pieces = 0;
      for (const AffinePiece& piece : pieces) {
        const Vector distances = (functions.rowwise() - piece.coefficients.transpose()).rowwise().norm();
        Index nearest = 0;
        EXPECT_LT(distances.minCoeff(&nearest), 1e-9);
        const Vector residuals = piece.residuals(samples, values);
        for (Index i = 0; i < 300; ++i) {
          const bool is_listed = std::binary_search(piece.samples.begin(), piece.samples.end(), i);
          EXPECT_EQ(is_listed, std::abs(residuals(i)) <= 1e-9);
        }
        on_pieces += static_cast<Index>(piece.samples.size());
      }
      EXPECT_GT(on_pieces, 270);
    }
  }
}

TEST(AffinePieces, NoiseAndFewSamplesHaveNone) {
  Random random(1);
  const Matrix samples = random.normal(3, 200);
  EXPECT_TRUE(affine_pieces(samples, random.normal(200, 1), 1e-8).empty());
  EXPECT_TRUE(affine_pieces(samples.leftCols(4), Vector::Ones(4), 1e-8).empty());
  EXPECT_TRUE(affine_pieces(Matrix(3, 0), Vector(0), 1e-8).empty());
  EXPECT_EQ(affine_pieces(samples.leftCols(5), Vector::Ones(5), 1e-8).size(), 1U);
}

TEST(AffinePieces, SamplesAtOnePlaceAreNoPieceOfTheirOwn) {
  Matrix samples = Matrix::Ones(2, 50);
  const std::vector<AffinePiece> pieces = affine_pieces(samples, Vector::Ones(50), 1e-8);
  for (const AffinePiece& piece : pieces) EXPECT_TRUE(piece.coefficients.allFinite());
}

/// With inputs and values of about unit size.
struct Deep {
  explicit Deep(unsigned long long seed, Index samples = 300)
      : teacher(make_teacher({3, 4, 4, 4, 1}, OutputActivation::linear, samples, seed)),
        values(teacher.targets.row(0).transpose() * std::sqrt(static_cast<double>(samples)) / teacher.targets.norm()) {
    const Layer& first = teacher.network.layers()[0];
    for (Index j = 0; j < 4; ++j) {
      const double size = first.weights.row(j).norm();
      Bend bend{first.weights.row(j).transpose() / size, first.bias(j) / size, {}};
      bend.distances = (teacher.inputs.transpose() * bend.normal).array() + bend.offset;
      bends.push_back(std::move(bend));
    }
  }

  static bool are_same(const Bend& a, const Bend& b) {
    const double sign = a.normal.dot(b.normal) > 0 ? 1 : -1;
    return (a.normal - sign * b.normal).norm() + std::abs(a.offset - sign * b.offset) < 1e-4;
  }

  Teacher teacher;
  Vector values;
  std::vector<Bend> bends;
};

TEST(ContinuedPieces, GoOnOverTheUnitsOfTheFirstLayer) {
  for (unsigned long long seed = 0; seed < 6; ++seed) {
    const Deep deep(seed);
    const ContinuedPieces pieces(deep.teacher.inputs, deep.values);
    ASSERT_GE(pieces.size(), 2U);
    double own = 0;
    double continued = 0;
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      const std::vector<Index> alone = pieces.continued(p, {}).explained;
      const Continuation over = pieces.continued(p, deep.bends);
      own += static_cast<double>(alone.size());
      continued += static_cast<double>(over.explained.size());
      for (const Index i : over.explained) EXPECT_LE(std::abs(over.errors(i)), 1e-6);
      for (const Index i : over.reached) EXPECT_GT(std::abs(over.errors(i)), 1e-8);
      EXPECT_LE(over.explained.size() + over.reached.size(), 300U);
    }
    EXPECT_GT(continued, 1.2 * own);
    EXPECT_GT(pieces.explained(deep.bends), pieces.explained({}));
  }
}

TEST(ContinuedPieces, HaveTheSlopesThatUnitsTakeAwayBeyondTheirBends) {
  int known = 0;
  for (unsigned long long seed = 0; seed < 6; ++seed) {
    const Deep deep(seed);
    const ContinuedPieces pieces(deep.teacher.inputs, deep.values);
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      const std::vector<Crossing> crossings = pieces.continued(p, deep.bends).crossings;
      Vector rest = pieces.slope(p);
      bool all_known = true;
      for (std::size_t j = 0; j < deep.bends.size(); ++j) {
        if (!crossings[j].is_above) continue;
        all_known = all_known && crossings[j].change;
        rest += crossings[j].change.value_or(0) * deep.bends[j].normal;
      }
      if (!all_known) continue;
      ++known;
      EXPECT_LT(rest.norm(), 1e-6 * (1 + pieces.slope(p).norm())) << "seed " << seed << ", piece " << p;
    }
  }
  EXPECT_GE(known, 20);
}

TEST(ContinuedPieces, EndAtTheUnitThatIsLeftOut) {
  int shown = 0;
  for (unsigned long long seed = 0; seed < 12; ++seed) {
    const Deep deep(seed);
    const ContinuedPieces pieces(deep.teacher.inputs, deep.values);
    for (std::size_t left_out = 0; left_out < 4; ++left_out) {
      std::vector<Bend> others = deep.bends;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(left_out));
      const std::vector<Bend> found = pieces.bends_beyond(others);
      shown += std::any_of(found.begin(), found.end(),
                           [&](const Bend& bend) { return Deep::are_same(bend, deep.bends[left_out]); });
    }
  }
  EXPECT_GE(shown, 24);  // of 48
}

/// How many rows are units of the teacher, with their sign.
Index right_units(const Layer& guess, const Layer& first) {
  Index right = 0;
  for (Index k = 0; k < guess.weights.rows(); ++k) {
    for (Index j = 0; j < first.weights.rows(); ++j) {
      const double ratio = guess.weights.row(k).norm() / first.weights.row(j).norm();
      const double off = (guess.weights.row(k) - ratio * first.weights.row(j)).norm() / guess.weights.row(k).norm();
      right += off < 1e-4 && std::abs(guess.bias(k) - ratio * first.bias(j)) < 1e-4 * (1 + std::abs(guess.bias(k)));
    }
  }
  return right;
}

TEST(FirstLayer, IsReadOffInMostTeachers) {
  constexpr unsigned long long kTeachers = 20;
  int all = 0;
  int all_but_one = 0;
  for (unsigned long long seed = 0; seed < kTeachers; ++seed) {
    const Teacher teacher = make_teacher({3, 4, 4, 4, 1}, OutputActivation::linear, 300, seed);
    const std::vector<Layer> guesses = first_layer_guesses(teacher.inputs, teacher.targets, 4, {});
    Index most = 0;
    for (const Layer& guess : guesses) {
      ASSERT_LE(guess.weights.rows(), 4);
      const Matrix arguments = (guess.weights * teacher.inputs).colwise() + guess.bias;
      const Vector spread = (arguments.colwise() - arguments.rowwise().mean()).rowwise().norm() / std::sqrt(300.0);
      EXPECT_LT((spread.array() - 1).abs().maxCoeff(), 1e-12);
      const Index right = right_units(guess, teacher.network.layers()[0]);
      if (right == guess.weights.rows()) most = std::max(most, right);
    }
    all += most == 4;
    all_but_one += most == 3;
  }
  EXPECT_GE(all, 8);
  EXPECT_GE(all + all_but_one, 11);
}

TEST(FirstLayer, DoesNotDependOnUnits) {
  const Teacher teacher = make_teacher({3, 4, 4, 4, 1}, OutputActivation::linear, 300, 4);
  const Matrix shifted = (1e3 * teacher.inputs).array() + 5e3;
  const std::vector<Layer> guesses = first_layer_guesses(teacher.inputs, teacher.targets, 4, {});
  const std::vector<Layer> moved = first_layer_guesses(shifted, 1e-6 * teacher.targets, 4, {});
  ASSERT_FALSE(guesses.empty());
  ASSERT_FALSE(moved.empty());
  Layer first = moved.front();
  first.bias += 5e3 * first.weights.rowwise().sum();
  first.weights *= 1e3;
  EXPECT_EQ(right_units(guesses.front(), teacher.network.layers()[0]), 4);
  EXPECT_EQ(right_units(first, teacher.network.layers()[0]), 4);
}

TEST(FirstLayer, IsSeenThroughSeveralOutputs) {
  int right = 0;
  for (unsigned long long seed = 0; seed < 6; ++seed) {
    const Teacher teacher = make_teacher({3, 4, 4, 2}, OutputActivation::linear, 300, seed);
    const std::vector<Layer> guesses = first_layer_guesses(teacher.inputs, teacher.targets, 4, {});
    right += std::any_of(guesses.begin(), guesses.end(), [&](const Layer& guess) {
      return guess.weights.rows() >= 3 && right_units(guess, teacher.network.layers()[0]) == guess.weights.rows();
    });
  }
  EXPECT_GE(right, 3);
}

TEST(FirstLayer, NoneWhereDataDoNotShowIt) {
  Random random(2);
  const Matrix inputs = random.normal(3, 200);
  EXPECT_TRUE(first_layer_guesses(inputs, random.normal(1, 200), 4, {}).empty());
  EXPECT_TRUE(first_layer_guesses(inputs, Matrix::Zero(2, 200), 4, {}).empty());
  EXPECT_TRUE(first_layer_guesses(inputs, random.normal(1, 3) * inputs, 4, {}).empty());
  EXPECT_TRUE(first_layer_guesses(Matrix::Ones(3, 200), random.normal(1, 200), 4, {}).empty());
  const Teacher teacher = make_teacher({3, 4, 4, 4, 1}, OutputActivation::linear, 300, 4);
  const Matrix noise = 1e-5 * random.normal(1, 300);
  EXPECT_TRUE(first_layer_guesses(teacher.inputs, teacher.targets + noise, 4, {}).empty());
  EXPECT_TRUE(first_layer_guesses(teacher.inputs, teacher.targets, 4, [] { return true; }).empty());
}

}  // namespace
}  // namespace relufit
