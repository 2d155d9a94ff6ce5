#include "llm/token_flows.hpp"

#include <algorithm>
#include <iterator>

namespace ouro::llm {
namespace {

std::int64_t bytes_of(const Tile& tile) {
  std::int64_t bytes = 0;
  for (const auto& slice : tile.slices) bytes += slice.bytes;
  return bytes;
}

}  // namespace

TokenFlows::TokenFlows(const ModelDescription& model, const TiledModel& tiled, int kv_cores)
    : blocks_{model.layers},
      kv_cores_{kv_cores},
      lm_head_tiles_{static_cast<Role>(tiled.lm_head.tiles.size())} {
  for (std::size_t m = 0; m < kMatrixCount; ++m) {
    first_tile_[m] = roles_of_block_;
    tiles_[m] = tiled.block[m].tiles.size();
    roles_of_block_ += static_cast<Role>(tiles_[m]);
  }
  roles_of_block_ += static_cast<Role>(kv_cores);
  graph_ = {.roles = static_cast<std::size_t>(blocks_) * roles_of_block_ + lm_head_tiles_ + 1,
            .fixed = 1,
            .parts_of_byte = kv_cores,
            .flows = {}};
  add(host(), tile(0, Matrix::qkv, 0), std::int64_t{model.hidden_size} * kv_cores, Volume::output);
  for (int block = 0; block < blocks_; ++block) add_block(model, tiled, block);
  add_lm_head(tiled.lm_head);
}

Role TokenFlows::tile(int block, Matrix matrix, std::size_t index) const {
  return static_cast<Role>(block) * roles_of_block_ + first_tile_[static_cast<std::size_t>(matrix)] +
         static_cast<Role>(index);
}

Role TokenFlows::kv(int block, std::size_t index) const {
  return static_cast<Role>(block) * roles_of_block_ + tiles_of_block() + static_cast<Role>(index);
}

Role TokenFlows::lm_head(std::size_t index) const {
  return static_cast<Role>(blocks_) * roles_of_block_ + static_cast<Role>(index);
}

void TokenFlows::add(Role from, Role to, std::int64_t parts, Volume volume) {
  if (from != to && parts > 0) graph_.flows.push_back({from, to, parts, volume});
}

/// The first tile's core multicasts the group's input; a strip that goes on on the next core sends it sums.
void TokenFlows::add_group(const TiledGroup& group, Role first) {
  const auto tiles = static_cast<Role>(group.tiles.size());
  for (Role i = 0; i < tiles; ++i) {
    add(first, first + i, group.rows * kv_cores_, Volume::output);
    add(first + i, first + i + 1, 4 * std::int64_t{group.tiles[i].partial_columns} * kv_cores_,
        Volume::reduce);
  }
}

void TokenFlows::add_block(const ModelDescription& model, const TiledModel& tiled, int block) {
  const bool last = block + 1 == blocks_;
  const Role next_block = last ? lm_head(0) : tile(block + 1, Matrix::qkv, 0);
  const auto gather = [&](Matrix matrix, Role to) {
    const auto& tiles = tiled.block[static_cast<std::size_t>(matrix)].tiles;
    for (std::size_t i = 0; i < tiles.size(); ++i)
      add(tile(block, matrix, i), to, bytes_of(tiles[i]) * kv_cores_, Volume::gather);
  };
  for (std::size_t m = 0; m < kMatrixCount; ++m)
    add_group(tiled.block[m], tile(block, static_cast<Matrix>(m), 0));
  for (std::size_t j = 0; j < static_cast<std::size_t>(kv_cores_); ++j) {
    const auto& tiles = tiled.block[static_cast<std::size_t>(Matrix::qkv)].tiles;
    for (std::size_t i = 0; i < tiles.size(); ++i)
      add(tile(block, Matrix::qkv, i), kv(block, j), bytes_of(tiles[i]), Volume::gather);
    add(kv(block, j), tile(block, Matrix::output, 0), query_width(model), Volume::gather);
  }
  gather(Matrix::output, tile(block, Matrix::gate_up, 0));
  gather(Matrix::gate_up, tile(block, Matrix::down, 0));
  gather(Matrix::down, next_block);
  const auto residual = std::int64_t{model.hidden_size} * kv_cores_;
  add(tile(block, Matrix::qkv, 0), tile(block, Matrix::gate_up, 0), residual, Volume::output);
  add(tile(block, Matrix::gate_up, 0), next_block, residual, Volume::output);
}

void TokenFlows::add_lm_head(const TiledGroup& group) {
  add_group(group, lm_head(0));
  for (std::size_t i = 0; i < group.tiles.size(); ++i)
    add(lm_head(i), host(), bytes_of(group.tiles[i]) * kv_cores_, Volume::gather);
}

FlowGraph TokenFlows::within_block() const {
  FlowGraph block{.roles = roles_of_block_, .fixed = 0, .parts_of_byte = graph_.parts_of_byte, .flows = {}};
  std::copy_if(graph_.flows.begin(), graph_.flows.end(), std::back_inserter(block.flows),
               [this](const Flow& flow) { return flow.from < roles_of_block_ && flow.to < roles_of_block_; });
  return block;
}

Placement TokenFlows::placement(const Mapping& mapping, wafer::CoreId host) const {
  Placement cores;
  cores.reserve(graph_.roles);
  for (const auto& block : mapping.blocks) {
    for (const auto& tiles : block.tiles) cores.insert(cores.end(), tiles.begin(), tiles.end());
    cores.insert(cores.end(), block.kv.begin(), block.kv.end());
  }
  cores.insert(cores.end(), mapping.lm_head.begin(), mapping.lm_head.end());
  cores.push_back(host);
  return cores;
}

Mapping TokenFlows::mapping(std::span<const wafer::CoreId> placement) const {
  auto at = placement.begin();
  const auto take = [&](std::size_t count) {
    const auto begin = at;
    at += static_cast<std::ptrdiff_t>(count);
    return std::vector<wafer::CoreId>(begin, at);
  };
  Mapping mapping;
  for (int b = 0; b < blocks_; ++b) {
    auto& block = mapping.blocks.emplace_back();
    for (std::size_t m = 0; m < kMatrixCount; ++m) block.tiles[m] = take(tiles_[m]);
    block.kv = take(static_cast<std::size_t>(kv_cores_));
  }
  mapping.lm_head = take(lm_head_tiles_);
  return mapping;
}

}  // namespace ouro::llm
