/// \file
/// Trainings of every kind on small data.
#pragma once

#include <functional>
#include <ostream>
#include <utility>
#include <vector>

#include "relufit/teacher.h"
#include "relufit/train.h"
#include "support/named_data.h"
#include "support/random.h"

namespace relufit::testing_trainings {

using testing_data::dataset;
using testing_random::Generator;
using testing_random::normal_matrix;

inline Dataset smooth_data(Index samples = 30, Index outputs = 1) {
  Generator random(5);
  const Matrix inputs = normal_matrix(random, 2, samples);
  Matrix targets(outputs, samples);
  for (Index i = 0; i < outputs; ++i) {
    targets.row(i) = (inputs.row(0) * (1 + static_cast<double>(i))).array().sin() + inputs.row(1).array().abs();
  }
  targets += normal_matrix(random, outputs, samples, 0.1);
  return dataset(inputs, targets);
}

inline Dataset teacher_data() {
  const Teacher teacher = make_teacher({3, 3, 2}, OutputActivation::linear, 30, 42);
  return dataset(teacher.inputs, teacher.targets);
}

/// Of which fits show the first layer before they find the second.
inline Dataset deep_teacher_data() {
  const Teacher teacher = make_teacher({2, 3, 2, 1}, OutputActivation::linear, 40, 52);
  return dataset(teacher.inputs, teacher.targets);
}

/// A sum of ReLUs, which output weights of 1 fit.
inline Dataset sum_data() {
  Generator random(3);
  const Matrix inputs = normal_matrix(random, 3, 60);
  const Matrix units = normal_matrix(random, 4, 3) * inputs;
  return dataset(inputs, units.cwiseMax(0).colwise().sum());
}

inline Dataset class_data(Link link = Link::softmax) {
  Dataset data = smooth_data(40);
  std::vector<Index> classes;
  for (Index i = 0; i < data.samples(); ++i) classes.push_back(data.targets(0, i) > 1 ? 2 : data.targets(0, i) > 0);
  data.classification = {"y", {"a", "b", "c"}, link};
  data.targets = class_targets(data.classification, classes);
  data.target_names = output_names(data.classification);
  return data;
}

struct Case {
  const char* name;
  Dataset data;
  TrainOptions options;
};

inline std::ostream& operator<<(std::ostream& stream, const Case& test) { return stream << test.name; }

/// A relaxation alone, and not to its end.
inline Case sequence(const char* name, Strategy strategy, Index inner_iterations, Index iterations) {
  Case test{name, smooth_data(), {.hidden = {3}}};
  test.options.ridge = 0.01;
  test.options.polish = false;
  test.options.strategy = strategy;
  test.options.inner_iterations = inner_iterations;
  test.options.iterations = iterations;
  test.options.record_interval = 2;
  return test;
}

inline Case changed(Case test, const char* name, const std::function<void(TrainOptions&)>& change) {
  test.name = name;
  change(test.options);
  return test;
}

inline std::vector<Case> sequences() {
  const Case usual = sequence("inexact", Strategy::inexact, 5, 30);
  std::vector<Case> cases = {
      usual,
      sequence("converged", Strategy::converged, 0, 3),
      sequence("extrapolated", Strategy::extrapolated, 0, 4),
      sequence("continuation", Strategy::continuation, 5, 30),
      sequence("reweighted", Strategy::reweighted, 0, 4),
      sequence("safeguarded", Strategy::safeguarded, 0, 6),
      sequence("safeguarded, refusing", Strategy::safeguarded, 1, 40),  // its problems being unsolved
      sequence("projection", Strategy::projection, 1, 40),
      sequence("one inner iteration", Strategy::inexact, 1, 40),
      sequence("many inner iterations", Strategy::inexact, 35, 6),
      changed(usual, "two layers",
              [](TrainOptions& o) {
                o.hidden = {3, 2};
              }),
      changed(usual, "linear", [](TrainOptions& o) { o.hidden = {}; }),
      changed(usual, "skip connections",
              [](TrainOptions& o) {
                o.hidden = {3, 2};
                o.skip_connections = true;
              }),
      changed(usual, "maxout", [](TrainOptions& o) { o.activation = Activation::maxout; }),
      changed(usual, "hard tanh", [](TrainOptions& o) { o.activation = Activation::hard_tanh; }),
      changed(usual, "absolute loss", [](TrainOptions& o) { o.loss = Loss::absolute; }),
      changed(usual, "exact loss",
              [](TrainOptions& o) {
                o.loss = Loss::exact;
                o.ridge.reset();
                o.method = Method::relaxation;
              }),
      changed(usual, "zero start", [](TrainOptions& o) { o.init = ZeroStart{}; }),
      changed(usual, "no bias", [](TrainOptions& o) { o.bias = false; }),
      changed(usual, "regularizers",
              [](TrainOptions& o) {
                o.lasso = 0.01;
                o.group_lasso = 0.01;
                o.nuclear = 0.01;
              }),
      changed(usual, "threads over samples", [](TrainOptions& o) { o.threads = 3; }),
  };
  cases.push_back(changed(cases[5], "safeguarded, skipping", [](TrainOptions& o) {
    o.hidden = {2, 2};
    o.skip_connections = true;
    o.activation = Activation::maxout;
    o.iterations = 2;
  }));
  return cases;
}

inline Case whole(const char* name, const std::function<void(TrainOptions&)>& change = {},
                  Dataset data = smooth_data()) {
  Case test{name, std::move(data), {.hidden = {3}}};
  if (change) change(test.options);
  return test;
}

inline Constraints monotone() {
  Constraints constraints;
  constraints.monotone = {{"u0", "y0", true}};
  return constraints;
}

inline Constraints bounded() {
  Constraints constraints;
  constraints.outputs = {{{{"y0", 1}}, Vector::Constant(1, -0.5), Vector::Constant(1, 1), {}, false}};
  return constraints;
}

inline std::vector<Case> trainings() {
  return {
      whole("defaults"),
      whole("given ridge", [](TrainOptions& o) { o.ridge = 0.003; }),
      whole("no ridge",
            [](TrainOptions& o) {
              o.ridge = 0;
              o.iterations = 20;
            }),
      whole("large ridge", [](TrainOptions& o) { o.ridge = 2; }),
      whole("starts",
            [](TrainOptions& o) {
              o.ridge = 0.003;
              o.starts = 3;
            }),
      whole("starts in threads",
            [](TrainOptions& o) {
              o.starts = 3;
              o.threads = 3;
              o.ridge = 0.003;
            }),
      whole("folds in threads", [](TrainOptions& o) { o.threads = 4; }),
      whole(
          "width",
          [](TrainOptions& o) {
            o.hidden = {};
            o.automatic_width = true;
            o.folds = 2;
            o.ridge = 0.03;
          },
          smooth_data(16)),
      whole("validation",
            [](TrainOptions& o) {
              o.validation = smooth_data(12);
              o.starts = 2;
            }),
      whole(
          "classes", [](TrainOptions& o) { o.loss = Loss::cross_entropy; }, class_data()),
      whole(
          "hinge",
          [](TrainOptions& o) {
            o.loss = Loss::hinge;
            o.ridge = 0.01;
            o.iterations = 20;
          },
          class_data(Link::none)),
      whole("race under bounds",
            [](TrainOptions& o) {
              o.constraints = monotone();
              o.candidates = 4;
              o.ridge = 0.01;
            }),
      whole("race under norms",
            [](TrainOptions& o) {
              o.constraints.lipschitz = 0.7;
              o.candidates = 4;
              o.ridge = 0.01;
              o.threads = 2;
            }),
      whole("constraints and ridge",
            [](TrainOptions& o) {
              o.constraints = monotone();
              o.candidates = 2;
              o.folds = 2;
            }),
      whole("output bounds",
            [](TrainOptions& o) {
              o.constraints = bounded();
              o.ridge = 0.01;
              o.iterations = 20;
            }),
      whole("regularized",
            [](TrainOptions& o) {
              o.group_lasso = 0.05;
              o.iterations = 15;
              o.folds = 2;
            }),
      whole("weight grid",
            [](TrainOptions& o) {
              o.ridge = 0.01;
              o.weight_grid = 0.25;
            }),
      whole("absolute loss",
            [](TrainOptions& o) {
              o.loss = Loss::absolute;
              o.ridge = 0.01;
              o.iterations = 20;
            }),
      whole(
          "exact race",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.method = Method::relaxation;
            o.candidates = 6;
            o.iterations = 60;
          },
          teacher_data()),
      whole(
          "search",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.hidden = {1};  // which is soon out of patience
            o.iterations = 100;
          },
          teacher_data()),
      whole(
          "search, three layers",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.hidden = {2, 2, 2};  // which fit nothing exactly
            o.iterations = 12;
          },
          teacher_data()),
      whole(
          "search that learns a layer",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.hidden = {3, 2};
            o.iterations = 300;
          },
          deep_teacher_data()),
      whole(
          "search that finds",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.starts = 2;
          },
          teacher_data()),
      whole(
          "fixed output",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.hidden = {4};
            o.fixed_output = Matrix::Ones(1, 4);
            o.iterations = 600;
            o.tolerance = 1e-300;
          },
          sum_data()),
  };
}

}  // namespace relufit::testing_trainings
