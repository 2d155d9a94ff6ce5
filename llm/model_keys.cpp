#include "llm/model_keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "engine/error.hpp"

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
constexpr int kMaxExperts = 1 << 12;

/// Keys that change neither the shape nor the cost of what is computed: training, files, token numbers,
/// constants of norms and positions, and where weights are kept or split.
constexpr std::array<std::string_view, 62> kOfNoMatter{
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "auto_map",
    "aux_loss_alpha",
    "bos_token_id",
    "classifier_dropout",
    "decoder_start_token_id",
    "dense_act_fn",
    "directionality",
    "dropout_rate",
    "dtype",
    "embd_pdrop",
    "eos_token_id",
    "ep_size",
    "gradient_checkpointing",
    "hidden_dropout_prob",
    "id2label",
    "initializer_factor",
    "initializer_range",
    "is_gated_act",
    "label2id",
    "layer_norm_eps",
    "layer_norm_epsilon",
    "mask_token_id",
    "max_window_layers",
    "model_type",
    "n_group",
    "norm_topk_prob",
    "num_nextn_predict_layers",
    "output_past",
    "output_router_logits",
    "pad_token_id",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "pretraining_tp",
    "relative_attention_max_distance",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "routed_scaling_factor",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "scoring_func",
    "sep_token_id",
    "seq_aux",
    "sliding_window",
    "task_specific_params",
    "tokenizer_class",
    "topk_group",
    "torch_dtype",
    "transformers_version",
    "unk_token_id",
    "use_cache",
    "attn_implementation",
    "_attn_implementation",
    "position_embedding_type",
};

}  // namespace

int ModelKeys::layers(const char* key) const {
  return config_.size(key, kMaxLayers);
}
int ModelKeys::hidden_size(const char* key) const {
  return config_.size(key, kMaxHidden);
}
int ModelKeys::ffn_size(const char* key) const {
  return config_.size(key, kMaxFfn);
}
int ModelKeys::heads(const char* key) const {
  return config_.size(key, kMaxHeads);
}
int ModelKeys::head_dim(const char* key) const {
  return config_.size(key, kMaxHeadDim);
}
int ModelKeys::vocab_size() const {
  return config_.size("vocab_size", kMaxVocab);
}
int ModelKeys::experts(const char* key) const {
  return config_.size(key, kMaxExperts);
}
int ModelKeys::rank(const char* key) const {
  return config_.size(key, kMaxHidden);
}

int ModelKeys::context(std::initializer_list<const char*> keys) const {
  for (const char* key : keys) {
    if (const auto context = config_.optional_size(key, kMaxContext)) return *context;
  }
  return 0;
}

void ModelKeys::note_default(const char* key, std::string_view value, std::string_view reason) {
  note(fmt::format("'{}' is not given: {}, {}", key, value, reason));
}

int ModelKeys::layers_or(const char* key, int fallback, std::string_view reason) {
  if (const auto given = config_.optional_size(key, kMaxLayers)) return *given;
  note_default(key, std::to_string(fallback), reason);
  return fallback;
}

int ModelKeys::heads_or(const char* key, int fallback, std::string_view reason) {
  if (const auto given = config_.optional_size(key, kMaxHeads)) return *given;
  note_default(key, std::to_string(fallback), reason);
  return fallback;
}

bool ModelKeys::flag_or(const char* key, bool fallback, std::string_view reason) {
  if (const auto given = config_.flag(key)) return *given;
  note_default(key, fallback ? "true" : "false", reason);
  return fallback;
}

std::string ModelKeys::text_or(const char* key, const std::string& fallback, std::string_view reason) {
  if (auto given = config_.text(key)) return *std::move(given);
  note_default(key, fallback, reason);
  return fallback;
}

void ModelKeys::refuse_if_on(const char* key, std::string_view means) const {
  const json* value = config_.find(key);
  if (!value || *value == false || *value == 0) return;
  throw InputError{fmt::format("{}: {}", config_.where(), key), fmt::format("{} is not modelled", means),
                   fmt::format("a model of type '{}' is read without", *config_.text("model_type"))};
}

void ModelKeys::refuse_other_precision() const {
  const json* quantization = config_.find("quantization_config");
  if (!quantization) return;
  const auto says = [&](const char* key, const json& value) {
    return quantization->is_object() && quantization->value(key, json{}) == value;
  };
  if (says("bits", 8) || says("load_in_8bit", true) || says("quant_method", "fp8")) return;
  config_.refuse("quantization_config", quantization->dump(), "8 bits a weight");
}

std::vector<std::string> ModelKeys::take_notes() {
  auto unused = config_.unread_keys();
  std::erase_if(unused, [](const std::string& key) {
    return std::ranges::find(kOfNoMatter, key) != kOfNoMatter.end();
  });
  if (!unused.empty()) note(fmt::format("without effect: {}", fmt::join(unused, ", ")));
  return std::move(notes_);
}

}  // namespace ouro::llm
