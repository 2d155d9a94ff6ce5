#include "llm/import_decoder.hpp"

#include <fmt/format.h>

#include <array>

namespace ouro::llm {
namespace {

using Kind = DecoderFamily::Experts;

constexpr std::array kFamilies{
    DecoderFamily{.type = "llama", .bias_on_output = true},
    DecoderFamily{.type = "baichuan"},
    DecoderFamily{.type = "mistral", .window_counts = true},
    DecoderFamily{.type = "qwen2", .qkv_bias = true},
    DecoderFamily{.type = "qwen3", .bias_on_output = true, .qk_norm = true},
    DecoderFamily{.type = "mixtral", .window_counts = true, .experts = Kind::mixtral},
    DecoderFamily{.type = "qwen2_moe", .qkv_bias = true, .experts = Kind::qwen},
    DecoderFamily{.type = "qwen3_moe", .bias_on_output = true, .qk_norm = true, .experts = Kind::qwen},
    DecoderFamily{.type = "deepseek_v2", .experts = Kind::deepseek},
    DecoderFamily{.type = "deepseek_v3", .experts = Kind::deepseek},
};

void refuse_other_models(const ModelKeys& keys, const DecoderFamily& family) {
  const auto& config = keys.config();
  if (family.experts == Kind::none) {
    for (const char* key : {"num_local_experts", "num_experts", "n_routed_experts"})
      keys.refuse_if_on(key, "a mixture of experts");
  }
  if (family.experts == Kind::deepseek) {
    keys.refuse_if_on("attention_bias", "latent attention with biases");
  } else {
    for (const char* key : {"q_lora_rank", "kv_lora_rank"}) keys.refuse_if_on(key, "latent attention");
  }
  keys.refuse_if_on("is_encoder_decoder", "an encoder");
  keys.refuse_if_on("add_cross_attention", "cross attention");
  keys.refuse_if_on("use_sliding_window", "sliding-window attention");
  keys.refuse_if_on("mlp_bias", "biases in the FFN");
  const auto activation = config.text("hidden_act");
  if (activation && *activation != "silu") config.refuse("hidden_act", *activation, "silu");
  keys.refuse_other_precision();
}

void refuse_sliding_window(const ModelKeys& keys, int context) {
  const auto window = keys.context({"sliding_window"});
  if (window == 0 || (context > 0 && window >= context)) return;
  keys.config().refuse("sliding_window", std::to_string(window),
                       "null or the whole context: sliding-window attention is not modelled");
}

int import_kv_heads(ModelKeys& keys, int heads) {
  const int kv_heads = keys.heads_or("num_key_value_heads", heads, "as many as num_attention_heads");
  if (heads % kv_heads != 0) {
    keys.config().refuse("num_key_value_heads", std::to_string(kv_heads),
                         fmt::format("a divisor of the {} attention heads", heads));
  }
  return kv_heads;
}

int import_head_dim(const ModelKeys& keys, int hidden, int heads) {
  if (keys.config().find("head_dim") != nullptr) return keys.head_dim("head_dim");
  if (hidden % heads != 0) {
    keys.config().refuse("num_attention_heads", std::to_string(heads),
                         fmt::format("a divisor of the hidden size {} where no head_dim is given", hidden));
  }
  return hidden / heads;
}

void import_latent_attention(const ModelKeys& keys, ModelDescription& model) {
  const bool compresses_queries = keys.config().find("q_lora_rank") != nullptr;
  model.latent = {.kv_rank = keys.rank("kv_lora_rank"),
                  .query_rank = compresses_queries ? keys.rank("q_lora_rank") : 0,
                  .rope_dim = keys.head_dim("qk_rope_head_dim"),
                  .value_dim = keys.head_dim("v_head_dim")};
  model.head_dim = keys.head_dim("qk_nope_head_dim") + model.latent.rope_dim;
}

/// Every block but the first dense ones must have experts.
void refuse_mixed_blocks(const ModelKeys& keys) {
  const auto& config = keys.config();
  for (const char* key : {"decoder_sparse_step", "moe_layer_freq"}) {
    const auto* step = config.find(key);
    if (step && *step != 1) config.refuse(key, step->dump(), "1: every block has experts");
  }
  const auto* dense = config.find("mlp_only_layers");
  if (dense && !dense->empty()) config.refuse("mlp_only_layers", dense->dump(), "an empty list");
}

/// A shared FFN of n times an expert's size computes what n shared experts do.
int import_shared_experts(const ModelKeys& keys, int expert_size) {
  const char* key = "shared_expert_intermediate_size";
  if (keys.config().find(key) == nullptr) return 0;
  const int size = keys.ffn_size(key);
  if (size % expert_size != 0) {
    keys.config().refuse(key, std::to_string(size),
                         fmt::format("a multiple of the {} of moe_intermediate_size", expert_size));
  }
  return size / expert_size;
}

Experts import_experts(ModelKeys& keys, const DecoderFamily& family) {
  const auto& config = keys.config();
  if (family.experts == Kind::none) return {};
  refuse_mixed_blocks(keys);
  Experts experts{.per_token = keys.experts("num_experts_per_tok")};
  const char* routed = "num_local_experts";
  if (family.experts == Kind::mixtral) {
    experts.ffn_size = keys.ffn_size("intermediate_size");
  } else {
    experts.ffn_size = keys.ffn_size("moe_intermediate_size");
  }
  if (family.experts == Kind::qwen) {
    routed = "num_experts";
    experts.shared = import_shared_experts(keys, experts.ffn_size);
    experts.shared_gate = experts.shared > 0;
  } else if (family.experts == Kind::deepseek) {
    routed = "n_routed_experts";
    if (config.find("n_shared_experts") != nullptr) experts.shared = keys.experts("n_shared_experts");
    const auto* dense = config.find("first_k_dense_replace");
    experts.dense_blocks = dense && *dense != 0 ? keys.layers("first_k_dense_replace") : 0;
    const std::string usual = family.type == "deepseek_v3" ? "noaux_tc" : "greedy";
    experts.router_bias =
        keys.text_or("topk_method", usual, fmt::format("as in {}", family.type)) == "noaux_tc";
  }
  experts.routed = keys.experts(routed);
  if (experts.per_token > experts.routed) {
    config.refuse("num_experts_per_tok", std::to_string(experts.per_token),
                  fmt::format("at most the {} of {}", experts.routed, routed));
  }
  return experts;
}

}  // namespace

std::span<const DecoderFamily> decoder_families() {
  return kFamilies;
}

ModelDescription import_decoder(ModelKeys& keys, const DecoderFamily& family) {
  refuse_other_models(keys, family);
  const auto& config = keys.config();
  const auto bias = config.flag("attention_bias");
  ModelDescription model{
      .layers = keys.layers("num_hidden_layers"),
      .hidden_size = keys.hidden_size("hidden_size"),
      .ffn_size = keys.ffn_size("intermediate_size"),
      .attention_heads = keys.heads("num_attention_heads"),
      .vocab_size = keys.vocab_size(),
      .tied_embeddings = keys.flag_or("tie_word_embeddings", false, "embedding and LM head are two matrices"),
      .qkv_bias = bias.value_or(family.qkv_bias),
      .output_bias = bias.value_or(false) && family.bias_on_output,
      .qk_norm = family.qk_norm,
      .experts = import_experts(keys, family),
      .trained_context = keys.context({"max_position_embeddings", "max_sequence_length", "model_max_length"}),
  };
  model.kv_heads = import_kv_heads(keys, model.attention_heads);
  if (family.experts == Kind::deepseek) {
    import_latent_attention(keys, model);
  } else {
    model.head_dim = import_head_dim(keys, model.hidden_size, model.attention_heads);
  }
  if (family.window_counts) refuse_sliding_window(keys, model.trained_context);
  return model;
}

}  // namespace ouro::llm
