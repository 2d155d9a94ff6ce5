#include "llm/model_import.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

#include "engine/error.hpp"
#include "llm/embedded.hpp"
#include "llm/json_config.hpp"

namespace ouro::llm {
namespace {

using engine::InputError;
using nlohmann::json;

// Far above every published model, and low enough that no product of sizes passes 63 bits.
constexpr int kMaxLayers = 10'000;
constexpr int kMaxHidden = 1 << 18;
constexpr int kMaxFfn = 1 << 20;
constexpr int kMaxHeads = 1 << 12;
constexpr int kMaxHeadDim = 1 << 12;
constexpr int kMaxVocab = 1 << 24;
constexpr int kMaxContext = 1 << 30;

/// What a model_type fixes without a key in the file.
struct Family {
  std::string_view type;
  bool qkv_bias;        // where attention_bias does not say
  bool bias_on_output;  // attention_bias reaches the output projection too
  bool qk_norm;
};

constexpr std::array kFamilies{
    Family{.type = "llama", .qkv_bias = false, .bias_on_output = true, .qk_norm = false},
    Family{.type = "baichuan", .qkv_bias = false, .bias_on_output = false, .qk_norm = false},
    Family{.type = "mistral", .qkv_bias = false, .bias_on_output = false, .qk_norm = false},
    Family{.type = "qwen2", .qkv_bias = true, .bias_on_output = false, .qk_norm = false},
    Family{.type = "qwen3", .qkv_bias = false, .bias_on_output = true, .qk_norm = true},
};

struct Unmodelled {
  const char* key;
  std::string_view means;
};

constexpr std::array kUnmodelled{
    Unmodelled{"num_local_experts", "a mixture of experts"},
    Unmodelled{"num_experts", "a mixture of experts"},
    Unmodelled{"n_routed_experts", "a mixture of experts"},
    Unmodelled{"q_lora_rank", "latent attention"},
    Unmodelled{"kv_lora_rank", "latent attention"},
    Unmodelled{"is_encoder_decoder", "an encoder"},
    Unmodelled{"add_cross_attention", "cross attention"},
    Unmodelled{"use_sliding_window", "sliding-window attention"},
    Unmodelled{"mlp_bias", "biases in the FFN"},
};

const Family& find_family(const JsonConfig& config) {
  const auto type = config.text("model_type");
  if (!type) throw InputError{config.where(), "no key 'model_type'", "it says how to read the other keys"};
  const auto found = std::ranges::find(kFamilies, *type, &Family::type);
  if (found != kFamilies.end()) return *found;

  std::array<std::string_view, kFamilies.size()> known;
  std::ranges::transform(kFamilies, known.begin(), &Family::type);
  throw InputError{config.where() + ": model_type", fmt::format("no model type '{}'", *type),
                   fmt::format("known: {}", fmt::join(known, ", "))};
}

bool is_switched_on(const json& value) {
  return value != false && value != 0;
}

void refuse_unmodelled(const JsonConfig& config) {
  for (const auto& [key, means] : kUnmodelled) {
    const json* value = config.find(key);
    if (!value || !is_switched_on(*value)) continue;
    throw InputError{fmt::format("{}: {}", config.where(), key), fmt::format("{} is not modelled", means),
                     "known are dense decoders with full attention"};
  }
}

void refuse_other_activation(const JsonConfig& config) {
  const auto activation = config.text("hidden_act");
  if (activation && *activation != "silu") config.refuse("hidden_act", *activation, "silu");
}

void refuse_other_precision(const JsonConfig& config) {
  const json* quantization = config.find("quantization_config");
  if (!quantization) return;
  const auto says = [&](const char* key, const json& value) {
    return quantization->is_object() && quantization->value(key, json{}) == value;
  };
  if (says("bits", 8) || says("load_in_8bit", true) || says("quant_method", "fp8")) return;
  config.refuse("quantization_config", quantization->dump(), "8 bits a weight");
}

// Qwen files carry a window that use_sliding_window leaves off; in Mistral's the number alone counts.
void refuse_sliding_window(const JsonConfig& config, const Family& family, int context) {
  if (family.type != "mistral") return;
  const auto window = config.optional_size("sliding_window", kMaxContext);
  if (!window || (context > 0 && *window >= context)) return;
  config.refuse("sliding_window", std::to_string(*window),
                "null or the whole context: sliding-window attention is not modelled");
}

int import_kv_heads(const JsonConfig& config, int heads) {
  const int kv_heads = config.optional_size("num_key_value_heads", kMaxHeads).value_or(heads);
  if (heads % kv_heads != 0) {
    config.refuse("num_key_value_heads", std::to_string(kv_heads),
                  fmt::format("a divisor of the {} attention heads", heads));
  }
  return kv_heads;
}

int import_head_dim(const JsonConfig& config, int hidden, int heads) {
  if (const auto given = config.optional_size("head_dim", kMaxHeadDim)) return *given;
  if (hidden % heads != 0) {
    config.refuse("num_attention_heads", std::to_string(heads),
                  fmt::format("a divisor of the hidden size {} where no head_dim is given", hidden));
  }
  return hidden / heads;
}

int import_context(const JsonConfig& config) {
  for (const char* key : {"max_position_embeddings", "max_sequence_length", "model_max_length"}) {
    if (const auto context = config.optional_size(key, kMaxContext)) return *context;
  }
  return 0;
}

ModelDescription import_shape(const JsonConfig& config, const Family& family) {
  const int hidden = config.size("hidden_size", kMaxHidden);
  const int heads = config.size("num_attention_heads", kMaxHeads);
  const auto bias = config.flag("attention_bias");
  return {
      .name = config.text("_name_or_path").value_or(config.where()),
      .layers = config.size("num_hidden_layers", kMaxLayers),
      .hidden_size = hidden,
      .ffn_size = config.size("intermediate_size", kMaxFfn),
      .attention_heads = heads,
      .kv_heads = import_kv_heads(config, heads),
      .head_dim = import_head_dim(config, hidden, heads),
      .vocab_size = config.size("vocab_size", kMaxVocab),
      .tied_embeddings = config.flag("tie_word_embeddings").value_or(false),
      .qkv_bias = bias.value_or(family.qkv_bias),
      .output_bias = bias.value_or(false) && family.bias_on_output,
      .qk_norm = family.qk_norm,
      .trained_context = import_context(config),
  };
}

}  // namespace

ModelDescription import_hugging_face(std::string_view json_text, const std::string& where) {
  const JsonConfig config{json_text, where};
  const Family& family = find_family(config);
  refuse_unmodelled(config);
  refuse_other_activation(config);
  refuse_other_precision(config);
  auto model = import_shape(config, family);
  refuse_sliding_window(config, family, model.trained_context);
  return model;
}

ModelDescription shipped_model(std::string_view name) {
  const auto text = embedded_file(fmt::format("{}.json", name));
  if (text.empty()) {
    throw InputError{"", fmt::format("no shipped model '{}'", name),
                     fmt::format("there are {}", fmt::join(shipped_model_names(), ", "))};
  }
  return import_hugging_face(text, std::string{name});
}

std::vector<std::string> shipped_model_names() {
  constexpr std::string_view kEnding = ".json";
  std::vector<std::string> names;
  for (auto file : embedded_files()) {
    if (file.ends_with(kEnding)) names.emplace_back(file.substr(0, file.size() - kEnding.size()));
  }
  return names;
}

}  // namespace ouro::llm
