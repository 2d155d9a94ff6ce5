#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace ouro::llm {

/// What work is counted for: the six stages of a block, what follows the last block, and what failures of
/// the wafer make necessary.
enum class Stage : unsigned char { layer_norm, qkv, score, softmax, projection, ffn, head, host, repair };

inline constexpr std::array<std::string_view, 9> kStageNames{
    "layer_norm", "qkv", "score", "softmax", "projection", "ffn", "head", "host", "repair"};
inline constexpr std::size_t kStageCount = kStageNames.size();

enum class Phase : unsigned char { prefill, decode };
inline constexpr std::array<std::string_view, 2> kPhaseNames{"prefill", "decode"};
inline constexpr std::size_t kPhaseCount = kPhaseNames.size();

}  // namespace ouro::llm
