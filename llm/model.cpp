#include "llm/model.hpp"

#include "llm/capacity.hpp"

namespace ouro::llm {
namespace {

std::int64_t norm_weights(const ModelDescription& model, std::int64_t elements) {
  return (model.norm == Norm::layer ? 2 : 1) * elements;
}

std::int64_t block_norms(const ModelDescription& model, int block) {
  const int norms = has_cross_attention(model, block) ? 3 : 2;
  const auto& latent = model.latent;
  return norms * norm_weights(model, model.hidden_size) + (model.qk_norm ? 2 * model.head_dim : 0) +
         latent.query_rank + latent.kv_rank;
}

std::int64_t block_biases(const ModelDescription& model, int block) {
  const std::int64_t qkv = query_width(model) + 2 * std::int64_t{kv_width(model)};
  const std::int64_t ffn = (model.gated_ffn ? 2 : 1) * std::int64_t{model.ffn_size} + model.hidden_size;
  const bool routed = has_experts(model, block);
  return (model.qkv_bias ? qkv : 0) + (model.output_bias ? model.hidden_size : 0) +
         (model.ffn_bias ? ffn : 0) + (routed && model.experts.router_bias ? model.experts.routed : 0);
}

/// Embedding, LM head, positions, and the norms that belong to no block.
std::int64_t outer_weights(const ModelDescription& model) {
  const std::int64_t hidden = model.hidden_size;
  const bool has_lm_head = model.layers > 0 && !model.tied_embeddings;
  const int stacks = (model.encoder_layers > 0 ? 1 : 0) + (model.layers > 0 ? 1 : 0);
  const std::int64_t rows =
      (has_lm_head ? 2 : 1) * std::int64_t{model.vocab_size} + model.learned_positions + model.token_types;
  const int norms = model.embedding_norm ? 1 : stacks;
  return rows * hidden + norms * norm_weights(model, hidden) +
         stacks * std::int64_t{model.position_buckets} * model.attention_heads;
}

}  // namespace

int blocks(const ModelDescription& model) {
  return model.encoder_layers + model.layers;
}

bool is_encoder_block(const ModelDescription& model, int block) {
  return block < model.encoder_layers;
}

bool has_cross_attention(const ModelDescription& model, int block) {
  return model.encoder_layers > 0 && !is_encoder_block(model, block);
}

bool has_experts(const ModelDescription& model, int block) {
  return model.experts.routed > 0 && block >= model.experts.dense_blocks;
}

bool is_encoder_only(const ModelDescription& model) {
  return model.layers == 0;
}

bool is_encoder_decoder(const ModelDescription& model) {
  return model.encoder_layers > 0 && model.layers > 0;
}

int query_width(const ModelDescription& model) {
  return model.attention_heads * model.head_dim;
}

int kv_width(const ModelDescription& model) {
  return model.kv_heads * model.head_dim;
}

int attention_width(const ModelDescription& model) {
  return model.latent.kv_rank > 0 ? model.attention_heads * model.latent.value_dim : query_width(model);
}

KvShape kv_shape(const ModelDescription& model) {
  const auto& latent = model.latent;
  if (latent.kv_rank == 0) return {model.kv_heads, model.head_dim, model.head_dim};
  return {1, latent.kv_rank + latent.rope_dim, latent.kv_rank};
}

int pipeline_stages(const ModelDescription& model) {
  return kStagesPerBlock * blocks(model);
}

std::int64_t parameter_count(const ModelDescription& model) {
  auto count = outer_weights(model);
  for (int block = 0; block < blocks(model); ++block)
    count += block_weight_bytes(model, block) + block_norms(model, block) + block_biases(model, block);
  return count;
}

std::int64_t block_weight_bytes(const ModelDescription& model, int block) {
  std::int64_t weights = 0;
  for (const auto& group : block_matrices(model, block)) weights += group.copies * group.rows * group.columns;
  return weights;
}

std::int64_t kv_bytes_per_token(const ModelDescription& model) {
  const auto& latent = model.latent;
  const std::int64_t elements =
      latent.kv_rank > 0 ? latent.kv_rank + latent.rope_dim : 2 * std::int64_t{kv_width(model)};
  return model.layers * elements;
}

std::int64_t kv_bytes_stored_per_token(const ModelDescription& model) {
  const auto kept = kv_shape(model);
  return std::int64_t{model.layers} * kept.heads * (kept.key_dim + kept.value_dim);
}

}  // namespace ouro::llm
