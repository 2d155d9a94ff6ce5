#include "llm/tiling.hpp"

#include <algorithm>
#include <functional>

namespace ouro::llm {
namespace {

/// Adds strip number `strip`, which is complete on this core, to the tile's slices.
using Finish = std::function<void(Tile&, int strip)>;

struct Strips {
  std::int64_t rows = 0;  ///< of one strip
  int count = 0;
  int columns = 0;  ///< of weights in a strip: crossbar_columns, or twice that for gate and up together
  std::int64_t input = rows;  ///< bytes of the vector that goes to each tile
};

/// @param begin, end  word rows of the tile
/// @param length      word rows of a strip
wafer::TileTraffic htree_traffic(const Strips& strips, std::int64_t begin, std::int64_t end,
                                 std::int64_t length, const wafer::CoreModel& core) {
  wafer::TileTraffic traffic{8 * strips.input, 32 * std::int64_t{strips.columns}};
  for (auto at = begin; at < end;) {
    const auto next = std::min((at / length + 1) * length, end);
    traffic.strips.push_back({static_cast<int>((at - begin) / core.crossbar_rows),
                              static_cast<int>((next - 1 - begin) / core.crossbar_rows)});
    at = next;
  }
  return traffic;
}

/// Fills core after core with strips, in units of one row of crossbar_columns words.
TiledGroup tile_group(const Strips& strips, const wafer::CoreModel& core, const Finish& finish) {
  const std::int64_t strip_length = strips.rows * (strips.columns / core.crossbar_columns);
  const std::int64_t total = strip_length * strips.count;
  TiledGroup group{.rows = strips.input, .strip_columns = strips.columns};
  wafer::PlacedTiles placed{core.crossbar_placement, core.crossbars};
  for (std::int64_t begin = 0; begin < total; begin += core.word_rows()) {
    const std::int64_t end = std::min(begin + core.word_rows(), total);
    Tile tile;
    tile.macs = (end - begin) * core.crossbar_columns;
    tile.busiest_rows = static_cast<int>(std::min<std::int64_t>(end - begin, core.crossbar_rows));
    tile.htree_bits = placed.wire_bits(htree_traffic(strips, begin, end, strip_length, core));
    tile.takes_partial = begin % strip_length != 0;
    if (end % strip_length != 0) {
      tile.partial_columns = strips.columns;
      tile.partial_waits = tile.takes_partial && end / strip_length == begin / strip_length;
    }
    for (auto strip = begin / strip_length; (strip + 1) * strip_length <= end; ++strip) {
      tile.finished_columns += strips.columns;
      finish(tile, static_cast<int>(strip));
    }
    group.tiles.push_back(std::move(tile));
  }
  return group;
}

int divide_up(std::int64_t amount, std::int64_t by) {
  return static_cast<int>((amount + by - 1) / by);
}

Slice& slice_for(Tile& tile, int consumer) {
  if (tile.slices.empty() || tile.slices.back().consumer != consumer)
    tile.slices.push_back({consumer, 0, 0, 0});
  return tile.slices.back();
}

/// Columns are ordered KV head by KV head, each with its queries, then its key and its value, so that a
/// head's vectors leave from one core or two.
/// @param queries  columns of a KV head's queries
/// @param kept     of its key and value
TiledGroup tile_by_heads(const ModelDescription& model, int queries, int kept, const wafer::CoreModel& core) {
  const int head_columns = queries + kept;
  const std::int64_t columns = std::int64_t{head_columns} * model.kv_heads;
  const Strips strips{model.hidden_size, divide_up(columns, core.crossbar_columns), core.crossbar_columns};
  return tile_group(strips, core, [&](Tile& tile, int strip) {
    const std::int64_t first = std::int64_t{strip} * core.crossbar_columns;
    const std::int64_t last = std::min<std::int64_t>(first + core.crossbar_columns, columns);
    for (std::int64_t at = first; at < last;) {
      const auto head = at / head_columns;
      const auto in_head = at % head_columns;
      const bool query = in_head < queries;
      const auto length = std::min(last - at, (query ? queries : head_columns) - in_head);
      auto& slice = slice_for(tile, static_cast<int>(head));
      (query ? slice.q_bytes : slice.kv_bytes) += static_cast<int>(length);
      slice.bytes += static_cast<int>(length);
      at += length;
    }
  });
}

/// @param outputs  length of the output vector, bytes
/// @param matrices  of one input whose columns make one output together: 2 for gate and up
TiledGroup tile_dense(std::int64_t rows, std::int64_t outputs, int matrices, const wafer::CoreModel& core) {
  const Strips strips{rows, divide_up(outputs, core.crossbar_columns), matrices * core.crossbar_columns};
  return tile_group(strips, core, [&](Tile& tile, int strip) {
    const std::int64_t first = std::int64_t{strip} * core.crossbar_columns;
    slice_for(tile, 0).bytes +=
        static_cast<int>(std::min<std::int64_t>(core.crossbar_columns, outputs - first));
  });
}

/// As many experts as are routed and shared. @param group  of one
TiledGroup repeat_for_experts(const TiledGroup& group, const Experts& experts) {
  TiledGroup all = group;
  all.experts = experts.routed + experts.shared;
  all.active = experts.per_token + experts.shared;
  all.tiles.clear();
  for (int expert = 0; expert < all.experts; ++expert) {
    for (const auto& tile : group.tiles) {
      all.tiles.push_back(tile);
      all.tiles.back().expert = expert;
    }
  }
  return all;
}

/// Its outputs are logits of 32 bits.
TiledGroup tile_router(const ModelDescription& model, const wafer::CoreModel& core) {
  const auto& experts = model.experts;
  auto group = tile_dense(model.hidden_size, experts.routed + (experts.shared_gate ? 1 : 0), 1, core);
  for (auto& tile : group.tiles) {
    for (auto& slice : tile.slices) slice.bytes *= 4;
  }
  return group;
}

void tile_ffn(TiledBlock& block, const ModelDescription& model, bool routed, const wafer::CoreModel& core) {
  const auto of = [&](Matrix matrix) -> TiledGroup& { return block[static_cast<std::size_t>(matrix)]; };
  const int ffn = routed ? model.experts.ffn_size : model.ffn_size;
  auto up = tile_dense(model.hidden_size, ffn, model.gated_ffn ? 2 : 1, core);
  up.gated = model.gated_ffn;
  up.activation = model.activation;
  up.bias = model.ffn_bias;
  auto down = tile_dense(ffn, model.hidden_size, 1, core);
  down.bias = model.ffn_bias;
  of(Matrix::gate_up) = routed ? repeat_for_experts(up, model.experts) : std::move(up);
  of(Matrix::down) = routed ? repeat_for_experts(down, model.experts) : std::move(down);
  of(Matrix::router) = routed ? tile_router(model, core) : TiledGroup{};
}

/// A matrix for each head, all in the same cores. The vector of all inputs goes to each tile.
/// @param passed_on  bytes behind each head's input that go on as they are, with its last outputs
TiledGroup tile_heads(int heads, std::int64_t rows, std::int64_t outputs, int passed_on,
                      const wafer::CoreModel& core) {
  const int strips_of_head = divide_up(outputs, core.crossbar_columns);
  const Strips strips{rows, heads * strips_of_head, core.crossbar_columns, heads * (rows + passed_on)};
  return tile_group(strips, core, [&](Tile& tile, int strip) {
    const int in_head = strip % strips_of_head;
    const std::int64_t left = outputs - std::int64_t{in_head} * core.crossbar_columns;
    auto& slice = slice_for(tile, 0);
    slice.bytes += static_cast<int>(std::min<std::int64_t>(core.crossbar_columns, left));
    if (in_head + 1 == strips_of_head) slice.bytes += passed_on;
    slice.q_bytes = slice.bytes;
  });
}

/// Attention in the space of the compressed vectors: queries are taken there, and what comes back is taken to
/// each head's values. Source: DeepSeek-V2, arXiv 2405.04434, section 2.1.2.
void tile_latent_attention(TiledModel& tiled, const ModelDescription& model, const wafer::CoreModel& core) {
  const auto& latent = model.latent;
  const int compressed = latent.kv_rank + latent.rope_dim;
  const int queries = latent.query_rank > 0 ? latent.query_rank : query_width(model);
  tiled.of(Matrix::qkv) = tile_dense(model.hidden_size, queries + compressed, 1, core);
  if (latent.query_rank > 0)
    tiled.of(Matrix::query) = tile_dense(latent.query_rank, query_width(model), 1, core);
  tiled.of(Matrix::head_key) = tile_heads(model.attention_heads, model.head_dim - latent.rope_dim,
                                          latent.kv_rank, latent.rope_dim, core);
  tiled.of(Matrix::head_value) = tile_heads(model.attention_heads, latent.kv_rank, latent.value_dim, 0, core);
}

TiledGroup tile_lm_head(const ModelDescription& model, const wafer::CoreModel& core, int candidate_bytes) {
  auto group = tile_dense(model.hidden_size, model.vocab_size, 1, core);
  for (auto& tile : group.tiles) {
    for (auto& slice : tile.slices) slice.bytes = candidate_bytes;
  }
  return group;
}

/// Where a model without LM head ends: one core, which computes nothing more.
TiledGroup tile_end(const ModelDescription& model, const wafer::CoreModel& core) {
  return {.rows = model.hidden_size, .strip_columns = core.crossbar_columns, .tiles = {Tile{}}};
}

int query_columns(const ModelDescription& model) {
  return model.attention_heads / model.kv_heads * model.head_dim;
}

void tile_cross_attention(TiledModel& tiled, const ModelDescription& model, const wafer::CoreModel& core) {
  tiled.of(Matrix::cross_query) = tile_by_heads(model, query_columns(model), 0, core);
  tiled.of(Matrix::cross_kv) = tile_by_heads(model, 0, 2 * model.head_dim, core);
  tiled.of(Matrix::cross_output) = tile_dense(query_width(model), model.hidden_size, 1, core);
}

int count_tiles(const TiledGroup& group, const std::function<bool(const Slice&)>& wanted) {
  return static_cast<int>(std::count_if(group.tiles.begin(), group.tiles.end(), [&](const Tile& tile) {
    return std::any_of(tile.slices.begin(), tile.slices.end(), wanted);
  }));
}

}  // namespace

int crossbars_of(const Tile& tile, const wafer::CoreModel& core) {
  return divide_up(tile.macs, std::int64_t{core.crossbar_rows} * core.crossbar_columns);
}

int TiledGroup::senders() const {
  const int all = count_tiles(*this, [](const Slice&) { return true; });
  return experts > 0 ? all / experts * active : all;
}

int TiledGroup::senders_to(int head) const {
  return count_tiles(*this, [head](const Slice& slice) { return slice.consumer == head; });
}

int TiledGroup::query_senders_to(int head) const {
  return count_tiles(*this,
                     [head](const Slice& slice) { return slice.consumer == head && slice.q_bytes > 0; });
}

std::size_t weight_cores(const TiledBlock& block) {
  std::size_t cores = 0;
  for (const auto& group : block) cores += group.tiles.size();
  return cores;
}

TiledModel tile_model(const ModelDescription& model, const wafer::CoreModel& core, int candidate_bytes) {
  TiledModel tiled;
  if (model.latent.kv_rank > 0) {
    tile_latent_attention(tiled, model, core);
  } else {
    tiled.of(Matrix::qkv) = tile_by_heads(model, query_columns(model), 2 * model.head_dim, core);
    tiled.of(Matrix::qkv).bias = model.qkv_bias;
  }
  tiled.of(Matrix::output) = tile_dense(attention_width(model), model.hidden_size, 1, core);
  tiled.of(Matrix::output).bias = model.output_bias;
  const bool routed = model.experts.routed > 0;
  if (routed && model.experts.dense_blocks > 0) {
    tiled.first_blocks = model.experts.dense_blocks;
    tiled.first_block = tiled.block;
    tile_ffn(tiled.first_block, model, false, core);
  }
  tile_ffn(tiled.block, model, routed, core);
  if (is_encoder_decoder(model)) {
    tiled.first_blocks = model.encoder_layers;
    tiled.first_block = tiled.block;
    tile_cross_attention(tiled, model, core);
  }
  tiled.lm_head = is_encoder_only(model) ? tile_end(model, core) : tile_lm_head(model, core, candidate_bytes);
  return tiled;
}

}  // namespace ouro::llm
