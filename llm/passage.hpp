#pragma once

#include <array>
#include <cstdint>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"
#include "llm/stage.hpp"
#include "wafer/energy.hpp"

namespace ouro::llm {

/// What is counted of a token's way from one station to the next, or of several.
struct PassageWork {
  std::array<wafer::EnergyCounts, kStageCount> counts{};
  std::array<engine::Duration, kStageCount> busy{};    ///< core time of crossbars and SFUs
  std::array<bool, (kStageCount + 7) / 8 * 8> uses{};  ///< whether a stage has any of these; without padding
  std::int64_t packets = 0;                            ///< a multicast counts once for each destination
  std::int64_t flits = 0;
  std::int64_t packets_to_host = 0;  ///< of them
  std::int64_t flits_to_host = 0;

  PassageWork& operator+=(const PassageWork& other) {
    for (std::size_t stage = 0; stage < kStageCount; ++stage) {
      if (!other.uses[stage]) continue;
      uses[stage] = true;
      counts[stage] += other.counts[stage];
      busy[stage] += other.busy[stage];
    }
    packets += other.packets;
    flits += other.flits;
    packets_to_host += other.packets_to_host;
    flits_to_host += other.flits_to_host;
    return *this;
  }
};

/// What a token's way from one station to the next takes and costs when nothing else is under way.
struct Passage : PassageWork {
  engine::Duration to_next{};       ///< from its launch until the next station, or the host, has all of it
  engine::Duration first_output{};  ///< until the first tile of the station has its outputs
  engine::Duration home_output{};   ///< until the tile of the home core has its outputs
  engine::Duration credit{};        ///< until the station before, or the host, has its credit back
};

}  // namespace ouro::llm

OURO_ARCHIVE_AS_BYTES(ouro::llm::PassageWork);
OURO_ARCHIVE_AS_BYTES(ouro::llm::Passage);
