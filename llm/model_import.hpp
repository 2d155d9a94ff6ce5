#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/model.hpp"

namespace ouro::llm {

/// Reads the config.json of a dense LLaMA-like decoder: model_type llama, baichuan, mistral, qwen2 or qwen3.
///
/// Keys that only change what we do not model (dropout, rope, token ids) are ignored; a key that changes the
/// computation in another way (experts, latent or sliding-window attention) is refused.
///
/// @param where  the file, for messages; also the model's name where `_name_or_path` gives none
/// @throws engine::InputError  with the file and the line or key
ModelDescription import_hugging_face(std::string_view json_text, const std::string& where);

/// A model that comes with the program, as "llama-13b".
/// @throws engine::InputError  listing the names that there are
ModelDescription shipped_model(std::string_view name);

std::vector<std::string> shipped_model_names();

}  // namespace ouro::llm
