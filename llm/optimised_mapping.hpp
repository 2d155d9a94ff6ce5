#pragma once

#include "llm/mapping_cost.hpp"
#include "llm/placement_search.hpp"
#include "wafer/faults.hpp"

namespace ouro::llm {

/// A mapping with a small objective, in three steps: one layout for the tiles of a block, searched for a
/// block alone; all blocks onto the wafer with it, repaired where cores are dead or taken, and the KV cores
/// shared out at the least cost for that; then a search over the whole wafer. Begins from `start` where that
/// is better.
///
/// @param start  a mapping of the model onto this wafer
/// @return  of all roles of `flows`; costs no more than `start`
Placement optimise_placement(const TokenFlows& flows, const MappingCost& cost, const wafer::Faults& faults,
                             const Placement& start, const SearchOptions& options);

}  // namespace ouro::llm
