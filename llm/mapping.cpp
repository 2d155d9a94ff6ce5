#include "llm/mapping.hpp"

#include <fmt/format.h>

#include "engine/error.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;

/// Hands out cores along a line.
class CoreLine {
 public:
  explicit CoreLine(std::vector<CoreId> cores) : cores_{std::move(cores)} {}

  std::vector<CoreId> take(std::size_t count) {
    const auto begin = cores_.begin() + static_cast<std::ptrdiff_t>(taken_);
    taken_ += count;
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

 private:
  std::vector<CoreId> cores_;
  std::size_t taken_ = 0;
};

std::size_t weight_cores_of_block(const TiledModel& tiled) {
  std::size_t cores = 0;
  for (const auto& group : tiled.block) cores += group.tiles.size();
  return cores;
}

}  // namespace

std::vector<CoreId> snake_order(const wafer::Geometry& geometry) {
  std::vector<CoreId> order;
  order.reserve(static_cast<std::size_t>(geometry.cores()));
  for (int die_row = 0; die_row < geometry.die_rows; ++die_row) {
    const bool eastward = die_row % 2 == 0;
    for (int i = 0; i < geometry.columns(); ++i) {
      const int x = eastward ? i : geometry.columns() - 1 - i;
      const bool southward = i % 2 == 0;
      for (int j = 0; j < geometry.core_rows; ++j) {
        const int y = southward ? j : geometry.core_rows - 1 - j;
        order.push_back(geometry.core_at({x, die_row * geometry.core_rows + y}));
      }
    }
  }
  return order;
}

Mapping map_in_snake_order(const wafer::Geometry& geometry, const wafer::Faults& faults,
                           const ModelDescription& model, const TiledModel& tiled) {
  const auto blocks = static_cast<std::size_t>(model.layers);
  const auto weights = weight_cores_of_block(tiled) * blocks + tiled.lm_head.tiles.size();
  const auto needed = weights + blocks;  // a KV core for each block at least
  auto order = snake_order(geometry);
  std::erase_if(order, [&](CoreId core) { return faults.core_is_dead(core); });
  const auto cores = order.size();
  if (needed > cores) {
    const auto dead =
        faults.dead_cores() == 0 ? std::string{} : fmt::format(" and {} dead ones", faults.dead_cores());
    throw engine::InputError{
        "model " + model.name,
        fmt::format("needs {} cores for weights, LM head and a KV core for each block, and the "
                    "wafer has {}{}: it lacks {}",
                    needed, cores, dead, needed - cores),
        "a smaller model or a larger wafer fits"};
  }
  const auto kv_cores = (cores - weights) / blocks;
  CoreLine line{std::move(order)};
  Mapping mapping;
  for (std::size_t b = 0; b < blocks; ++b) {
    auto& block = mapping.blocks.emplace_back();
    for (std::size_t m = 0; m < kMatrixCount; ++m) {
      block.tiles[m] = line.take(tiled.block[m].tiles.size());
      if (static_cast<Matrix>(m) == Matrix::qkv) block.kv = line.take(kv_cores);
    }
  }
  mapping.lm_head = line.take(tiled.lm_head.tiles.size());
  return mapping;
}

}  // namespace ouro::llm
