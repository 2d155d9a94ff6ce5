#pragma once

#include "llm/model.hpp"
#include "llm/model_keys.hpp"

namespace ouro::llm {

/// An encoder with learned positions, LayerNorm after each residual, biases, and an FFN without a gate.
/// @throws engine::InputError  with the file and the key
ModelDescription import_bert(ModelKeys& keys);

/// Encoder and decoder with RMSNorm, no biases, and biases of the scores by relative position.
/// @throws engine::InputError  with the file and the key
ModelDescription import_t5(ModelKeys& keys);

}  // namespace ouro::llm
