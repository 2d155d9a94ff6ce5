#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "llm/mapping.hpp"
#include "llm/model.hpp"
#include "llm/tiling.hpp"

namespace ouro::llm {

/// What a token's bytes are on their way for, as the paper's objective tells them apart.
enum class Volume : std::uint8_t {
  output,  ///< a vector for the tiles of a group of matrices, and residuals
  reduce,  ///< 32-bit partial sums within a group
  gather   ///< a group's outputs on their way to where they are collected
};
inline constexpr std::size_t kVolumes = 3;
inline constexpr std::string_view kVolumeNames[kVolumes] = {"output", "reduce", "gather"};

/// Something that has one core: a tile, or a place in the ring of KV cores.
using Role = std::uint32_t;

/// Bytes that a token moves from one role to another.
struct Flow {
  Role from = 0;
  Role to = 0;
  std::int64_t parts = 0;  ///< of a byte, as many to a byte as its graph says
  Volume volume = Volume::output;
};

/// Roles, numbered from 0, and what a token moves between them.
struct FlowGraph {
  std::size_t roles = 0;
  std::size_t fixed = 0;  ///< so many roles at the end have their place already and take no core
  std::int64_t parts_of_byte = 1;
  std::vector<Flow> flows;

  std::size_t movable() const { return roles - fixed; }
};

/// The core of each role.
using Placement = std::vector<wafer::CoreId>;

/// The traffic of a token between the cores of a model, whatever these cores are.
///
/// Multicasts count as if sent to each tile on its own, as in the paper's objective; credits, and parts of
/// heads that lie on several KV cores, are left out. A head is on each KV core of its block equally often.
///
/// The roles of block 0 come first (its tiles in the order of Matrix, then its KV cores), then those of the
/// next block, then the LM head's tiles, at last the host.
class TokenFlows {
 public:
  /// @param kv_cores  of a block
  TokenFlows(const ModelDescription& model, const TiledModel& tiled, int kv_cores);

  const FlowGraph& graph() const { return graph_; }
  int blocks() const { return blocks_; }
  int kv_cores() const { return kv_cores_; }

  Role tile(int block, Matrix matrix, std::size_t index) const;
  Role kv(int block, std::size_t index) const;
  Role lm_head(std::size_t index) const;
  Role host() const { return static_cast<Role>(graph_.roles - 1); }
  Role roles_of_block() const { return roles_of_block_; }
  /// Roles of tiles in a block: the first ones.
  Role tiles_of_block() const { return roles_of_block_ - static_cast<Role>(kv_cores_); }
  Role lm_head_tiles() const { return lm_head_tiles_; }

  /// What moves within one block: its roles, numbered from 0.
  FlowGraph within_block() const;

  Placement placement(const Mapping& mapping, wafer::CoreId host) const;
  Mapping mapping(std::span<const wafer::CoreId> placement) const;

 private:
  void add(Role from, Role to, std::int64_t parts, Volume volume);
  void add_group(const TiledGroup& group, Role first);
  void add_block(const ModelDescription& model, const TiledModel& tiled, int block);
  void add_lm_head(const TiledGroup& group);

  int blocks_;
  int kv_cores_;
  std::array<Role, kMatrixCount> first_tile_{};  // in a block
  std::array<std::size_t, kMatrixCount> tiles_{};
  Role roles_of_block_ = 0;
  Role lm_head_tiles_ = 0;
  FlowGraph graph_;
};

}  // namespace ouro::llm
