/// \file
/// The copies of a hidden layer's units, from which layers are put together (docs/method.md, section 4).
///
/// A unit has the pairs u = (h_1..h_P, s_1..s_P), its argument z = t_p + h_p - s_p for every piece p, and its value
/// b = offset + a'u, a the factors above and below. The layer that makes z has copies of u with the penalty
/// rho (2 I - v v'), v = a / |a|; the product that uses b has one of b with the penalty rho / |a|^2. Together
///
///     1/2 (u - u~)' rho (2 I - v v') (u - u~) + rho / (2 |a|^2) (offset + a'u - b~)^2 = rho ||u - u^||^2 + constant,
///     u^ = u~ + v ((b~ - offset) / |a| - v'u~) / 2,
///
/// so that the pairs separate and their proximal map is that of one pair with the penalty 2 rho. For a given argument z
/// the least penalty of the copies of u, over E u = z 1 - t, E = [I, -I], is  mu/2 (z - z~)^2  plus a constant with
///
///     K = (E (I + v v') E' / 2)^-1,   mu = rho 1'K 1,   z~ = omega'(t + E u~),   omega = K 1 / 1'K 1,
///     u = u~ + L (z 1 - t - E u~),    L = (I + v v') E' K / 2.
///
/// The two arguments of maxout are z = (p +- (h - s)) / sqrt(2), its value b = (p + h + s) / sqrt(2). Copies of p with
/// the penalty rho, of u as above, and of b with 2 rho: the least over p is what a copy of the value b - p~ / sqrt(2)
/// with the penalty rho would give, so the pairs separate as above. With v'E' = 0, mu = rho too, and as (h - s, p) is a
/// rotation of z, the least penalty for given arguments is 1/2 rho ||z - z~||^2.
///
/// A ReLU has v = (1, 0): penalties rho and 2 rho of h and s, rho of b = h, mu = 2/3 rho, L = (2/3, -1/3). The first
/// layer of ReLU networks is treated otherwise: with b = h one copy serves both sides, penalties rho of h and s.
#pragma once

#include "parallel/chunks.h"
#include "subproblem/copies/copies.h"

namespace relufit {

class UnitCopies {
 public:
  explicit UnitCopies(const Activation& activation);

  /// Penalties of the value's copy, of the argument (mu), and on the diagonal those of h and s; all over rho.
  double value_penalty() const { return (has_linear() ? 2 : 1) / (length_ * length_); }
  double argument_penalty() const { return argument_penalty_; }
  double active_penalty() const { return 2 - direction_(0) * direction_(0); }
  double slack_penalty() const { return 2 - direction_(pieces()) * direction_(pieces()); }

  /// h, s = the pairs u^ for copies of u, p and b, the columns being samples. `linear` has no rows but for maxout.
  template <class Pairs, class Values, class Out>
  void merge(const Pairs& active, const Pairs& slack, const Pairs& linear, const Values& values, Out&& h,
             Out&& s) const {
    const Index rows = values.rows();
    for (Index j = 0; j < values.cols(); ++j) {
      for (Index i = 0; i < rows; ++i) {
        double gap = (values(i, j) - lift_.offset) / length_;
        if (has_linear()) gap -= lift_.linear * linear(i, j);
        for (Index p = 0; p < pieces(); ++p) {
          gap -= direction_(p) * active(p * rows + i, j) + direction_(pieces() + p) * slack(p * rows + i, j);
        }
        for (Index p = 0; p < pieces(); ++p) {
          h(p * rows + i, j) = active(p * rows + i, j) + 0.5 * gap * direction_(p);
          s(p * rows + i, j) = slack(p * rows + i, j) + 0.5 * gap * direction_(pieces() + p);
        }
      }
    }
  }

  /// maxout: p at least penalty for the pairs and for copies of p and b.
  template <class Pairs, class Part, class Out>
  void merge_linear(const Pairs& h, const Pairs& s, const Part& linear, const Part& values, Out&& p) const {
    p = 0.5 * (linear + values / lift_.linear - (h + s));
  }

  /// values = offset + a'u + linear p.
  template <class Pairs, class Part, class Values>
  void evaluate(const Pairs& h, const Pairs& s, const Part& linear, Values&& values) const {
    const Index rows = values.rows();
    values.setConstant(lift_.offset);
    for (Index p = 0; p < pieces(); ++p) {
      const ActivationPiece& piece = lift_.pieces[static_cast<std::size_t>(p)];
      if (piece.above != 0) values += piece.above * h.middleRows(p * rows, rows);
      if (piece.below != 0) values += piece.below * s.middleRows(p * rows, rows);
    }
    if (has_linear()) values += lift_.linear * linear;
  }

  /// sum += factor z~
  template <class Pairs, class Sum>
  void add_arguments(const Pairs& active, const Pairs& slack, const Pairs& linear, double factor, Sum&& sum) const {
    if (has_linear()) {
      const double share = factor * lift_.linear;
      sum.topRows(linear.rows()) += share * (linear + active - slack);
      sum.bottomRows(linear.rows()) += share * (linear - active + slack);
      return;
    }
    const Index rows = sum.rows();
    for (Index p = 0; p < pieces(); ++p) {
      sum += (factor * shares_(p)) * (active.middleRows(p * rows, rows) - slack.middleRows(p * rows, rows));
      sum.array() += factor * shares_(p) * thresholds_(p);
    }
  }

  /// h, s, p = the pairs u and p for these copies and the arguments z.
  template <class Pairs, class Arguments, class Out>
  void follow(const Pairs& active, const Pairs& slack, const Arguments& arguments, Out&& h, Out&& s, Out&& p) const {
    h = active;
    s = slack;
    if (has_linear()) {
      const auto first = arguments.topRows(p.rows());
      const auto second = arguments.bottomRows(p.rows());
      p = lift_.linear * (first - second) - active + slack;  // what h - s lacks, for now
      h += 0.5 * p;
      s -= 0.5 * p;
      p = lift_.linear * (first + second);
      return;
    }
    const Index rows = arguments.rows();
    for (Index q = 0; q < pieces(); ++q) {
      const auto gap = (arguments.array() - thresholds_(q)).matrix() - active.middleRows(q * rows, rows) +
                       slack.middleRows(q * rows, rows);
      for (Index r = 0; r < pieces(); ++r) {
        h.middleRows(r * rows, rows) += response_(r, q) * gap;
        s.middleRows(r * rows, rows) += response_(pieces() + r, q) * gap;
      }
    }
  }

 private:
  Index pieces() const { return thresholds_.size(); }
  bool has_linear() const { return lift_.linear != 0; }

  ActivationLift lift_;
  double length_ = 1;  // |a|
  double argument_penalty_ = 0;
  Vector direction_;            // v
  Vector thresholds_, shares_;  // t, omega
  Matrix response_;             // L
};

}  // namespace relufit
