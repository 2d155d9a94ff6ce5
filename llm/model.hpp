#pragma once

#include <cstdint>
#include <string>

namespace ouro::llm {

/// The shape of a decoder-only transformer with gated FFN and RMSNorm, as LLaMA has it. Sizes are elements.
struct ModelDescription {
  std::string name{};
  int layers = 0;
  int hidden_size = 0;
  int ffn_size = 0;
  int attention_heads = 0;
  int kv_heads = 0;  // fewer than attention_heads: grouped-query attention
  int head_dim = 0;  // not always hidden_size / attention_heads
  int vocab_size = 0;
  bool tied_embeddings = false;  // the LM head is the embedding, stored once
  bool qkv_bias = false;
  bool output_bias = false;
  bool qk_norm = false;     // q and k are normalised, each with head_dim weights a layer
  int trained_context = 0;  // tokens; 0 where the model does not say

  friend bool operator==(const ModelDescription&, const ModelDescription&) = default;
};

/// LayerNorm, QKV generation, score, softmax, projection, FFN (docs/design.md).
inline constexpr int kStagesPerBlock = 6;

int query_width(const ModelDescription& model);
int kv_width(const ModelDescription& model);
int pipeline_stages(const ModelDescription& model);

/// All weights, with embedding, LM head, norms and biases; exact.
std::int64_t parameter_count(const ModelDescription& model);

/// The matrices of one block (q, k, v, o, gate, up, down) at 8 bits a weight, without norms and biases.
std::int64_t block_weight_bytes(const ModelDescription& model);

/// K and V of one token in all layers, at one byte an element.
std::int64_t kv_bytes_per_token(const ModelDescription& model);

}  // namespace ouro::llm
