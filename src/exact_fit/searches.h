/// \file
/// The two searches for an exact fit. Problem and options have been checked.
#pragma once

#include "relufit/search.h"

namespace relufit {

/// One hidden layer of ReLUs, by fits of more general models (unit_model.h) and their reduction. See unit_search.cpp.
SearchResult search_units(const LiftedProblem& problem, const SearchOptions& options, const SearchObserver& observer);

/// Any depth and activation, by fits of plain networks. See deep_search.cpp.
SearchResult search_networks(const LiftedProblem& problem, const SearchOptions& options,
                             const SearchObserver& observer);

}  // namespace relufit
