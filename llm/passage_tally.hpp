#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "llm/passage.hpp"

namespace ouro::llm {

/// Times of one KV head with some tokens on a core.
struct AttentionTimes {
  engine::Duration score{};  ///< K written before
  engine::Duration softmax{};
  engine::Duration values{};  ///< V written before

  engine::Duration sum() const { return score + softmax + values; }
  engine::Duration slowest() const { return std::max({score, softmax, values}); }
};

/// Passages of one station that no ledger has yet. Most of a station's passages are alike, so they are
/// counted, and multiplied when they are settled.
struct PassageTally {
  std::array<std::int64_t, kPhaseCount> alike{};     ///< passages of the kind that the station has most
  std::array<std::int64_t, kPhaseCount> others{};    ///< all others
  std::array<PassageWork, kPhaseCount> of_others{};  ///< sum over these
  std::array<std::int64_t, kPhaseCount> context{};   ///< heads x tokens that attention had beyond these
  AttentionTimes longer{};                           ///< what these took, summed over heads

  void add_other(Phase phase, const PassageWork& work) {
    ++others[static_cast<std::size_t>(phase)];
    of_others[static_cast<std::size_t>(phase)] += work;
  }
  void clear() {
    for (std::size_t phase = 0; phase < kPhaseCount; ++phase)
      if (others[phase] > 0) of_others[phase] = {};
    alike = others = context = {};
    longer = {};
  }
};

}  // namespace ouro::llm

OURO_ARCHIVE_AS_BYTES(ouro::llm::AttentionTimes);
OURO_ARCHIVE_AS_BYTES(ouro::llm::PassageTally);
