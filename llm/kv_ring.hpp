#pragma once

#include <vector>

#include "llm/mapping.hpp"
#include "llm/tiling.hpp"
#include "wafer/core_model.hpp"

namespace ouro::llm {

/// Which crossbars of a block are in attention mode.
enum class KvCrossbars {
  of_kv_cores,         ///< those of the cores that have no weights
  left_by_weights_too  ///< and those that tiles leave free on their cores
};

/// The cores of each block that hold KV, as many in every block and alike at the same place of the ring: the
/// KV cores, then the weight cores with crossbars that their tiles leave free.
///
/// A crossbar is in one mode, so one that a tile fills in part is not free; and K and V lie in crossbars
/// apart, so a core holds KV in an even number of them.
///
/// Source: docs/design.md, 6.
class KvRing {
 public:
  KvRing(const Mapping& mapping, const TiledModel& tiled, const wafer::CoreModel& core, KvCrossbars which);

  const std::vector<wafer::CoreId>& cores(int block) const { return cores_[static_cast<std::size_t>(block)]; }
  /// Of the core at a place of the ring, those in attention mode.
  int crossbars(int place) const { return crossbars_[static_cast<std::size_t>(place)]; }
  int places() const { return static_cast<int>(crossbars_.size()); }
  /// Places of weight cores: the last ones.
  int fragments() const { return fragments_; }

 private:
  void add_fragments(const Mapping& mapping, const TiledModel& tiled, const wafer::CoreModel& core);

  std::vector<std::vector<wafer::CoreId>> cores_;  // by block
  std::vector<int> crossbars_;                     // by place
  int fragments_ = 0;
};

}  // namespace ouro::llm
