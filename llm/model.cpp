#include "llm/model.hpp"

namespace ouro::llm {
namespace {

std::int64_t norm_weights(const ModelDescription& model) {
  return 2 * std::int64_t{model.hidden_size} + (model.qk_norm ? 2 * std::int64_t{model.head_dim} : 0);
}

std::int64_t biases(const ModelDescription& model) {
  const std::int64_t qkv = query_width(model) + 2 * std::int64_t{kv_width(model)};
  return (model.qkv_bias ? qkv : 0) + (model.output_bias ? model.hidden_size : 0);
}

std::int64_t vocabulary_weights(const ModelDescription& model) {
  return (model.tied_embeddings ? 1 : 2) * std::int64_t{model.vocab_size} * model.hidden_size;
}

}  // namespace

int query_width(const ModelDescription& model) {
  return model.attention_heads * model.head_dim;
}

int kv_width(const ModelDescription& model) {
  return model.kv_heads * model.head_dim;
}

int pipeline_stages(const ModelDescription& model) {
  return kStagesPerBlock * model.layers;
}

std::int64_t parameter_count(const ModelDescription& model) {
  const std::int64_t block = block_weight_bytes(model) + norm_weights(model) + biases(model);
  return model.layers * block + vocabulary_weights(model) + model.hidden_size;  // and the final norm
}

std::int64_t block_weight_bytes(const ModelDescription& model) {
  const std::int64_t attention = 2 * std::int64_t{query_width(model)} + 2 * std::int64_t{kv_width(model)};
  return model.hidden_size * (attention + 3 * std::int64_t{model.ffn_size});
}

std::int64_t kv_bytes_per_token(const ModelDescription& model) {
  return 2 * std::int64_t{model.layers} * kv_width(model);
}

}  // namespace ouro::llm
