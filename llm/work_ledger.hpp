#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/time.hpp"
#include "engine/timeline.hpp"
#include "llm/stage.hpp"
#include "wafer/energy.hpp"

namespace ouro::llm {

/// What the cores of one die did, by stage. Integers only, so that sums over dies do not depend on order.
class WorkLedger {
 public:
  /// @param blocks  of the model; the LM head counts as one more
  WorkLedger(int blocks, const wafer::EnergyModel& energy)
      : energy_{energy}, busy_(static_cast<std::size_t>(blocks + 1) * kStageCount) {}

  void count(Stage stage, Phase phase, wafer::Component component, std::int64_t amount) {
    counts_[index(stage, phase)][component] += amount;
    unsettled_ = unsettled_ + amount * energy_.each[static_cast<std::size_t>(component)];
  }
  void count(Stage stage, Phase phase, const wafer::EnergyCounts& amounts, std::int64_t times = 1) {
    auto& counts = counts_[index(stage, phase)];
    for (std::size_t i = 0; i < amounts.of.size(); ++i) counts.of[i] += times * amounts.of[i];
    unsettled_ = unsettled_ + times * energy_.of(amounts);
  }
  /// Shows on the timeline, at `when`, the energy of what was counted since the last call.
  void settle(engine::Time when) {
    if (unsettled_ == engine::Energy{}) return;
    energy_timeline_.add(when, unsettled_.femtojoules());
    unsettled_ = {};
  }

  const wafer::EnergyCounts& counts(Stage stage, Phase phase) const { return counts_[index(stage, phase)]; }

  void busy(engine::Time when, int block, Stage stage, engine::Duration duration) {
    busy_[static_cast<std::size_t>(block) * kStageCount + static_cast<std::size_t>(stage)] +=
        duration.count();
    busy_timelines_[static_cast<std::size_t>(stage)].add(when, duration.count());
  }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [energy, unsettled, counts, busy, energy_timeline, busy_timelines] = *this;
    engine::archive_fields(archive, unsettled, counts, busy, energy_timeline, busy_timelines);
  }

  /// Core-picoseconds of crossbars and SFUs, by block (LM head last) and stage.
  const std::vector<std::int64_t>& busy() const { return busy_; }
  const engine::Timeline& energy_timeline() const { return energy_timeline_; }  ///< fJ
  const engine::Timeline& busy_timeline(Stage stage) const {                    ///< core-ps
    return busy_timelines_[static_cast<std::size_t>(stage)];
  }

 private:
  static std::size_t index(Stage stage, Phase phase) {
    return static_cast<std::size_t>(stage) * kPhaseCount + static_cast<std::size_t>(phase);
  }

  const wafer::EnergyModel& energy_;
  engine::Energy unsettled_;
  std::array<wafer::EnergyCounts, kStageCount * kPhaseCount> counts_;
  std::vector<std::int64_t> busy_;
  engine::Timeline energy_timeline_;
  std::array<engine::Timeline, kStageCount> busy_timelines_;
};

}  // namespace ouro::llm
