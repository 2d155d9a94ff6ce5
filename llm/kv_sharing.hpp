#pragma once

#include <span>

#include "llm/mapping_cost.hpp"

namespace ouro::llm {

/// Shares out cores to the blocks as KV cores at the least cost for the places that the tiles have.
///
/// Exact: what a KV core costs does not depend on the others, so this is a transportation problem. Each core
/// begins with the block for which it is cheapest; then cores move along shortest ways from blocks that have
/// too many to those that have too few.
///
/// @param placement  of all tiles; the places of KV cores are replaced
/// @param cores      that no tile is on, at least as many as KV cores are needed
void share_out_kv_cores(const TokenFlows& flows, const MappingCost& cost,
                        std::span<const wafer::CoreId> cores, Placement& placement);

}  // namespace ouro::llm
