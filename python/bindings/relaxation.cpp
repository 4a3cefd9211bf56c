#include "relufit/relaxation.h"

#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>

#include <array>
#include <utility>

#include "arrays.h"
#include "bindings.h"
#include "interruptible.h"
#include "relufit/sequence.h"
#include "relufit/subproblem.h"
#include "subproblem/proximal/pair_prox.h"
#include "subproblem/proximal/rank_block_prox.h"

namespace relufit::python {

namespace {

using namespace nanobind::literals;

std::vector<Matrix> sample_list(nb::sequence values, const std::string& name) {
  std::vector<Matrix> result;
  for (nb::handle value : values) result.push_back(samples_from(value, fmt::format("{}[{}]", name, result.size())));
  return result;
}

nb::list view_list(const std::vector<Matrix>& matrices, nb::handle owner) {
  nb::list result;
  for (const Matrix& matrix : matrices) result.append(view_samples(matrix, owner));
  return result;
}

LiftedProblem make_problem(nb::handle inputs, nb::handle targets, const std::vector<Index>& hidden,
                           const std::string& output_activation, const std::string& loss, double loss_parameter,
                           double ridge, bool bias, nb::handle sample_weights, const std::string& activation,
                           std::optional<double> activation_parameter, bool skip_connections) {
  LiftedProblem problem;
  problem.network.skip_connections = skip_connections;
  problem.network.activation = activation_from(activation, activation_parameter);
  problem.inputs = samples_from(inputs, "inputs");
  problem.targets = samples_from(targets, "targets");
  problem.network.widths = {problem.inputs.rows()};
  problem.network.widths.insert(problem.network.widths.end(), hidden.begin(), hidden.end());
  problem.network.widths.push_back(problem.targets.rows());
  problem.network.output = output_activation_from(output_activation);
  problem.loss = loss_from(loss, loss_parameter);
  problem.ridge = ridge;
  problem.bias = bias;
  if (!sample_weights.is_none()) problem.sample_weights = vector_from(sample_weights, "sample_weights");
  check(problem);
  return problem;
}

/// The library takes points of the right shapes for granted.
void check_point(const LiftedPoint& expected, const LiftedPoint& point) {
  const auto same = [](const Matrix& a, const Matrix& b) { return a.rows() == b.rows() && a.cols() == b.cols(); };
  bool fits = point.layers.size() == expected.layers.size() && point.active.size() == expected.active.size() &&
              point.slack.size() == expected.slack.size() && same(point.output, expected.output) &&
              point.activation == expected.activation && same(point.skipped, expected.skipped) &&
              point.linear.size() == expected.linear.size();
  for (std::size_t l = 0; fits && l < expected.layers.size(); ++l) {
    fits = same(point.layers[l].weights, expected.layers[l].weights) &&
           point.layers[l].bias.size() == expected.layers[l].bias.size();
  }
  for (std::size_t l = 0; fits && l < expected.active.size(); ++l) {
    fits = same(point.active[l], expected.active[l]) && same(point.slack[l], expected.slack[l]) &&
           (expected.linear.empty() || same(point.linear[l], expected.linear[l]));
  }
  if (fits) return;
  throw std::invalid_argument(
      fmt::format("point: its shapes or its activation do not fit the problem, expected {} samples, {} outputs and {}",
                  expected.output.cols(), expected.output.rows(), to_string(expected.activation)));
}

LiftedPoint lifted(const LiftedProblem& problem, nb::sequence layers) {
  const Network network = network_of(problem, layers_from(layers));
  if (network.widths() != problem.network.widths) {
    throw std::invalid_argument(fmt::format("layers: widths {}, expected {}", fmt::join(network.widths(), "-"),
                                            fmt::join(problem.network.widths, "-")));
  }
  return lift_network(problem, network.layers());
}

void bind_problem(nb::module_& module) {
  nb::class_<LiftedProblem>(module, "LiftedProblem",
                            "The training problem on data as they are (docs/method.md, section 1).")
      .def(
          "__init__",
          [](LiftedProblem* self, nb::handle inputs, nb::handle targets, const std::vector<Index>& hidden,
             const std::string& output_activation, const std::string& loss, double loss_parameter, double ridge,
             bool bias, nb::handle sample_weights, const std::string& activation,
             std::optional<double> activation_parameter, bool skip_connections) {
            new (self)
                LiftedProblem(make_problem(inputs, targets, hidden, output_activation, loss, loss_parameter, ridge,
                                           bias, sample_weights, activation, activation_parameter, skip_connections));
          },
          "inputs"_a, "targets"_a, "hidden"_a, "output_activation"_a = "linear", "loss"_a = "exact",
          "loss_parameter"_a = 0.0, "ridge"_a = 0.0, "bias"_a = true, "sample_weights"_a = nb::none(),
          "activation"_a = "relu", "activation_parameter"_a = nb::none(), "skip_connections"_a = false,
          "Inputs (samples, n_0), targets (samples, n_L), units of the hidden layers. Losses are 'exact', 'squared',\n"
          "'absolute', 'huber' and 'quantile' (with a parameter), 'logistic', 'hinge' and 'cross-entropy'; the ridge\n"
          "adds ridge / 2 * the sum of squared weights; sample_weights (samples,) weigh the loss. Activations and\n"
          "skip connections are those of a Model.")
      .def_prop_ro("inputs", [](nb::handle self) { return view_samples(nb::cast<LiftedProblem&>(self).inputs, self); })
      .def_prop_ro("targets",
                   [](nb::handle self) { return view_samples(nb::cast<LiftedProblem&>(self).targets, self); })
      .def_prop_ro(
          "widths", [](const LiftedProblem& p) { return p.network.widths; }, "n_0, hidden layers, n_L.")
      .def_prop_ro("output_activation", [](const LiftedProblem& p) { return to_string(p.network.output); })
      .def_prop_ro("activation", [](const LiftedProblem& p) { return to_string(p.network.activation); })
      .def_prop_ro("loss", [](const LiftedProblem& p) { return to_string(p.loss); })
      .def_ro("bias", &LiftedProblem::bias)
      .def_ro("ridge", &LiftedProblem::ridge);
}

void bind_point(nb::module_& module) {
  nb::class_<LiftedPoint>(module, "LiftedPoint", "A value of every unknown; nothing is implied about feasibility.")
      .def(
          "__init__",
          [](LiftedPoint* self, nb::sequence layers, nb::sequence active, nb::sequence slack, nb::handle output,
             const std::string& activation, std::optional<double> activation_parameter, nb::handle skipped,
             nb::sequence linear) {
            new (self) LiftedPoint{layers_from(layers),
                                   sample_list(active, "active"),
                                   sample_list(slack, "slack"),
                                   samples_from(output, "output"),
                                   activation_from(activation, activation_parameter),
                                   skipped.is_none() ? Matrix() : samples_from(skipped, "skipped"),
                                   sample_list(linear, "linear")};
          },
          "layers"_a, "active"_a, "slack"_a, "output"_a, "activation"_a = "relu", "activation_parameter"_a = nb::none(),
          "skipped"_a = nb::none(), "linear"_a = nb::list(),
          "`skipped`: with skip connections the inputs (samples, n_0). `linear`: with maxout P_l, (samples, n_l), of "
          "the\n"
          "hidden layers.")
      .def_prop_ro(
          "layers", [](nb::handle self) { return view_layers(nb::cast<LiftedPoint&>(self).layers, self); },
          "Pairs (W_l, b_l), l = 1..L.")
      .def_prop_ro(
          "active", [](nb::handle self) { return view_list(nb::cast<LiftedPoint&>(self).active, self); },
          "H_l, (samples, pieces n_l), of the hidden layers; with ReLUs one piece.")
      .def_prop_ro(
          "slack", [](nb::handle self) { return view_list(nb::cast<LiftedPoint&>(self).slack, self); },
          "S_l, likewise.")
      .def_prop_ro(
          "linear", [](nb::handle self) { return view_list(nb::cast<LiftedPoint&>(self).linear, self); },
          "P_l, (samples, n_l), with maxout; else empty.")
      .def_prop_ro(
          "output", [](nb::handle self) { return view_samples(nb::cast<LiftedPoint&>(self).output, self); },
          "Z, (samples, n_L).");
  module.def("zero_point", &zero_point, "problem"_a, "All unknowns zero.");
  module.def("lift_network", &lifted, "problem"_a, "layers"_a,
             "The values of a network with layers (weights, bias) on the problem's inputs.");
  module.def(
      "violations",
      [](const LiftedProblem& problem, const LiftedPoint& point) {
        check_point(zero_point(problem), point);
        return violations(problem, point);
      },
      "problem"_a, "point"_a, "How far a point is from the constraints, as largest absolute entries.");
}

nb::object matrix_or_none(const Matrix& matrix, nb::handle owner) {
  return matrix.size() > 0 ? nb::cast(view(matrix, owner)) : nb::none();
}

/// With an entry for what the library does not write out.
RelaxationParameters written_out(RelaxationParameters parameters) {
  for (std::size_t l = 0; l < parameters.pair.size(); ++l) {
    PairParameters& pair = parameters.pair[l];
    pair.scale = Matrix::Constant(pair.x.rows(), pair.x.cols(), pair.scale_at(0, 0));
    parameters.product[l].y = parameters.values(l);
  }
  return parameters;
}

void bind_parameters(nb::module_& module) {
  nb::class_<PairParameters>(module, "PairParameters",
                             "x, y, scale of one hidden layer, (samples, n_l) each; scale > 0.")
      .def(
          "__init__",
          [](PairParameters* self, nb::handle x, nb::handle y, nb::handle scale) {
            new (self) PairParameters{samples_from(x, "x"), samples_from(y, "y"), samples_from(scale, "scale")};
          },
          "x"_a, "y"_a, "scale"_a)
      .def_prop_ro("x", [](nb::handle s) { return view_samples(nb::cast<PairParameters&>(s).x, s); })
      .def_prop_ro("y", [](nb::handle s) { return view_samples(nb::cast<PairParameters&>(s).y, s); })
      .def_prop_ro("scale", [](nb::handle s) { return view_samples(nb::cast<PairParameters&>(s).scale, s); });
  nb::class_<ProductParameters>(module, "ProductParameters",
                                "X (n_l, n_{l-1}), Y (samples, n_{l-1}) and scales V1, V2 of one product.")
      .def(
          "__init__",
          [](ProductParameters* self, nb::handle x, nb::handle y, double left_scale, double right_scale,
             nb::handle left_matrix, nb::handle right_matrix) {
            new (self) ProductParameters{matrix_from(x, "x"), samples_from(y, "y"), left_scale, right_scale, {}, {}};
            if (!left_matrix.is_none()) self->left_matrix = matrix_from(left_matrix, "left_matrix");
            if (!right_matrix.is_none()) self->right_matrix = matrix_from(right_matrix, "right_matrix");
          },
          "x"_a, "y"_a, "left_scale"_a = 1.0, "right_scale"_a = 1.0, "left_matrix"_a = nb::none(),
          "right_matrix"_a = nb::none(),
          "V1 = left_scale I and V2 = right_scale I, or general matrices (both or none).")
      .def_prop_ro("x", [](nb::handle self) { return view(nb::cast<ProductParameters&>(self).x, self); })
      .def_prop_ro("y", [](nb::handle self) { return view_samples(nb::cast<ProductParameters&>(self).y, self); })
      .def_ro("left_scale", &ProductParameters::left_scale)
      .def_ro("right_scale", &ProductParameters::right_scale)
      .def_prop_ro("left_matrix",
                   [](nb::handle self) { return matrix_or_none(nb::cast<ProductParameters&>(self).left_matrix, self); })
      .def_prop_ro("right_matrix", [](nb::handle self) {
        return matrix_or_none(nb::cast<ProductParameters&>(self).right_matrix, self);
      });
  nb::class_<RelaxationParameters>(module, "RelaxationParameters", "Parameters of all rank blocks.")
      .def(nb::init<std::vector<PairParameters>, std::vector<ProductParameters>>(), "pair"_a, "product"_a)
      .def_ro("pair", &RelaxationParameters::pair, "Of the hidden layers.")
      .def_ro("product", &RelaxationParameters::product, "Of the layers from the second on.");
  module.def(
      "parameters_at", [](const LiftedPoint& point) { return written_out(parameters_at(point)); }, "point"_a,
      "X = -A, Y = -B at a point, unit scales.");
  module.def(
      "random_parameters",
      [](const LiftedProblem& problem, double scale, unsigned long long seed) {
        return written_out(random_parameters(problem, scale, seed));
      },
      "problem"_a, "scale"_a = 0.05, "seed"_a = 0, "Those of a random guess with standard deviation `scale`.");
}

void bind_definitions(nb::module_& module) {
  module.def(
      "rank_block",
      [](nb::handle a, nb::handle b, nb::handle c, nb::handle p, nb::handle x, nb::handle y, nb::handle v1,
         nb::handle v2) {
        return to_matrix(rank_block(matrix_from(a, "a"), matrix_from(b, "b"), matrix_from(c, "c"), matrix_from(p, "p"),
                                    matrix_from(x, "x"), matrix_from(y, "y"), matrix_from(v1, "v1"),
                                    matrix_from(v2, "v2")));
      },
      "a"_a, "b"_a, "c"_a, "p"_a, "x"_a, "y"_a, "v1"_a, "v2"_a,
      "M = [V1 (C + A P Y + X P B + X P Y) V2, V1 (A + X) P; P (B + Y) V2, P], whose rank is that of P where\n"
      "A P B = C. Matrices are as in the formula.");
  module.def(
      "nuclear_norm", [](nb::handle matrix) { return nuclear_norm(matrix_from(matrix, "matrix")); }, "matrix"_a,
      "Sum of singular values.");
  module.def(
      "relaxation_objective",
      [](const LiftedProblem& problem, const RelaxationParameters& parameters, const LiftedPoint& point,
         double lambda_pair, double lambda_product) {
        check(parameters, problem);
        check_point(zero_point(problem), point);
        return relaxation_objective(problem, parameters, {lambda_pair, lambda_product}, point);
      },
      "problem"_a, "parameters"_a, "point"_a, "lambda_pair"_a = 1.1, "lambda_product"_a = 10.0,
      "loss + ridge + sum of lambda (||M||_* - ||P||_*) at a point, from its definition.");
  module.def(
      "exact_penalty",
      [](const LiftedProblem& problem, const LiftedPoint& point, double lambda_pair, double lambda_product,
         double pair_scale, double left_scale, double right_scale) {
        check_point(zero_point(problem), point);
        return exact_penalty(problem, {lambda_pair, lambda_product}, {pair_scale, left_scale, right_scale}, point);
      },
      "problem"_a, "point"_a, "lambda_pair"_a = 1.1, "lambda_product"_a = 10.0, "pair_scale"_a = 1.0,
      "left_scale"_a = 1.0, "right_scale"_a = 1.0,
      "loss + ridge + the violations, weighted: what the relaxation majorizes while its scales are small enough.");
}

void bind_proximal_maps(nb::module_& module) {
  module.def(
      "prox_relu_pairs",
      [](nb::handle h, nb::handle s, nb::handle x, nb::handle y, nb::handle w, double step) {
        const Samples hs(h, "h"), ss(s, "s"), xs(x, "x"), ys(y, "y"), ws(w, "w");
        const auto first = hs.columns();
        for (const auto& [other, name] : {std::pair{&ss, "s"}, {&xs, "x"}, {&ys, "y"}, {&ws, "w"}}) {
          if (other->columns().rows() != first.rows() || other->columns().cols() != first.cols()) {
            throw std::invalid_argument(fmt::format("{}: expected the shape of h", name));
          }
        }
        if (!(step > 0)) throw std::invalid_argument(fmt::format("step: {}, expected a number > 0", step));
        if (!(ws.columns().array() > 0).all()) throw std::invalid_argument("w: expected values > 0");
        Matrix h_out(first.rows(), first.cols()), s_out(first.rows(), first.cols());
        prox_relu_pairs(first.size(), step, first.data(), ss.columns().data(), xs.columns().data(), ys.columns().data(),
                        ws.columns().data(), h_out.data(), s_out.data());
        return nb::make_tuple(to_samples(std::move(h_out)), to_samples(std::move(s_out)));
      },
      "h"_a, "s"_a, "x"_a, "y"_a, "w"_a, "step"_a,
      nb::sig("def prox_relu_pairs(h: numpy.typing.ArrayLike, s: numpy.typing.ArrayLike, x: numpy.typing.ArrayLike, "
              "y: numpy.typing.ArrayLike, w: numpy.typing.ArrayLike, step: float) -> tuple[numpy.ndarray, "
              "numpy.ndarray]"),
      "Proximal map of step * ||M(h, s)||_* with h, s >= 0, for every entry of arrays of two dimensions and equal\n"
      "shape: (h, s).");
  module.def(
      "singular_value_threshold",
      [](nb::handle matrix, double tau) {
        if (!(tau > 0)) throw std::invalid_argument(fmt::format("tau: {}, expected a number > 0", tau));
        const Matrix m = matrix_from(matrix, "matrix");
        if (m.size() == 0) throw std::invalid_argument("matrix: empty, expected at least one value");
        ThresholdMap map(m.rows());
        if (!map.set_from_gram(m * m.transpose(), tau)) map.set_from_block(m, Matrix(m.rows(), 0), tau);
        return to_matrix(map.matrix() * m);
      },
      "matrix"_a, "tau"_a, "Proximal map of tau ||.||_*: singular values shrunk by tau. For matrices wider than high.");
}

void bind_solver(nb::module_& module) {
  nb::class_<SubproblemResult>(module, "SubproblemResult", "How a solve ended.")
      .def_prop_ro(
          "status", [](const SubproblemResult& r) { return to_string(r.status); },
          "'converged', 'iteration limit' or 'interrupted'.")
      .def_ro("iterations", &SubproblemResult::iterations)
      .def_ro("primal_residual", &SubproblemResult::primal_residual)
      .def_ro("dual_residual", &SubproblemResult::dual_residual);
  nb::class_<SubproblemSolver>(
      module, "SubproblemSolver",
      "Solves convex subproblems on the same data, each warm-started from the one before (docs/method.md, section 4).")
      .def(
          "__init__",
          [](SubproblemSolver* self, const LiftedProblem& problem, double lambda_pair, double lambda_product,
             std::array<double, 3> penalties, int threads) {
            new (self) SubproblemSolver(problem, {lambda_pair, lambda_product},
                                        {penalties[0], penalties[1], penalties[2]}, threads);
          },
          nb::keep_alive<1, 2>(), "problem"_a, "lambda_pair"_a = 1.1, "lambda_product"_a = 10.0,
          "penalties"_a = std::array{10.0, 30.0, 10.0}, "threads"_a = 1,
          "Weights lambda of pairs and products, penalties rho of pairs, products and outputs.")
      .def("set_parameters", &SubproblemSolver::set_parameters, "parameters"_a,
           "Sets X, Y and scales; iterates and multipliers stay.")
      .def(
          "set_point",
          [](SubproblemSolver& self, const LiftedPoint& point) {
            check_point(self.point(), point);
            self.set_point(point);
          },
          "point"_a, "Starts from a point with zero multipliers (after set_parameters).")
      .def(
          "solve",
          [](SubproblemSolver& self, double tolerance, Index max_iterations, double over_relaxation,
             bool adapt_penalties, bool accelerate, bool project_pairs) {
            Interruptible computation;
            SubproblemOptions options;
            options.tolerance = tolerance;
            options.max_iterations = max_iterations;
            options.over_relaxation = over_relaxation;
            options.adapt_penalties = adapt_penalties;
            options.accelerate = accelerate;
            options.project_pairs = project_pairs;
            options.should_stop = [&] { return computation.should_stop(); };
            SubproblemResult result;
            computation.run([&] { result = self.solve(options); });
            return result;
          },
          nb::kw_only(), "tolerance"_a = 1e-8, "max_iterations"_a = 20000, "over_relaxation"_a = 1.6,
          "adapt_penalties"_a = true, "accelerate"_a = true, "project_pairs"_a = false,
          "Iterates until both residuals are at most the tolerance (0: all iterations), or at the limit; Ctrl-C ends\n"
          "it with the status 'interrupted'.")
      .def_prop_ro(
          "point", [](const SubproblemSolver& s) { return LiftedPoint(s.point()); }, "The current unknowns (a copy).");
}

}  // namespace

void bind_relaxation(nb::module_& module) {
  bind_problem(module);
  bind_point(module);
  bind_parameters(module);
  bind_definitions(module);
  bind_proximal_maps(module);
  bind_solver(module);
}

}  // namespace relufit::python
