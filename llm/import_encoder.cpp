#include "llm/import_encoder.hpp"

#include <fmt/format.h>

namespace ouro::llm {
namespace {

Activation import_activation(const ModelKeys& keys, const char* key, std::string_view value) {
  if (value == "gelu" || value == "gelu_new" || value == "gelu_pytorch_tanh") return Activation::gelu;
  if (value == "relu") return Activation::relu;
  if (value == "silu") return Activation::silu;
  keys.config().refuse(key, value, "gelu, gelu_new, relu or silu");
}

}  // namespace

ModelDescription import_bert(ModelKeys& keys) {
  const auto& config = keys.config();
  keys.refuse_if_on("is_decoder", "a decoder with the shape of BERT");
  keys.refuse_if_on("add_cross_attention", "cross attention");
  keys.refuse_other_precision();
  const auto positions = config.text("position_embedding_type");
  if (positions && *positions != "absolute") config.refuse("position_embedding_type", *positions, "absolute");
  const int hidden = keys.hidden_size("hidden_size");
  const int heads = keys.heads("num_attention_heads");
  if (hidden % heads != 0) {
    config.refuse("num_attention_heads", std::to_string(heads),
                  fmt::format("a divisor of the hidden size {}", hidden));
  }
  return {
      .encoder_layers = keys.layers("num_hidden_layers"),
      .hidden_size = hidden,
      .ffn_size = keys.ffn_size("intermediate_size"),
      .attention_heads = heads,
      .kv_heads = heads,
      .head_dim = hidden / heads,
      .vocab_size = keys.vocab_size(),
      .gated_ffn = false,
      .activation = import_activation(keys, "hidden_act", keys.text_or("hidden_act", "gelu", "as in BERT")),
      .norm = Norm::layer,
      .tied_embeddings = true,
      .qkv_bias = true,
      .output_bias = true,
      .ffn_bias = true,
      .learned_positions = keys.hidden_size("max_position_embeddings"),
      .token_types = keys.layers_or("type_vocab_size", 2, "as in BERT"),
      .embedding_norm = true,
      .trained_context = keys.context({"max_position_embeddings"}),
  };
}

ModelDescription import_t5(ModelKeys& keys) {
  constexpr std::string_view kGated = "gated-";
  for (const char* key : {"num_local_experts", "num_experts"}) keys.refuse_if_on(key, "a mixture of experts");
  keys.refuse_other_precision();
  if (keys.config().flag("is_encoder_decoder") == false)
    keys.config().refuse("is_encoder_decoder", "false", "true for a model of type 't5'");
  const int layers = keys.layers("num_layers");
  const int heads = keys.heads("num_heads");
  const auto projection = keys.text_or("feed_forward_proj", "relu", "as in the first T5");
  const bool gated = projection.starts_with(kGated);
  const auto activation = std::string_view{projection}.substr(gated ? kGated.size() : 0);
  return {
      .encoder_layers = layers,
      .layers = keys.layers_or("num_decoder_layers", layers, "as many as num_layers"),
      .hidden_size = keys.hidden_size("d_model"),
      .ffn_size = keys.ffn_size("d_ff"),
      .attention_heads = heads,
      .kv_heads = heads,
      .head_dim = keys.head_dim("d_kv"),
      .vocab_size = keys.vocab_size(),
      .gated_ffn = gated,
      .activation = import_activation(keys, "feed_forward_proj", activation),
      .tied_embeddings = keys.flag_or("tie_word_embeddings", true, "as in T5"),
      .position_buckets = keys.layers_or("relative_attention_num_buckets", 32, "as in T5"),
      .trained_context = keys.context({"n_positions"}),
  };
}

}  // namespace ouro::llm
