#include "llm/system.hpp"

#include <fmt/format.h>

#include "engine/error.hpp"
#include "llm/stage_process.hpp"

namespace ouro::llm {
namespace {

bool is_stage(const Experiment& experiment) {
  return experiment.wafer.noc.fidelity == wafer::Fidelity::stage;
}

std::optional<StageTiming> make_stage_timing(const Experiment& experiment) {
  if (!is_stage(experiment)) return std::nullopt;
  return std::make_optional<StageTiming>(*experiment.plan, experiment.make_kv_controller(),
                                         experiment.summary.longest_context, experiment.calibration);
}

}  // namespace

engine::Placement place(const Experiment& experiment, const std::vector<int>& rank_of_die) {
  const auto host_die = experiment.wafer.geometry.die_of(experiment.wafer.noc.host);
  engine::Placement placement{engine::kEveryRank, rank_of_die[host_die.value()]};
  placement.insert(placement.end(), rank_of_die.begin(), rank_of_die.end());
  return placement;
}

engine::Lookahead usable_lookahead(const Experiment& experiment, engine::Lookahead wanted) {
  const bool stays_whole = experiment.wafer.noc.routing.is_whole() && experiment.wafer.failures.empty();
  return stays_whole ? wanted : engine::Lookahead::link;
}

System::System(const Experiment& experiment, int rank, int ranks, const std::vector<int>& rank_of_die,
               engine::Lookahead lookahead, const engine::SavedState& saved, engine::Recorder* recorder)
    : experiment_{experiment},
      machine_{experiment.wafer.failures.empty() ? nullptr : std::make_unique<LiveMachine>(experiment)},
      foresight_{*experiment.plan, experiment.control_latency, rank_of_die, rank},
      stage_timing_{make_stage_timing(experiment)},
      region_{std::make_unique<engine::Region>(
          rank, ranks, place(experiment, rank_of_die), [this](engine::LpId id) { return make(id); },
          engine::RegionOptions{
              .lookahead = usable_lookahead(experiment, lookahead),
              .saved = saved,
              .meet_border = [this, usable = usable_lookahead(experiment, lookahead)](
                                 const engine::Border& border) { foresight_.meet(border, usable); },
              .recorder = recorder})} {}

std::unique_ptr<engine::LogicalProcess> System::make(engine::LpId id) {
  if (id == kControllerLp) {
    auto controller = std::make_unique<ServingController>(
        experiment_.serving, experiment_.make_kv_controller(), experiment_.make_encoder_kv_controller(),
        make_source(experiment_.workload), is_stage(experiment_) ? 0 : experiment_.wafer.geometry.dies(),
        foresight_, FaultRecovery{machine_.get(), experiment_.control_latency}, experiment_.summary);
    controller_ = controller.get();
    return controller;
  }
  if (id == kHostLp) {
    auto host = std::make_unique<HostProcess>(plan(), foresight_, experiment_.control_latency);
    host_ = host.get();
    return host;
  }
  auto die = make_die(wafer::DieId{id.value() - kFirstDieLp});
  dies_.push_back(die.get());
  station_logs_.push_back(&die->station_log());
  return die;
}

std::unique_ptr<Die> System::make_die(wafer::DieId id) {
  const auto control_latency = experiment_.control_latency;
  const StationLog log{experiment_.serving.record_stations_every};
  if (stage_timing_)
    return std::make_unique<StageProcess>(plan(), id, *stage_timing_, controller_->kv(), control_latency,
                                          log);
  auto die = std::make_unique<DieProcess>(plan(), id, controller_->kv(), controller_->encoder_kv(),
                                          foresight_, control_latency, log, experiment_.recorded_packets);
  packet_dies_.push_back(die.get());
  return die;
}

std::vector<StationRecord> System::take_station_records() {
  std::vector<StationRecord> all;
  for (auto* log : station_logs_) {
    const auto records = log->take();
    all.insert(all.end(), records.begin(), records.end());
  }
  return all;
}

void System::check_finished() const {
  const auto& totals = controller_->totals();
  const auto requests = static_cast<std::int64_t>(experiment_.summary.requests);
  if (totals.requests_done != requests && !controller_->recovery().halted()) {
    throw engine::ContractError{fmt::format("nothing is left to do, but {} of {} requests have not ended",
                                            requests - totals.requests_done, requests)};
  }
  if (controller_->kv().pages_used() != controller_->kv().pages_cached())
    throw engine::ContractError{"KV pages are held after the last request"};
  if (experiment_.serving.encodes && controller_->encoder_kv().pages_used() != 0)
    throw engine::ContractError{"KV pages of the encoder are held after the last request"};
  for (const auto* die : dies_) {
    if (!die->is_idle())
      throw engine::ContractError{die->name() + " has work or KV left after the last request"};
  }
}

}  // namespace ouro::llm
