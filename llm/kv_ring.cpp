#include "llm/kv_ring.hpp"

namespace ouro::llm {

KvRing::KvRing(const Mapping& mapping, const TiledModel& tiled, const wafer::CoreModel& core,
               KvCrossbars which) {
  for (const auto& block : mapping.blocks) cores_.push_back(block.kv);
  crossbars_.assign(cores_.front().size(), core.crossbars / 2 * 2);
  if (which == KvCrossbars::left_by_weights_too) add_fragments(mapping, tiled, core);
}

void KvRing::add_fragments(const Mapping& mapping, const TiledModel& tiled, const wafer::CoreModel& core) {
  for (std::size_t matrix = 0; matrix < kMatrixCount; ++matrix) {
    const auto& tiles = tiled.block[matrix].tiles;
    for (std::size_t tile = 0; tile < tiles.size(); ++tile) {
      const int free = core.crossbars - crossbars_of(tiles[tile], core);
      if (free < 2) continue;
      ++fragments_;
      crossbars_.push_back(free / 2 * 2);
      for (std::size_t block = 0; block < cores_.size(); ++block)
        cores_[block].push_back(mapping.blocks[block].tiles[matrix][tile]);
    }
  }
}

}  // namespace ouro::llm
