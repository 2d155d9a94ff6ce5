#pragma once

#include <array>
#include <limits>
#include <vector>

#include "llm/core_order.hpp"
#include "llm/tiling.hpp"
#include "wafer/faults.hpp"
#include "wafer/geometry.hpp"

namespace ouro::llm {

/// In a ring: no core has this number any more.
inline constexpr wafer::CoreId kNoCore{std::numeric_limits<wafer::CoreId::Value>::max()};

/// The cores of one transformer block. Tile i of a group is on core i of its list.
struct BlockMapping {
  std::array<std::vector<wafer::CoreId>, kMatrixCount> tiles;
  std::vector<wafer::CoreId> kv;  ///< the ring: as many in every block
};

/// Which core does what. A core that is not listed is spare.
struct Mapping {
  std::vector<BlockMapping> blocks;
  std::vector<wafer::CoreId> lm_head;
};

/// Blocks one after another along a line of all cores, each in the order of the data flow: QKV, KV, O, gate
/// and up, down; the LM head last. KV cores come behind what makes the queries. Dead cores are passed over.
/// The live ones that weights leave free are shared out evenly as KV cores. A block is on one wafer; the
/// first of several get as many as fit, and the LM head is on the last.
///
/// @throws InputError  if there are too few cores; says how many are lacking
Mapping map_along(const std::vector<wafer::CoreId>& order, const wafer::Geometry& geometry,
                  const wafer::Faults& faults, const ModelDescription& model, const TiledModel& tiled);

/// The same along the snake.
Mapping map_in_snake_order(const wafer::Geometry& geometry, const wafer::Faults& faults,
                           const ModelDescription& model, const TiledModel& tiled);

}  // namespace ouro::llm
