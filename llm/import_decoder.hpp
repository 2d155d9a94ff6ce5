#pragma once

#include <span>
#include <string_view>

#include "llm/model.hpp"
#include "llm/model_keys.hpp"

namespace ouro::llm {

/// A decoder with RMSNorm and a gated FFN, as LLaMA has it, and what its model_type fixes without a key.
struct DecoderFamily {
  std::string_view type;
  bool qkv_bias = false;        // where attention_bias does not say
  bool bias_on_output = false;  // attention_bias reaches the output projection too
  bool qk_norm = false;
  bool window_counts = false;  // sliding_window without use_sliding_window
  enum class Experts { none, mixtral, qwen, deepseek } experts = Experts::none;
};

std::span<const DecoderFamily> decoder_families();

/// @throws engine::InputError  with the file and the key
ModelDescription import_decoder(ModelKeys& keys, const DecoderFamily& family);

}  // namespace ouro::llm
