/// \file
/// Random matrices, networks, problems and parameters shared by the tests. Every test owns its generator and its seed.
#pragma once

#include <cmath>
#include <random>
#include <vector>

#include "relufit/relaxation.h"

namespace relufit::testing_random {

using Generator = std::mt19937_64;

inline double normal(Generator& random) { return std::normal_distribution<double>()(random); }

inline double uniform(Generator& random, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(random);
}

/// 10^e, e uniform in [low, high].
inline double log_uniform(Generator& random, double low, double high) {
  return std::pow(10.0, uniform(random, low, high));
}

inline Matrix normal_matrix(Generator& random, Index rows, Index cols, double size = 1.0) {
  return Matrix::NullaryExpr(rows, cols, [&] { return size * normal(random); });
}

inline Matrix uniform_matrix(Generator& random, Index rows, Index cols, double low, double high) {
  return Matrix::NullaryExpr(rows, cols, [&] { return uniform(random, low, high); });
}

inline std::vector<Layer> random_layers(Generator& random, const std::vector<Index>& widths, double weight_size = 0.5,
                                        double bias_size = 0.1, bool skip_connections = false,
                                        const Activation& activation = Activation::relu) {
  std::vector<Layer> layers;
  for (const auto [rows, columns] : Architecture{widths, {}, activation, skip_connections}.layers()) {
    layers.push_back({normal_matrix(random, rows, columns, weight_size), normal_matrix(random, rows, 1, bias_size)});
  }
  return layers;
}

/// Targets that the loss is defined for: normal, of the given size; 0 or 1; one class in each column, or in every third
/// probabilities of classes.
inline Matrix random_targets(Generator& random, const Loss& loss, Index rows, Index samples, double size = 1) {
  if (!is_for_classes(loss)) return normal_matrix(random, rows, samples, size);
  Matrix targets = uniform_matrix(random, rows, samples, 0, 1).array().round();
  if (loss != Loss::cross_entropy) return targets;
  targets.setZero();
  for (Index j = 0; j < samples; ++j) {
    if (j % 3 == 2) {
      targets.col(j) = uniform_matrix(random, rows, 1, 0, 1);
      targets.col(j) /= targets.col(j).sum();
    } else {
      targets(static_cast<Index>(uniform(random, 0, static_cast<double>(rows) - 1e-9)), j) = 1;
    }
  }
  return targets;
}

/// A problem whose targets are a random network's own outputs, and that network.
struct TeacherProblem {
  LiftedProblem problem;
  std::vector<Layer> layers;
};

inline TeacherProblem teacher_problem(Generator& random, const std::vector<Index>& widths, Index samples,
                                      OutputActivation output, Loss loss = Loss::exact, double ridge = 0,
                                      bool skip_connections = false) {
  TeacherProblem result;
  result.layers = random_layers(random, widths, 0.5, 0.1, skip_connections);
  LiftedProblem& problem = result.problem;
  problem.network.skip_connections = skip_connections;
  problem.inputs = normal_matrix(random, widths.front(), samples);
  problem.targets = Matrix::Zero(widths.back(), samples);
  problem.network.widths = widths;
  problem.network.output = output;
  problem.loss = loss;
  problem.ridge = ridge;
  problem.targets = lift_network(problem, result.layers).output;
  if (output == OutputActivation::relu) problem.targets = problem.targets.cwiseMax(0.0).eval();
  return result;
}

/// Parameters unrelated to any point, entries of the given size, scales between 1/2 and 2.
inline RelaxationParameters random_parameters(Generator& random, const LiftedProblem& problem, double size = 1.0) {
  RelaxationParameters parameters = parameters_at(zero_point(problem));
  for (PairParameters& pair : parameters.pair) {
    pair.x = normal_matrix(random, pair.x.rows(), pair.x.cols(), size);
    pair.y = normal_matrix(random, pair.y.rows(), pair.y.cols(), size);
    pair.scale = uniform_matrix(random, pair.x.rows(), pair.x.cols(), 0.5, 2.0);
  }
  for (std::size_t l = 0; l < parameters.product.size(); ++l) {
    ProductParameters& product = parameters.product[l];
    product.x = normal_matrix(random, product.x.rows(), product.x.cols(), size);
    product.y = normal_matrix(random, problem.network.widths[l + 1], problem.samples(), size);
    product.left_scale = uniform(random, 0.5, 2.0);
    product.right_scale = uniform(random, 0.5, 2.0);
  }
  return parameters;
}

/// A point that satisfies nothing; H and S are nonnegative.
inline LiftedPoint random_point(Generator& random, const LiftedProblem& problem) {
  LiftedPoint point = zero_point(problem);
  point.layers = random_layers(random, problem.network.widths, 1.0, 1.0, problem.network.skip_connections,
                               problem.network.activation);
  for (Matrix& part : point.linear) part = normal_matrix(random, part.rows(), part.cols());
  for (std::size_t l = 0; l < point.active.size(); ++l) {
    point.active[l] = normal_matrix(random, point.active[l].rows(), problem.samples()).cwiseAbs();
    point.slack[l] = normal_matrix(random, point.slack[l].rows(), problem.samples()).cwiseAbs();
  }
  point.output = normal_matrix(random, problem.network.outputs(), problem.samples());
  return point;
}

}  // namespace relufit::testing_random
