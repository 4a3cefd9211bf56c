/// \file
/// Whether two trainings ended with the same bits.
#pragma once

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "relufit/train.h"
#include "support/io_helpers.h"

namespace relufit::testing_trainings {

using testing_io::same_bits;

inline void expect_same_layers(const std::vector<Layer>& a, const std::vector<Layer>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t l = 0; l < a.size(); ++l) {
    EXPECT_TRUE(same_bits(a[l].weights, b[l].weights)) << l;
    EXPECT_TRUE(same_bits(a[l].bias, b[l].bias)) << l;
  }
}

inline void expect_same_trace(const std::vector<SequenceRecord>& a, const std::vector<SequenceRecord>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(std::tie(a[i].iteration, a[i].inner_iterations), std::tie(b[i].iteration, b[i].inner_iterations));
    EXPECT_EQ(std::tie(a[i].objective, a[i].merit, a[i].loss, a[i].pair, a[i].product, a[i].fit),
              std::tie(b[i].objective, b[i].merit, b[i].loss, b[i].pair, b[i].product, b[i].fit))
        << i;
  }
}

inline void expect_same(const RidgeChoice& a, const RidgeChoice& b) {
  EXPECT_EQ(a.ridge, b.ridge);
  EXPECT_EQ(a.ridges, b.ridges);
  EXPECT_EQ(a.held_out, b.held_out);
  EXPECT_EQ(a.standard_error, b.standard_error);
  EXPECT_EQ(std::tie(a.parts, a.by_validation), std::tie(b.parts, b.by_validation));
}

/// All but seconds.
inline void expect_same(const TrainResult& a, const TrainResult& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.best_start, b.best_start);
  EXPECT_EQ(a.removed_units, b.removed_units);
  expect_same_layers(a.model.network.layers(), b.model.network.layers());
  EXPECT_TRUE(same_bits(a.model.target_scaling.scale, b.model.target_scaling.scale));
  EXPECT_EQ(a.model.training.iterations, b.model.training.iterations);
  EXPECT_EQ(a.model.training.ridge, b.model.training.ridge);
  ASSERT_EQ(a.starts.size(), b.starts.size());
  for (std::size_t i = 0; i < a.starts.size(); ++i) {
    const StartSummary& s = a.starts[i];
    const StartSummary& t = b.starts[i];
    EXPECT_EQ(std::tie(s.status, s.ran, s.value, s.polish_iterations),
              std::tie(t.status, t.ran, t.value, t.polish_iterations));
    EXPECT_EQ(std::tie(s.violations.pair, s.violations.product), std::tie(t.violations.pair, t.violations.product));
    expect_same_trace(s.trace, t.trace);
  }
  ASSERT_EQ(a.ridge_choice.has_value(), b.ridge_choice.has_value());
  if (a.ridge_choice) expect_same(*a.ridge_choice, *b.ridge_choice);
  ASSERT_EQ(a.width_choice.has_value(), b.width_choice.has_value());
  if (a.width_choice) {
    EXPECT_EQ(a.width_choice->widths, b.width_choice->widths);
    EXPECT_EQ(a.width_choice->held_out, b.width_choice->held_out);
    expect_same(a.width_choice->ridge, b.width_choice->ridge);
  }
  ASSERT_EQ(a.grid.has_value(), b.grid.has_value());
  if (a.grid) {
    EXPECT_EQ(a.grid->repaired, b.grid->repaired);
  }
}

}  // namespace relufit::testing_trainings
