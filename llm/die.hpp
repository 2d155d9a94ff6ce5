#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/logical_process.hpp"
#include "engine/state_archive.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/station_log.hpp"
#include "llm/station_times.hpp"
#include "llm/traffic.hpp"
#include "llm/work_ledger.hpp"
#include "wafer/geometry.hpp"

namespace ouro::llm {

/// What a station saw.
struct StationUse {
  std::int64_t tokens = 0;
  /// Sum over tokens: ready, but without a credit, by the buffer that had no room; see StationState.
  engine::Duration without_output_buffer{};
  engine::Duration without_input_buffer{};
  std::vector<std::int64_t> expert_tokens{};  ///< gate and up: by expert, the tokens that it worked for
  StationTimes times{};
  HeldTokens held{};

  /// A token leaves.
  /// @param holds  tokens, this one included
  /// @param works  whether the tiles get it
  void launch(const ReadyToken& token, std::int64_t holds, const StationTimes::Waits& waits,
              const StationPlan& station, bool works, engine::Time now) {
    ++tokens;
    without_output_buffer += waits.for_output_buffer(now);
    without_input_buffer += waits.for_input_buffer(now);
    times.launch(token, waits, station.gather_time, works ? station.pass_time : engine::Duration{}, now);
    held.most = std::max(held.most, holds);
    held.time += now - token.first;
  }

  engine::Duration stalled() const { return without_output_buffer + without_input_buffer; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [passed, without_output, without_input, by_expert, by_state, holds] = *this;
    engine::archive_fields(archive, passed, without_output, without_input, by_expert, by_state, holds);
  }
};

/// One die of the wafer, at whatever fidelity: what it leaves for the results.
class Die : public engine::LogicalProcess {
 public:
  std::string name() const override { return fmt::format("die {}", die().value()); }

  virtual wafer::DieId die() const = 0;
  virtual WorkLedger ledger() const = 0;
  virtual Traffic traffic() const = 0;

  /// Of the station with that number while its home core was on this die; nullptr if it never was.
  virtual const StationUse* station_use(int station) const = 0;

  /// When recorded tokens were at this die's stations.
  virtual StationLog& station_log() = 0;

  /// Whether nothing is under way and no KV is held, as it must be at the end of a run.
  virtual bool is_idle() const = 0;
};

}  // namespace ouro::llm
