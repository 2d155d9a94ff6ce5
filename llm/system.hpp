#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/region.hpp"
#include "llm/die_process.hpp"
#include "llm/experiment.hpp"
#include "llm/host_process.hpp"
#include "llm/live_machine.hpp"
#include "llm/serving_controller.hpp"
#include "llm/stage_timing.hpp"

namespace ouro::llm {

/// What of the wanted lookahead a wafer allows: promises know the ways of a whole network only.
engine::Lookahead usable_lookahead(const Experiment& experiment, engine::Lookahead wanted);

/// The rank of every LP.
engine::Placement place(const Experiment& experiment, const std::vector<int>& rank_of_die);

/// The LPs of one rank: its copy of the controllers, its dies, and perhaps the host interface.
class System {
 public:
  /// @param rank_of_die  one rank for each die; the host interface goes with the die that it is attached to
  /// @param lookahead    wanted
  /// @param saved        the states to go on from; without, a run begins
  /// @param recorder     takes down what the LPs do; outlives them
  System(const Experiment& experiment, int rank, int ranks, const std::vector<int>& rank_of_die,
         engine::Lookahead lookahead = engine::Lookahead::promises, const engine::SavedState& saved = {},
         engine::Recorder* recorder = nullptr);
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  engine::Region& region() { return *region_; }
  const engine::Region& region() const { return *region_; }
  ServingController& controller() { return *controller_; }
  const ServingController& controller() const { return *controller_; }
  /// Of this rank, in the order of their numbers.
  const std::vector<const Die*>& dies() const { return dies_; }
  /// When recorded tokens were at the stations of this rank, of those launched since the last call.
  std::vector<StationRecord> take_station_records();
  /// The same at `packet` and `flit` fidelity; none at `stage`.
  const std::vector<const DieProcess*>& packet_dies() const { return packet_dies_; }
  /// As it stands.
  const PipelinePlan& plan() const { return machine_ ? machine_->plan() : *experiment_.plan; }

  /// nullptr on the ranks that do not have it
  const HostProcess* host() const { return host_; }

  /// At the end of a run: every request has ended unless a failure halted the machine, nothing is under way,
  /// and no KV is held.
  /// @throws ContractError  that says what is left
  void check_finished() const;

 private:
  std::unique_ptr<engine::LogicalProcess> make(engine::LpId id);
  std::unique_ptr<Die> make_die(wafer::DieId die);

  const Experiment& experiment_;
  std::unique_ptr<LiveMachine> machine_;  // where something fails
  Foresight foresight_;
  std::optional<StageTiming> stage_timing_;  // at `stage` fidelity
  ServingController* controller_ = nullptr;  // owned by the region, as the others
  HostProcess* host_ = nullptr;
  std::vector<const Die*> dies_;
  std::vector<StationLog*> station_logs_;
  std::vector<const DieProcess*> packet_dies_;
  std::unique_ptr<engine::Region> region_;
};

}  // namespace ouro::llm
