#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "llm/model.hpp"
#include "wafer/core_model.hpp"

namespace ouro::llm {

/// Part of a core's finished outputs that goes to one consumer: to a KV head (QKV), or to the next stage's
/// home core (consumer 0).
struct Slice {
  int consumer = 0;
  int q_bytes = 0;   ///< QKV only: bytes of the head's queries
  int kv_bytes = 0;  ///< QKV only: bytes of the head's key and value
  int bytes = 0;     ///< of all
};

/// What one core holds of a group of matrices, and what it makes of one token's input vector.
struct Tile {
  std::int64_t macs = 0;        ///< weights held: multiply-accumulates of a pass
  int busiest_rows = 0;         ///< rows in use in its fullest crossbar
  std::int64_t htree_bits = 0;  ///< times edges of the H-tree, in lengths of an edge to a crossbar
  bool takes_partial = false;   ///< its first columns began on the core before, whose sums it adds
  int partial_columns = 0;      ///< columns that go on on the next core, which gets their 32-bit sums
  bool partial_waits = false;   ///< those columns began on the core before: the sums wait for its sums
  int finished_columns = 0;     ///< columns of weights whose sums are complete here
  std::vector<Slice> slices;
  int expert = -1;  ///< whose weights it has; -1 where all tiles work for every token
};

/// Crossbars that hold some of its weights: one after another is filled.
int crossbars_of(const Tile& tile, const wafer::CoreModel& core);

/// A group of matrices with one input (QKV, O, router, gate and up, down, LM head; a matrix for each head, of
/// whose inputs one vector is made) cut into tiles, one a core.
///
/// Output channels are tiled first: strips of columns, one after another, each with all its rows, fill core
/// after core without a gap. Where a strip crosses from one core to the next, its 32-bit sums travel. Experts
/// are cut alike, one after another, each with cores of its own.
struct TiledGroup {
  std::int64_t rows = 0;  ///< length of the input vector, bytes
  int strip_columns = 0;  ///< columns of weights in a strip
  std::vector<Tile> tiles{};
  bool bias = false;                       ///< added to the sums
  bool gated = false;                      ///< an output is of two columns, one the other one's gate
  std::optional<Activation> activation{};  ///< applied to the outputs
  int experts = 0;                         ///< 0 where all tiles work for every token
  int active = 0;                          ///< experts that work for a token

  std::int64_t tiles_of_expert() const { return static_cast<std::int64_t>(tiles.size()) / experts; }
  /// Tiles that send anything to the next stage for a token.
  int senders() const;
  /// QKV: tiles that send something to this KV head, and those that send queries to it.
  int senders_to(int head) const;
  int query_senders_to(int head) const;
};

/// The groups of a block in the order in which a token meets them. Those of latent attention: `query` makes
/// the queries of their compressed vector; `head_key` and `head_value` are a matrix for each head, which
/// takes its queries to the compressed vectors of all tokens and their sum to its values. Those of cross
/// attention: `cross_kv` makes K and V of what the encoder gives.
enum class Matrix {
  qkv,
  query,
  head_key,
  head_value,
  output,
  cross_query,
  cross_kv,
  cross_output,
  router,
  gate_up,
  down
};
inline constexpr std::array<std::string_view, 11> kMatrixNames{
    "qkv",      "query",        "head_key", "head_value", "output", "cross_query",
    "cross_kv", "cross_output", "router",   "gate_up",    "down"};
inline constexpr std::size_t kMatrixCount = kMatrixNames.size();

using TiledBlock = std::array<TiledGroup, kMatrixCount>;

struct TiledModel {
  TiledBlock block;  ///< groups that a model has not have no tiles: the router of one without experts
  /// First blocks that lack some of them: of a model with experts those that have none, of an
  /// encoder-decoder those of the encoder; else empty.
  TiledBlock first_block;
  int first_blocks = 0;
  TiledGroup lm_head;  ///< of an encoder a core without weights, where tokens end

  TiledGroup& of(Matrix matrix) { return block[static_cast<std::size_t>(matrix)]; }
  const TiledGroup& of(Matrix matrix) const { return block[static_cast<std::size_t>(matrix)]; }
  const TiledBlock& of_block(int number) const { return number < first_blocks ? first_block : block; }
  const TiledGroup& of(int number, Matrix matrix) const {
    return of_block(number)[static_cast<std::size_t>(matrix)];
  }
};

/// Cores that the tiles of a block fill.
std::size_t weight_cores(const TiledBlock& block);

/// @param candidate_bytes  what an LM head core sends of its logits to the host
TiledModel tile_model(const ModelDescription& model, const wafer::CoreModel& core, int candidate_bytes);

}  // namespace ouro::llm
