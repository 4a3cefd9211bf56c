#include "relufit/sdp_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <tuple>

#include "export/affine_expression.h"
#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "relufit/files.h"

namespace relufit {

namespace {

/// The semidefinite program while it grows.
class Program {
 public:
  /// A new variable and its entry in c.
  Expression variable(double cost = 0) {
    costs_.push_back(cost);
    return Expression::variable(static_cast<Index>(costs_.size()));
  }

  Index variables() const { return static_cast<Index>(costs_.size()); }

  void comment(const std::string& line) { comments_.push_back(line); }

  void add_to_offset(double value) { offset_ += value; }
  double offset() const { return offset_; }

  /// Starts a semidefinite block; returns its number.
  Index block(Index order) {
    orders_.push_back(order);
    return static_cast<Index>(orders_.size()) + 1;
  }

  /// Sets entry (row, col), row <= col, counted from 0, of a block.
  void set(Index block, Index row, Index col, Expression value) {
    value.merge();
    if (value.constant() != 0) entries_.push_back({0, block, row, col, -value.constant()});
    for (const auto& term : value.terms()) entries_.push_back({term.variable, block, row, col, term.factor});
  }

  void require_nonnegative(const Expression& value) {
    set(1, nonnegative_, nonnegative_, value);
    ++nonnegative_;
  }

  /// t >= value^2, for an objective of weight * t.
  void add_square(const Expression& value, double weight) {
    const Index number = block(2);
    set(number, 0, 0, variable(weight));
    set(number, 0, 1, value);
    set(number, 1, 1, Expression(1.0));
  }

  /// weight * ||m||_*, by one block.
  void add_nuclear_norm(const Expressions& m, double weight) {
    const Index number = block(m.rows() + m.cols());
    add_symmetric(number, 0, symmetric(m.rows(), weight / 2));
    add_symmetric(number, m.rows(), symmetric(m.cols(), weight / 2));
    for (Index j = 0; j < m.cols(); ++j) {
      for (Index i = 0; i < m.rows(); ++i) set(number, i, m.rows() + j, m(i, j));
    }
  }

  /// The same by one block per column.
  void add_split_nuclear_norm(const Expressions& m, double weight) {
    const Expressions shared = symmetric(m.rows(), weight / 2);
    for (Index j = 0; j < m.cols(); ++j) {
      const Index number = block(m.rows() + 1);
      add_symmetric(number, 0, shared);
      for (Index i = 0; i < m.rows(); ++i) set(number, i, m.rows(), m(i, j));
      set(number, m.rows(), m.rows(), variable(weight / 2));
    }
  }

  std::string text() {
    // CSDP reads matrices fastest in order.
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.matrix, a.block, a.row, a.col) < std::tie(b.matrix, b.block, b.row, b.col);
    });
    fmt::memory_buffer buffer;
    const auto out = std::back_inserter(buffer);
    for (const std::string& line : comments_) fmt::format_to(out, "* {}\n", line);
    fmt::format_to(out, "* offset {}\n", offset_);
    fmt::format_to(out, "{}\n{}\n{}", costs_.size(), orders_.size() + 1, -nonnegative_);
    for (const Index order : orders_) fmt::format_to(out, " {}", order);
    fmt::format_to(out, "\n{}\n", fmt::join(costs_, " "));
    for (const Entry& e : entries_) {
      fmt::format_to(out, "{} {} {} {} {}\n", e.matrix, e.block, e.row + 1, e.col + 1, e.value);
    }
    return fmt::to_string(buffer);
  }

 private:
  struct Entry {
    Index matrix, block, row, col;
    double value;
  };

  /// A symmetric matrix of new variables, those of the diagonal with a cost.
  Expressions symmetric(Index order, double cost) {
    Expressions matrix(order, order);
    for (Index j = 0; j < order; ++j) {
      for (Index i = 0; i <= j; ++i) matrix(i, j) = variable(i == j ? cost : 0.0);
    }
    return matrix;
  }

  void add_symmetric(Index number, Index begin, const Expressions& matrix) {
    for (Index j = 0; j < matrix.cols(); ++j) {
      for (Index i = 0; i <= j; ++i) set(number, begin + i, begin + j, matrix(i, j));
    }
  }

  std::vector<double> costs_;
  std::vector<Index> orders_;  // of the semidefinite blocks, which are numbered from 2
  std::vector<Entry> entries_;
  std::vector<std::string> comments_;
  Index nonnegative_ = 0;  // order of the diagonal block, number 1
  double offset_ = 0;
};

/// Builds the program of one subproblem.
class Builder {
 public:
  Builder(const LiftedProblem& problem, const RelaxationParameters& parameters, const RelaxationWeights& weights,
          const SdpOptions& options)
      : problem_(problem), parameters_(parameters), weights_(weights), options_(options) {}

  SdpProgram build() {
    program_.comment("relufit: one convex subproblem. Its objective is the optimum of this program + offset.");
    add_layers();
    add_hidden();
    add_output();
    add_ridge();
    for (std::size_t l = 0; l < active_.size(); ++l) add_pairs(l);
    for (std::size_t l = 0; l < active_.size(); ++l) add_product(l);
    SdpProgram result;
    result.text = program_.text();
    result.offset = program_.offset();
    result.variables = program_.variables();
    return result;
  }

 private:
  /// Creates a variable for every entry that `is_unknown(row, col)`; the others are 0.
  template <class IsUnknown>
  Expressions unknowns(const std::string& name, Index rows, Index cols, IsUnknown&& is_unknown) {
    Expressions matrix(rows, cols);
    const Index before = program_.variables();
    for (Index j = 0; j < cols; ++j) {
      for (Index i = 0; i < rows; ++i) {
        if (is_unknown(i, j)) matrix(i, j) = program_.variable();
      }
    }
    const Index count = program_.variables() - before;
    if (count == 0) return matrix;
    program_.comment(fmt::format("variables {}..{}: {} ({} x {}), column by column{}", before + 1, before + count, name,
                                 rows, cols, count < rows * cols ? ", without fixed entries" : ""));
    return matrix;
  }
  Expressions unknowns(const std::string& name, Index rows, Index cols) {
    return unknowns(name, rows, cols, [](Index, Index) { return true; });
  }

  /// Whether the weights of an input are determined: all are with a ridge, else those of a basis of the inputs' row
  /// space (less the constant, which a bias takes).
  std::vector<bool> determined_inputs() const {
    const Matrix& inputs = problem_.inputs;
    std::vector<bool> determined(static_cast<std::size_t>(inputs.rows()), problem_.ridge > 0);
    if (problem_.ridge > 0) return determined;
    Matrix centered = inputs;
    if (problem_.bias) centered.colwise() -= inputs.rowwise().mean();
    Eigen::ColPivHouseholderQR<Matrix> qr(centered.transpose());
    const double smallest = 1e-12 * std::max(inputs.norm(), 1e-300);
    for (Index i = 0; i < std::min(centered.rows(), centered.cols()); ++i) {
      if (!(std::abs(qr.matrixR()(i, i)) > smallest)) break;
      determined[static_cast<std::size_t>(qr.colsPermutation().indices()(i))] = true;
    }
    return determined;
  }

  /// Whether some target of an output asks for a positive value. If none does, its bias is fixed (see the header);
  /// without biases every output is as one for which it does.
  bool is_driven(Index output) const {
    return problem_.network.output == OutputActivation::linear || !problem_.bias ||
           problem_.targets.row(output).maxCoeff() > 0;
  }

  void add_layers() {
    const auto& n = problem_.network.widths;
    const std::vector<bool> determined = determined_inputs();
    for (std::size_t l = 1; l < n.size(); ++l) {
      const bool last = l + 1 == n.size();
      layer_weights_.push_back(unknowns(fmt::format("W_{}", l), n[l], n[l - 1], [&](Index, Index j) {
        return l > 1 || determined[static_cast<std::size_t>(j)];
      }));
      biases_.push_back(unknowns(fmt::format("b_{}", l), n[l], 1,
                                 [&](Index i, Index) { return problem_.bias && (!last || is_driven(i)); }));
    }
  }

  void add_hidden() {
    const auto& n = problem_.network.widths;
    const Index samples = problem_.samples();
    for (std::size_t l = 1; l + 1 < n.size(); ++l) active_.push_back(unknowns(fmt::format("H_{}", l), n[l], samples));
    Expressions first = active_[0];
    first.add(layer_weights_[0] * problem_.inputs, -1.0);
    first.add_to_columns(biases_[0], -1.0);
    slack_.push_back(std::move(first));
    for (std::size_t l = 2; l + 1 < n.size(); ++l) slack_.push_back(unknowns(fmt::format("S_{}", l), n[l], samples));
    for (const auto* family : {&active_, &slack_}) {
      for (const Expressions& part : *family) {
        for (Index j = 0; j < part.cols(); ++j) {
          for (Index i = 0; i < part.rows(); ++i) program_.require_nonnegative(part(i, j));
        }
      }
    }
  }

  void add_output() {
    const Matrix& targets = problem_.targets;
    const bool exact = problem_.loss == Loss::exact;
    const bool relu = problem_.network.output == OutputActivation::relu;
    output_ = unknowns("Z", targets.rows(), targets.cols(),
                       [&](Index i, Index j) { return !exact || (relu && !(targets(i, j) > 0)); });
    for (Index j = 0; j < targets.cols(); ++j) {
      for (Index i = 0; i < targets.rows(); ++i) {
        const double y = targets(i, j);
        Expression& z = output_(i, j);
        if (z.terms().empty()) {
          z = Expression(y);
        } else if (!is_driven(i)) {
          if (!exact) program_.add_to_offset(0.5 * y * y);  // Z <= 0 costs nothing, see the header
        } else if (exact) {
          require_at_most_zero(z);
        } else {
          add_loss(z, y);
        }
      }
    }
  }

  void require_at_most_zero(const Expression& value) {
    Expression negative;
    negative.add(value, -1.0);
    program_.require_nonnegative(negative);
  }

  /// 1/2 (z - y)^2, or for a ReLU output and y <= 0: 1/2 (p - y)^2 with p >= max(z, 0), tight at the optimum.
  void add_loss(const Expression& z, double y) {
    Expression error = z;
    if (problem_.network.output == OutputActivation::relu && !(y > 0)) {
      error = program_.variable();
      program_.require_nonnegative(error);
      Expression excess = error;
      excess.add(z, -1.0);
      program_.require_nonnegative(excess);
    }
    error.add(Expression(y), -1.0);
    program_.add_square(error, 0.5);
  }

  void add_ridge() {
    if (problem_.ridge == 0) return;
    for (const Expressions& part : layer_weights_) {
      for (Index j = 0; j < part.cols(); ++j) {
        for (Index i = 0; i < part.rows(); ++i) program_.add_square(part(i, j), problem_.ridge / 2);
      }
    }
  }

  /// Complementarities of layer l + 1: [w^2 (h y + x s + x y), w (h + x); w (s + y), 1].
  void add_pairs(std::size_t l) {
    const PairParameters& pair = parameters_.pair[l];
    const Matrix& x = pair.x;
    const Matrix& y = pair.y;
    for (Index j = 0; j < x.cols(); ++j) {
      for (Index i = 0; i < x.rows(); ++i) {
        const double w = pair.scale_at(i, j);
        Expressions block(2, 2);
        block(0, 0).add(active_[l](i, j), w * w * y(i, j));
        block(0, 0).add(slack_[l](i, j), w * w * x(i, j));
        block(0, 0).add(Expression(x(i, j) * y(i, j)), w * w);
        block(0, 1).add(active_[l](i, j), w);
        block(0, 1).add(Expression(x(i, j)), w);
        block(1, 0).add(slack_[l](i, j), w);
        block(1, 0).add(Expression(y(i, j)), w);
        block(1, 1) = Expression(1.0);
        program_.add_nuclear_norm(block, weights_.pair);
      }
    }
    program_.add_to_offset(-weights_.pair * static_cast<double>(x.size()));
  }

  /// The product of layer l + 2: [V1 (C + W Y + X H + X Y) V2, V1 (W + X); (H + Y) V2, I].
  void add_product(std::size_t l) {
    const ProductParameters& product = parameters_.product[l];
    const Index rows = product.x.rows();
    const Index inner = product.x.cols();
    const Matrix& y = parameters_.values(l);
    const Index samples = y.cols();
    Expressions upper = l + 1 < active_.size() ? active_[l + 1] : output_;
    if (l + 1 < active_.size()) upper.add(slack_[l + 1], -1.0);
    upper.add_to_columns(biases_[l + 1], -1.0);
    upper.add(layer_weights_[l + 1] * y, 1.0);
    upper.add(product.x * active_[l], 1.0);
    upper.add(Expressions(product.x * y), 1.0);
    Expressions right = layer_weights_[l + 1];
    right.add(Expressions(product.x), 1.0);
    Expressions lower = active_[l];
    lower.add(Expressions(y), 1.0);

    upper = product.left() * upper * product.right(samples);
    right = product.left() * right;
    lower = lower * product.right(samples);
    Expressions block(rows + inner, samples + inner);
    const auto place = [&](const Expressions& part, Index row, Index col) {
      for (Index j = 0; j < part.cols(); ++j) {
        for (Index i = 0; i < part.rows(); ++i) block(row + i, col + j) = part(i, j);
      }
    };
    place(upper, 0, 0);
    place(right, 0, samples);
    place(lower, rows, 0);
    place(Expressions(Matrix::Identity(inner, inner)), rows, samples);
    if (options_.split_products) {
      program_.add_split_nuclear_norm(block, weights_.product);
    } else {
      program_.add_nuclear_norm(block, weights_.product);
    }
    program_.add_to_offset(-weights_.product * static_cast<double>(inner));
  }

  const LiftedProblem& problem_;
  const RelaxationParameters& parameters_;
  const RelaxationWeights& weights_;
  const SdpOptions& options_;
  Program program_;
  std::vector<Expressions> layer_weights_, biases_, active_, slack_;
  Expressions output_{0, 0};
};

void require_positive(double value, const char* name) {
  if (!(std::isfinite(value) && value > 0)) {
    throw std::invalid_argument(fmt::format("{}: {}, expected a number > 0", name, value));
  }
}

}  // namespace

SdpProgram sdp_program(const LiftedProblem& problem, const RelaxationParameters& parameters,
                       const RelaxationWeights& weights, const SdpOptions& options) {
  check(problem);
  if (!problem.weight_terms.empty()) {
    throw std::invalid_argument("weight_terms: constraints or regularizers on weights, the export expects none");
  }
  if (problem.network.activation != Activation::relu) {
    throw std::invalid_argument(
        fmt::format("activation: {}, the export expects relu", to_string(problem.network.activation)));
  }
  if (problem.network.skip_connections) throw std::invalid_argument("skip connections: the export expects none");
  check(parameters, problem);
  if (problem.network.hidden_layers() == 0)
    throw std::invalid_argument("widths: no hidden layer, the export expects one");
  if ((problem.loss != Loss::exact && problem.loss != Loss::squared) || problem.sample_weights.size() > 0) {
    throw std::invalid_argument(
        fmt::format("loss: {}{}, expected exact or squared without sample weights for the export",
                    to_string(problem.loss), problem.sample_weights.size() > 0 ? " with sample weights" : ""));
  }
  require_positive(weights.pair, "weights.pair");
  require_positive(weights.product, "weights.product");
  return Builder(problem, parameters, weights, options).build();
}

void export_sdp(const LiftedProblem& problem, const RelaxationParameters& parameters, const RelaxationWeights& weights,
                const std::string& path, const SdpOptions& options) {
  write_file(path, sdp_program(problem, parameters, weights, options).text);
}

}  // namespace relufit
