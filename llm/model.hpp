#pragma once

#include <cstdint>
#include <string>

namespace ouro::llm {

/// Of the FFN: SiLU, GELU or ReLU.
enum class Activation { silu, gelu, relu };

/// RMSNorm has weights; LayerNorm subtracts the mean, and has weights and biases.
enum class Norm { rms, layer };

/// Experts that take the place of the FFN; a router chooses some of them for each token.
struct Experts {
  int routed = 0;        ///< to choose from; 0 where the model has no experts
  int per_token = 0;     ///< chosen for each token
  int ffn_size = 0;      ///< of each expert
  int shared = 0;        ///< of the same size, used by every token beside the chosen ones
  int dense_blocks = 0;  ///< first blocks, which have a dense FFN instead
  bool router_bias = false;
  bool shared_gate = false;  ///< one more column of the router scales what the shared experts give

  friend bool operator==(const Experts&, const Experts&) = default;
};

/// Multi-head latent attention: K and V of all heads come from one compressed vector a token.
///
/// Source: DeepSeek-AI, "DeepSeek-V2", arXiv 2405.04434, section 2.1.
struct LatentAttention {
  int kv_rank = 0;     ///< of the compressed vector; 0 where the model has ordinary attention
  int query_rank = 0;  ///< of the compressed queries; 0 where they are not compressed
  int rope_dim = 0;    ///< of a head's queries and of the key that all heads share, with positions
  int value_dim = 0;   ///< of a head's values

  friend bool operator==(const LatentAttention&, const LatentAttention&) = default;
};

/// The shape of a transformer. Sizes are elements. Without another word a field is of all blocks.
struct ModelDescription {
  std::string name{};
  int encoder_layers = 0;  // blocks with attention in both directions, before those of the decoder
  int layers = 0;          // of the decoder; with an encoder before them each has cross attention, too
  int hidden_size = 0;
  int ffn_size = 0;
  int attention_heads = 0;
  int kv_heads = 0;  // fewer than attention_heads: grouped-query attention
  int head_dim = 0;  // not always hidden_size / attention_heads
  int vocab_size = 0;
  bool gated_ffn = true;  // activation(gate) x up; else activation(up)
  Activation activation = Activation::silu;
  Norm norm = Norm::rms;
  bool tied_embeddings = false;  // the LM head is the embedding, stored once
  bool qkv_bias = false;
  bool output_bias = false;
  bool ffn_bias = false;
  bool qk_norm = false;         // q and k are normalised, each with head_dim weights a layer
  int learned_positions = 0;    // rows of a table that is added to the embedding
  int token_types = 0;          // rows of another one
  bool embedding_norm = false;  // the first norm is of the embedding, and there is none after the last block
  int position_buckets = 0;     // rows of a table of biases for the scores, for each stack and head
  Experts experts{};
  LatentAttention latent{};
  int trained_context = 0;  // tokens; 0 where the model does not say

  friend bool operator==(const ModelDescription&, const ModelDescription&) = default;
};

/// LayerNorm, QKV generation, score, softmax, projection, FFN (docs/design.md).
inline constexpr int kStagesPerBlock = 6;

/// Blocks of encoder and decoder are numbered together, the encoder's first.
int blocks(const ModelDescription& model);
bool is_encoder_block(const ModelDescription& model, int block);
bool has_cross_attention(const ModelDescription& model, int block);
bool has_experts(const ModelDescription& model, int block);
/// Gives no tokens: a request is its prompt.
bool is_encoder_only(const ModelDescription& model);
/// Prompts go through the encoder, and the decoder's tokens attend to what it gives.
bool is_encoder_decoder(const ModelDescription& model);

int query_width(const ModelDescription& model);
int kv_width(const ModelDescription& model);
/// Of what attention gives to the output matrix.
int attention_width(const ModelDescription& model);
int pipeline_stages(const ModelDescription& model);

/// What attention keeps of a token: `heads` keys and values. Latent attention keeps one compressed vector for
/// all heads; whole it is their key, without the part that has positions their value.
struct KvShape {
  int heads = 0;
  int key_dim = 0;
  int value_dim = 0;
};
KvShape kv_shape(const ModelDescription& model);

/// All weights, with embedding, LM head, norms and biases; exact. Of an encoder alone without what a task
/// puts on it (pooler, LM head).
std::int64_t parameter_count(const ModelDescription& model);

/// The matrices of one block at 8 bits a weight, without norms and biases.
std::int64_t block_weight_bytes(const ModelDescription& model, int block = 0);

/// What a decoding sequence keeps of one token in all layers of the decoder, at one byte an element: K and V,
/// or their compressed vector. Cross attention keeps as much again for each token of the encoder's.
std::int64_t kv_bytes_per_token(const ModelDescription& model);

/// What crossbars keep of it: as above, but a compressed vector twice, as a column that is a key and as a row
/// that is a value.
std::int64_t kv_bytes_stored_per_token(const ModelDescription& model);

}  // namespace ouro::llm
