#pragma once

#include <cstdint>

#include "engine/time.hpp"
#include "wafer/crossbar_placement.hpp"
#include "wafer/htree.hpp"

namespace ouro::engine {
class Config;
}

namespace ouro::wafer {

/// What a core is: 32 crossbars on an H-tree, a special function unit, two buffers.
struct CoreModel {
  engine::Duration cycle{1000};
  int crossbars = 32;
  int crossbar_rows = 1024;
  int crossbar_columns = 128;  ///< 8-bit words
  int rows_at_once = 32;
  int input_bits = 8;
  CrossbarPlacement crossbar_placement = CrossbarPlacement::optimised;
  int htree_levels = 5;
  engine::Duration htree_level_latency{1000};
  std::int64_t htree_bits = 1024;
  int sfu_lanes = 64;
  int sfu_latency_cycles = 8;
  std::int64_t input_buffer_bytes = 131072;
  std::int64_t output_buffer_bytes = 32768;
  int kv_block_rows = 128;
  int kv_block_columns = 128;

  /// Rows of crossbar_columns words that a core holds.
  std::int64_t word_rows() const { return std::int64_t{crossbars} * crossbar_rows; }
  std::int64_t bytes() const { return word_rows() * crossbar_columns; }

  /// Logical KV blocks of a crossbar, and of a core.
  int kv_blocks_of_crossbar() const {
    return (crossbar_rows / kv_block_rows) * (crossbar_columns / kv_block_columns);
  }
  int kv_blocks() const { return crossbars * kv_blocks_of_crossbar(); }

  /// Time of one product with `rows` stored rows of a crossbar: ceil(rows / 32) groups of 8 input bits.
  engine::Duration crossbar_pass(int rows) const {
    return ((rows + rows_at_once - 1) / rows_at_once) * input_bits * cycle;
  }

  /// Time of `bits` through the root of the H-tree, to or from its leaves.
  engine::Duration htree(std::int64_t bits) const {
    return htree_levels * htree_level_latency + ((bits + htree_bits - 1) / htree_bits - 1) * cycle;
  }

  /// Lengths of edges that a bit goes over from the root of the H-tree to a crossbar.
  std::int64_t htree_path() const { return HTree{crossbars}.path(); }

  /// Time of one operation on each of `elements` in the SFU.
  engine::Duration sfu(std::int64_t elements) const {
    return (sfu_latency_cycles + (elements + sfu_lanes - 1) / sfu_lanes - 1) * cycle;
  }
};

}  // namespace ouro::wafer
