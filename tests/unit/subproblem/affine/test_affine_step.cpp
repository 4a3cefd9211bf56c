// The affine step: both implementations against its objective, written from the definition, and against each other.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "subproblem/affine/affine_step.h"
#include "support/affine_image.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_parameters;
using testing_random::uniform;

struct Case {
  std::vector<Index> widths;
  Index samples;
  OutputActivation output;
  Loss loss;
  double ridge;
  Index input_rank;  // of the inputs (with biases: centered); 0: as random
  bool bias = true;
  bool skip_connections = false;
  std::vector<WeightTerm> weight_terms = {};  // only their copies matter here

  std::string name() const {
    std::string text;
    for (const Index width : widths) text += std::to_string(width) + "-";
    return text + " N " + std::to_string(samples) + " " + to_string(output) + " " + to_string(loss) + " ridge " +
           std::to_string(ridge) + " rank " + std::to_string(input_rank) + (bias ? "" : " no bias") +
           (skip_connections ? " skip connections" : "") + " terms " + std::to_string(weight_terms.size());
  }
};

std::vector<Case> cases() {
  std::vector<Case> list;
  const std::vector<std::vector<Index>> shapes = {{3, 3, 2}, {1, 1, 1},    {6, 2, 4},
                                                  {2, 6, 1}, {3, 4, 3, 2}, {2, 3, 2, 4, 2}};
  for (const auto& widths : shapes) {
    for (const Index samples : {1, 5, 30}) {
      for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
        for (const Loss loss : {Loss::exact, Loss::squared}) {
          for (const double ridge : {0.0, 0.7}) list.push_back({widths, samples, output, loss, ridge, 0});
        }
      }
    }
  }
  for (const auto& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{2, 3, 2, 4, 2}}) {
    for (const Index samples : {1, 30}) {
      for (const double ridge : {0.0, 0.7}) {
        list.push_back({widths, samples, OutputActivation::linear, Loss::exact, ridge, 0, false});
        list.push_back({widths, samples, OutputActivation::relu, Loss::squared, ridge, 0, false});
      }
    }
  }
  for (const double ridge : {0.0, 0.7}) {
    list.push_back({{5, 3, 2}, 30, OutputActivation::linear, Loss::squared, ridge, 2, false});
    list.push_back({{5, 3, 2}, 30, OutputActivation::linear, Loss::exact, ridge, 2});
    list.push_back({{5, 3, 2, 2}, 30, OutputActivation::relu, Loss::squared, ridge, 2});
    list.push_back({{4, 3, 2}, 20, OutputActivation::linear, Loss::squared, ridge, 1});
    list.push_back({{3, 3, 2}, 20, OutputActivation::linear, Loss::absolute, ridge, 0});
    list.push_back({{3, 4, 3, 2}, 20, OutputActivation::linear, Loss::huber(0.5), ridge, 0});
  }
  return list;
}

// With skip connections, which the dense step does not know: all data ranks, with and without copies of weights.
std::vector<Case> skip_cases() {
  std::vector<Case> list;
  const WeightTerm terms[] = {{WeightTerm::Kind::lasso, 1, 0.1, {}, {}},
                              {WeightTerm::Kind::lasso, 2, 0.1, {}, {}},
                              {WeightTerm::Kind::group_lasso, 2, 0.1, {}, {}}};
  for (const auto& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{4, 2, 3, 2}}) {
    for (const Index samples : {1, 5, 300}) {
      for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
        for (const bool bias : {true, false}) {
          for (const double ridge : {0.0, 0.7}) {
            const Loss loss = ridge > 0 ? Loss::squared : Loss::exact;
            list.push_back({widths, samples, output, loss, ridge, 0, bias, true});
            list.push_back({widths, samples, output, loss, ridge, 2, bias, true});
            list.push_back({widths, samples, output, loss, ridge, 2, bias, true, {terms[1]}});
            list.push_back({widths, samples, output, loss, ridge, 0, bias, true, {terms[0], terms[1], terms[2]}});
          }
        }
      }
    }
  }
  return list;
}

// Everything a step works on, random.
struct Setting {
  LiftedProblem problem;
  RelaxationParameters parameters;
  Penalties penalties;
  std::unique_ptr<Copies> target;

  Setting(Generator& random, const Case& test) {
    const Index inputs = test.widths.front();
    problem.network.widths = test.widths;
    problem.network.output = test.output;
    problem.loss = test.loss;
    problem.ridge = test.ridge;
    problem.bias = test.bias;
    problem.network.skip_connections = test.skip_connections;
    problem.weight_terms = test.weight_terms;
    problem.inputs = test.input_rank == 0 ? normal_matrix(random, inputs, test.samples)
                                          : Matrix(normal_matrix(random, inputs, test.input_rank) *
                                                   normal_matrix(random, test.input_rank, test.samples));
    problem.targets = normal_matrix(random, test.widths.back(), test.samples).cwiseAbs();
    parameters = random_parameters(random, problem);
    penalties = {uniform(random, 0.3, 3), uniform(random, 0.3, 3), uniform(random, 0.3, 3), uniform(random, 0.01, 0.1)};
    target = std::make_unique<Copies>(problem);
    target->data() = normal_matrix(random, target->data().size(), 1);
  }
};

void run(AffineStep& step, const Setting& setting, const Chunks& chunks, Copies& image) {
  testing_affine::prepare(step, chunks, setting.parameters, setting.penalties);
  testing_affine::solve(step, setting.problem, chunks, *setting.target, image);
}

// The unknowns of the step: S_1 is dependent, and from the second layer on H has two copies.
struct Unknowns {
  std::vector<Layer> layers;
  std::vector<Matrix> active, active_in, slack;
  Matrix output;

  Unknowns(const std::vector<Layer>& from, const Copies& image) : layers(from), output(image.output()) {
    for (std::size_t i = 0; i < image.hidden_layers(); ++i) {
      active.push_back(image.active[i]);
      active_in.push_back(i == 0 ? image.active[0] : image.values[i]);
      slack.push_back(image.slack[i]);
    }
  }
};

Matrix first_preactivation(const Setting& setting, const Unknowns& x) {
  return (x.layers[0].weights * setting.problem.inputs).colwise() + x.layers[0].bias;
}

Matrix product_block(const Setting& setting, const Unknowns& x, std::size_t i) {
  const bool last = i + 1 == x.active.size();
  const Matrix affine = last ? x.output : Matrix(x.active[i + 1] - x.slack[i + 1]);
  const ProductParameters& product = setting.parameters.product[i];
  const Matrix& inner = i == 0 ? x.active[0] : x.active_in[i];
  const Matrix& weights = x.layers[i + 1].weights;
  Matrix c = affine.colwise() - x.layers[i + 1].bias;
  const Index skipped = weights.cols() - inner.rows();
  c -= weights.rightCols(skipped) * setting.problem.inputs.topRows(skipped);
  const Matrix w = weights.leftCols(inner.rows());
  const Matrix identity = Matrix::Identity(inner.rows(), inner.rows());
  if (product.has_matrices()) {
    return rank_block(w, inner, c, identity, product.x, product.y, product.left_matrix, product.right_matrix);
  }
  // By scalars: a matrix V2 is N x N, and the definition is evaluated thousands of times.
  const double v1 = product.left_scale;
  const double v2 = product.right_scale;
  Matrix block(c.rows() + inner.rows(), c.cols() + inner.rows());
  block << v1 * v2 * (c + w * product.y + product.x * (inner + product.y)), v1 * (w + product.x),
      v2 * (inner + product.y), identity;
  return block;
}

// f(x) + sum over copies of rho/2 ||A x - target||^2.
double objective(const Setting& setting, const Unknowns& x) {
  const LiftedProblem& problem = setting.problem;
  const Copies& target = *setting.target;
  const Penalties& rho = setting.penalties;
  double sum = 0;
  for (const Layer& layer : x.layers) sum += 0.5 * problem.ridge * layer.weights.squaredNorm();
  for (std::size_t t = 0; t < target.weights.size(); ++t) {
    const Layer& layer = x.layers[static_cast<std::size_t>(problem.weight_terms[t].layer) - 1];
    sum += 0.5 * weight_penalty(problem, rho) * (layer.weights - target.weights[t]).squaredNorm();
  }
  if (output_is_copied(problem)) {
    sum += 0.5 * rho.output * (x.output - target.output()).squaredNorm();
  } else if (problem.loss == Loss::squared) {
    sum += 0.5 * (x.output - problem.targets).squaredNorm();
  }
  for (std::size_t i = 0; i < x.active.size(); ++i) {
    const Matrix slack = i == 0 ? Matrix(x.active[0] - first_preactivation(setting, x)) : x.slack[i];
    sum += 0.5 * rho.pair * (x.active[i] - target.active[i]).squaredNorm();
    if (i > 0) sum += 0.5 * rho.pair * (x.active_in[i] - target.values[i]).squaredNorm();
    sum += 0.5 * rho.pair * (i == 0 ? 1 : 2) * (slack - target.slack[i]).squaredNorm();
    const Matrix block = product_block(setting, x, i);
    const Index samples = problem.samples();
    sum += 0.5 * rho.product * (block.leftCols(samples) - target.block_left[i]).squaredNorm();
    sum += 0.5 * rho.product * (block.rightCols(block.cols() - samples) - target.block_right[i]).squaredNorm();
  }
  return sum;
}

// x + size * (random direction), in one kind of unknowns (0..4) or in all (5).
Unknowns moved(const Setting& setting, const Unknowns& x, const Unknowns& direction, double size, int kind) {
  Unknowns y = x;
  for (std::size_t l = 0; l < x.layers.size(); ++l) {
    if (kind == 0 || kind == 5) y.layers[l].weights += size * direction.layers[l].weights;
    if (setting.problem.bias && (kind == 1 || kind == 5)) y.layers[l].bias += size * direction.layers[l].bias;
  }
  for (std::size_t i = 0; i < x.active.size(); ++i) {
    if (kind == 2 || kind == 5) y.active[i] += size * direction.active[i];
    if (i > 0 && (kind == 3 || kind == 5)) y.active_in[i] += size * direction.active_in[i];
    if (i > 0 && (kind == 3 || kind == 5)) y.slack[i] += size * direction.slack[i];
  }
  const bool output_free = output_is_copied(setting.problem) || setting.problem.loss == Loss::squared;
  if (output_free && (kind == 4 || kind == 5)) y.output += size * direction.output;
  return y;
}

// The objective is quadratic, so that central differences with steps of any size are derivatives.
void expect_optimal(Generator& random, const Setting& setting, const Unknowns& x, double tolerance) {
  const double best = objective(setting, x);
  Unknowns direction = x;
  for (int i = 0; i < 60; ++i) {
    for (Layer& layer : direction.layers) {
      layer.weights = normal_matrix(random, layer.weights.rows(), layer.weights.cols());
      layer.bias = normal_matrix(random, layer.bias.size(), 1);
    }
    for (auto* family : {&direction.active, &direction.active_in, &direction.slack}) {
      for (Matrix& part : *family) part = normal_matrix(random, part.rows(), part.cols());
    }
    direction.output = normal_matrix(random, x.output.rows(), x.output.cols());
    const int kind = i % 6;
    const double up = objective(setting, moved(setting, x, direction, 1, kind));
    const double down = objective(setting, moved(setting, x, direction, -1, kind));
    ASSERT_LE(std::abs(up - down), tolerance * (up + down)) << "kind " << kind;
    ASSERT_GE(std::min(up, down), best * (1 - 1e-13)) << "kind " << kind;
  }
}

// The image is A x of the layers and copies in it.
void expect_consistent(const Setting& setting, const Unknowns& x, const Copies& image, double tolerance) {
  const Matrix slack = x.active[0] - first_preactivation(setting, x);
  EXPECT_LE((slack - image.slack[0]).norm(), tolerance * (1 + slack.norm()));
  for (const Layer& layer : x.layers) EXPECT_TRUE(setting.problem.bias || layer.bias.isZero(0));
  for (std::size_t i = 0; i < x.active.size(); ++i) {
    const Matrix block = product_block(setting, x, i);
    const Index samples = setting.problem.samples();
    EXPECT_LE((block.leftCols(samples) - image.block_left[i]).norm(), tolerance * block.norm());
    EXPECT_LE((block.rightCols(block.cols() - samples) - image.block_right[i]).norm(), tolerance * block.norm());
  }
  if (setting.problem.network.output == OutputActivation::linear && setting.problem.loss == Loss::exact) {
    EXPECT_EQ(x.output, setting.problem.targets);
  }
}

void expect_same(const AffineStep& structured, const AffineStep& dense, const Copies& image, const Copies& expected) {
  EXPECT_LE((image.data() - expected.data()).norm(), 1e-10 * expected.data().norm());
  for (std::size_t l = 0; l < structured.layers().size(); ++l) {
    const Layer& a = structured.layers()[l];
    const Layer& b = dense.layers()[l];
    // Where rank-deficient inputs leave the first layer open, both take the weights of least norm.
    EXPECT_LE((a.weights - b.weights).norm(), 1e-9 * (1 + b.weights.norm())) << "layer " << l;
    EXPECT_LE((a.bias - b.bias).norm(), 1e-9 * (1 + b.bias.norm())) << "layer " << l;
  }
}

TEST(AffineStep, BothAreOptimalAndAgree) {
  Generator random(1);
  for (const Case& test : cases()) {
    SCOPED_TRACE(test.name());
    const Setting setting(random, test);
    const Chunks chunks(test.samples);
    const auto structured = make_structured_affine_step(setting.problem, chunks, 1);
    const auto dense = make_dense_affine_step(setting.problem);
    Copies image(setting.problem);
    Copies expected(setting.problem);
    run(*structured, setting, chunks, image);
    run(*dense, setting, chunks, expected);
    expect_consistent(setting, Unknowns(structured->layers(), image), image, 1e-11);
    expect_optimal(random, setting, Unknowns(structured->layers(), image), 1e-11);
    expect_consistent(setting, Unknowns(dense->layers(), expected), expected, 1e-11);
    expect_optimal(random, setting, Unknowns(dense->layers(), expected), 1e-11);
    expect_same(*structured, *dense, image, expected);
    if (HasFailure()) return;
  }
}

TEST(AffineStep, SkipConnectionsAreOptimal) {
  Generator random(5);
  for (const Case& test : skip_cases()) {
    SCOPED_TRACE(test.name());
    const Setting setting(random, test);
    const Chunks chunks(test.samples);
    const auto step = make_structured_affine_step(setting.problem, chunks, 1);
    Copies image(setting.problem);
    run(*step, setting, chunks, image);
    const Unknowns x(step->layers(), image);
    expect_consistent(setting, x, image, 1e-10);
    expect_optimal(random, setting, x, 1e-10);
    for (std::size_t t = 0; t < image.weights.size(); ++t) {
      EXPECT_EQ(image.weights[t], x.layers[static_cast<std::size_t>(test.weight_terms[t].layer) - 1].weights);
    }
    if (HasFailure()) return;
  }
}

// More samples than one block of 128, than one chunk, and no multiple of either.
TEST(AffineStep, SeveralBlocks) {
  Generator random(2);
  for (const Index samples : {128, 129, 300, 9000}) {
    for (const std::vector<Index>& widths : {std::vector<Index>{2, 3, 1}, std::vector<Index>{3, 4, 3, 2}}) {
      const Case test{widths, samples, OutputActivation::relu, Loss::exact, 0.1, 0};
      SCOPED_TRACE(test.name());
      const Setting setting(random, test);
      const Chunks chunks(samples);
      const auto structured = make_structured_affine_step(setting.problem, chunks, 1);
      Copies image(setting.problem);
      run(*structured, setting, chunks, image);
      if (samples < 1000) {
        expect_optimal(random, setting, Unknowns(structured->layers(), image), 1e-11);
      }
      EXPECT_TRUE(image.data().allFinite());
      if (widths.size() == 3 && samples == 300) {
        const auto dense = make_dense_affine_step(setting.problem);
        Copies expected(setting.problem);
        run(*dense, setting, chunks, expected);
        expect_same(*structured, *dense, image, expected);
      }
    }
  }
}

// General V1, V2: the dense step alone.
TEST(AffineStep, GeneralScales) {
  Generator random(3);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{2, 3, 2, 1}}) {
    Setting setting(random, {widths, 12, OutputActivation::linear, Loss::squared, 0.2, 0});
    for (ProductParameters& product : setting.parameters.product) {
      product.left_matrix = normal_matrix(random, product.x.rows(), product.x.rows());
      product.right_matrix = normal_matrix(random, 12, 12);
    }
    const Chunks chunks(12);
    const auto dense = make_dense_affine_step(setting.problem);
    Copies image(setting.problem);
    run(*dense, setting, chunks, image);
    expect_consistent(setting, Unknowns(dense->layers(), image), image, 1e-11);
    expect_optimal(random, setting, Unknowns(dense->layers(), image), 1e-11);
  }
}

// New parameters and penalties replace the old ones entirely.
TEST(AffineStep, PreparesAgain) {
  Generator random(4);
  Setting setting(random, {{3, 4, 2}, 30, OutputActivation::relu, Loss::squared, 0.1, 0});
  const Chunks chunks(30);
  const auto used = make_structured_affine_step(setting.problem, chunks, 1);
  Copies image(setting.problem);
  run(*used, setting, chunks, image);
  setting.parameters = random_parameters(random, setting.problem, 0.5);
  setting.penalties = {2, 5, 0.2};
  run(*used, setting, chunks, image);
  const auto fresh = make_structured_affine_step(setting.problem, chunks, 1);
  Copies expected(setting.problem);
  run(*fresh, setting, chunks, expected);
  EXPECT_EQ(image.data(), expected.data());
}

TEST(AffineStep, DenseRefusesLargeProblems) {
  Generator random(5);
  const Setting setting(random, {{3, 10, 2}, 400, OutputActivation::linear, Loss::exact, 0, 0});
  EXPECT_THROW(make_dense_affine_step(setting.problem), std::invalid_argument);
}

}  // namespace
}  // namespace relufit
