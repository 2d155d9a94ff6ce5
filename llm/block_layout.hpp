#pragma once

#include <span>
#include <vector>

#include "llm/mapping_cost.hpp"
#include "llm/placement_search.hpp"

namespace ouro::llm {

/// Where the tiles of a block lie, seen from their middle: one solution that all blocks can share.
using BlockLayout = std::vector<wafer::Coordinate>;

/// Searches a layout for one block alone, on the cores nearest to the middle of the wafer's middle die, with
/// its KV cores around the tiles.
BlockLayout find_block_layout(const TokenFlows& flows, const MappingCost& cost, const SearchOptions& options);

/// Puts the tiles of all blocks onto the wafer, block after block: each as near as it fits to the middle of
/// the cores that it has in `placement`, as the layout is or mirrored, where that costs least. A tile whose
/// core is dead or taken goes to the nearest free one. The LM head goes to the free cores around the last
/// block.
///
/// @param live  cores that may be used
/// @param placement  in: of all roles; out: of the tiles, the rest is as it was
void place_blocks(const TokenFlows& flows, const MappingCost& cost, const BlockLayout& layout,
                  std::span<const wafer::CoreId> live, Placement& placement);

}  // namespace ouro::llm
