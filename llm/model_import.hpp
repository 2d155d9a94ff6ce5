#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/model.hpp"

namespace ouro::llm {

struct ImportedModel {
  ModelDescription model;
  /// What a user should know: what was assumed for keys that are not there, and which keys had no effect.
  std::vector<std::string> notes;
};

/// Reads a config.json in Hugging Face format.
///
/// Known are dense decoders like LLaMA (model_type llama, baichuan, mistral, qwen2, qwen3), with experts
/// (mixtral, qwen2_moe, qwen3_moe), with experts and latent attention (deepseek_v2, deepseek_v3), encoders
/// (bert), and encoder-decoders (t5). A key that changes the computation in a way that is not described by a
/// ModelDescription is refused.
///
/// @param where  the file, for messages; also the model's name where `_name_or_path` gives none
/// @throws engine::InputError  with the file and the line or key
ImportedModel import_hugging_face(std::string_view json_text, const std::string& where);

/// A model that comes with the program, as "llama-13b".
/// @throws engine::InputError  listing the names that there are
ModelDescription shipped_model(std::string_view name);

std::vector<std::string> shipped_model_names();

}  // namespace ouro::llm
