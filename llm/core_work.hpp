#pragma once

#include <algorithm>
#include <cstdint>

#include "llm/tiling.hpp"
#include "wafer/core_model.hpp"

// What a core takes for each part of a token's work, and what of it costs energy: docs/design.md, 6. The same
// at any fidelity.

namespace ouro::llm {

/// Operations of a special function unit.
struct SfuWork {
  engine::Duration time{};
  std::int64_t special = 0;
  std::int64_t simple = 0;

  /// One after the other.
  SfuWork& operator+=(const SfuWork& other) {
    time += other.time;
    special += other.special;
    simple += other.simple;
    return *this;
  }
};

inline SfuWork residual_work(const wafer::CoreModel& core, std::int64_t elements) {
  return {core.sfu(elements), 0, elements};
}

/// RMSNorm: square and add, then scale by 1 / root and by the weights. LayerNorm: add; subtract the mean,
/// square and add; scale by 1 / root, by the weights, and add the biases.
inline SfuWork norm_work(const wafer::CoreModel& core, std::int64_t elements, Norm norm) {
  if (norm == Norm::layer) return {3 * core.sfu(elements), 3, 7 * elements};
  return {2 * core.sfu(elements), 2, 4 * elements};
}

/// Softmax of the logits (maximum; exponentials and sum; scaling), then the largest one again and again.
inline SfuWork routing_work(const wafer::CoreModel& core, const Experts& experts) {
  const std::int64_t routed = experts.routed;
  return {(3 + experts.per_token) * core.sfu(routed), routed + 1, (3 + experts.per_token) * routed};
}

/// Puts the outputs of a token's experts together: those of the routed ones scaled by their shares, all
/// added.
inline SfuWork combining_work(const wafer::CoreModel& core, std::int64_t elements, const Experts& experts) {
  const std::int64_t operations = 2 * experts.per_token + experts.shared - 1;
  return {operations * core.sfu(elements), 0, operations * elements};
}

/// Adds to 32-bit sums: those of a strip that began on the core before, or biases.
inline SfuWork sums_work(const wafer::CoreModel& core, std::int64_t columns) {
  return {core.sfu(columns), 0, columns};
}

/// x / (1 + exp(-x)) as SiLU: exponential and division; an addition, a product. GELU is the same of 1.702 x,
/// ReLU a comparison. A gated output is one more product.
///
/// Source of GELU's approximation: D. Hendrycks and K. Gimpel, arXiv 1606.08415, section 2.
inline SfuWork activation_work(const wafer::CoreModel& core, std::int64_t outputs, Activation activation,
                               bool gated) {
  const std::int64_t product = gated ? outputs : 0;
  if (activation == Activation::relu) return {(gated ? 2 : 1) * core.sfu(outputs), 0, outputs + product};
  const std::int64_t scaling = activation == Activation::gelu ? outputs : 0;
  return {2 * core.sfu(outputs), 2 * outputs, 2 * outputs + scaling + product};
}

/// Attention of one KV head.
struct HeadShape {
  std::int64_t queries = 1;  ///< query heads of the KV head
  std::int64_t key_dim = 128;
  std::int64_t value_dim = 128;

  /// K blocks, and V blocks, that the tokens of a page take: beside each other, for these rows and columns.
  int key_blocks(const wafer::CoreModel& core) const {
    return static_cast<int>((key_dim + core.kv_block_rows - 1) / core.kv_block_rows);
  }
  int value_blocks(const wafer::CoreModel& core) const {
    return static_cast<int>((value_dim + core.kv_block_columns - 1) / core.kv_block_columns);
  }
};

/// Exponentials and a division; maximum, sum, scaling.
inline SfuWork softmax_work(const wafer::CoreModel& core, const HeadShape& head, std::int64_t tokens) {
  return {head.queries * 3 * core.sfu(tokens), head.queries * (tokens + 1), head.queries * 3 * tokens};
}

/// Adds a bias to each score, by the distance of the two tokens.
inline SfuWork position_bias_work(const wafer::CoreModel& core, const HeadShape& head, std::int64_t tokens) {
  return {head.queries * core.sfu(tokens), 0, head.queries * tokens};
}

/// Puts the parts of a head that lies on several cores together: scale and add; factors and a division.
inline SfuWork merge_work(const wafer::CoreModel& core, const HeadShape& head, std::int64_t parts) {
  const std::int64_t elements = head.queries * head.value_dim * parts;
  return {2 * core.sfu(elements), head.queries * (parts + 1), 2 * elements};
}

/// Products in crossbars and their way over the H-tree.
struct CrossbarWork {
  engine::Duration time{};
  std::int64_t macs = 0;
  std::int64_t htree_bits = 0;  ///< times edges, in lengths of an edge to a crossbar
};

/// @param rows  most K rows of the head in one crossbar
inline CrossbarWork score_work(const wafer::CoreModel& core, const HeadShape& head, std::int64_t tokens,
                               int rows) {
  return {head.queries * (core.crossbar_pass(rows) + core.htree(32 * tokens)),
          head.queries * head.key_dim * tokens,
          core.htree_path() * head.queries * (8 * head.key_dim + 32 * tokens)};
}

/// S x V. @param rows  most V rows of the head in one crossbar
inline CrossbarWork values_work(const wafer::CoreModel& core, const HeadShape& head, std::int64_t tokens,
                                int rows) {
  return {head.queries * (core.crossbar_pass(rows) + core.htree(32 * head.value_dim)),
          head.queries * head.value_dim * tokens,
          core.htree_path() * head.queries * (8 * tokens + 32 * head.value_dim)};
}

/// K is a column: one row after another is written. V is a row in each of its blocks, each written in a
/// cycle.
inline engine::Duration write_k_time(const wafer::CoreModel& core, const HeadShape& head) {
  return head.key_dim * core.cycle;
}
inline engine::Duration write_v_time(const wafer::CoreModel& core, const HeadShape& head) {
  return head.value_blocks(core) * core.cycle;
}
inline std::int64_t written_bits(const HeadShape& head) {
  return 8 * (head.key_dim + head.value_dim);
}

/// One input vector through one tile.
struct TileWork {
  engine::Duration input{};  ///< H-tree to the crossbars
  engine::Duration pass{};
  engine::Duration output{};  ///< H-tree back
};

inline TileWork tile_work(const wafer::CoreModel& core, const TiledGroup& group, const Tile& tile) {
  const std::int64_t output_bits = 32 * std::int64_t{tile.finished_columns + tile.partial_columns};
  return {core.htree(8 * group.rows), core.crossbar_pass(tile.busiest_rows), core.htree(output_bits)};
}

/// From all sums of a tile to its outputs.
inline SfuWork finishing_work(const wafer::CoreModel& core, const TiledGroup& group, const Tile& tile) {
  SfuWork work;
  if (tile.takes_partial) work += sums_work(core, group.strip_columns);
  if (tile.slices.empty()) return work;
  if (group.bias) work += sums_work(core, tile.finished_columns);
  if (group.activation)
    work += activation_work(core, tile.slices.front().bytes, *group.activation, group.gated);
  return work;
}

/// What a KV core with heads of this size sends on: outputs to the O station; to the core of the newest
/// tokens 32-bit outputs, and a maximum and a sum of 32 bit for each query.
inline std::int64_t head_output_bytes(const HeadShape& head) {
  return head.queries * head.value_dim;
}
inline std::int64_t attention_partial_bytes(const HeadShape& head) {
  return 4 * head_output_bytes(head) + 2 * 4 * head.queries;
}

}  // namespace ouro::llm
