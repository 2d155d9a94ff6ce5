#include "tools/run_statistics.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "engine/error.hpp"
#include "engine/mpi.hpp"

namespace ouro::tools {
namespace {

void sum_over_ranks(MPI_Comm comm, std::span<std::int64_t> values) {
  MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_INT64_T, MPI_SUM, comm);
}

std::int64_t sum_over_ranks(MPI_Comm comm, std::int64_t value) {
  return engine::mpi_reduce_all(comm, value, MPI_SUM);
}

/// Sums the timelines of all dies, brought to the widest window of any. A window of the result has a value
/// for each of `kinds`; `kind_of` says to which a timeline of `local` counts.
template <class KindOf>
WindowedQuantity merge(MPI_Comm comm, const std::vector<engine::Timeline>& local, std::size_t kinds,
                       const KindOf& kind_of) {
  std::int64_t shift = engine::Timeline{}.shift();
  for (const auto& timeline : local) shift = std::max<std::int64_t>(shift, timeline.shift());
  shift = engine::mpi_reduce_all(comm, shift, MPI_MAX);
  WindowedQuantity merged{static_cast<int>(shift),
                          std::vector<std::int64_t>(engine::Timeline::kWindows * kinds)};
  std::int64_t used = 0;
  for (std::size_t of = 0; of < local.size(); ++of) {
    auto timeline = local[of];
    timeline.widen_to(static_cast<int>(shift));
    const auto& values = timeline.values();
    for (std::size_t i = 0; i < values.size(); ++i) merged.values[i * kinds + kind_of(of)] += values[i];
    used = std::max<std::int64_t>(used, static_cast<std::int64_t>(values.size()));
  }
  sum_over_ranks(comm, merged.values);
  merged.values.resize(static_cast<std::size_t>(engine::mpi_reduce_all(comm, used, MPI_MAX)) * kinds);
  return merged;
}

/// As above, where `local` has one of each kind of each die, one after the other.
WindowedQuantity merge(MPI_Comm comm, const std::vector<engine::Timeline>& local, std::size_t kinds) {
  return merge(comm, local, kinds, [kinds](std::size_t of) { return of % kinds; });
}

llm::Traffic total_traffic(MPI_Comm comm, const llm::System& system) {
  llm::Traffic traffic;
  for (const auto* die : system.dies()) traffic += die->traffic();
  if (system.host() != nullptr) traffic += system.host()->traffic();
  traffic.packets_sent = sum_over_ranks(comm, traffic.packets_sent);
  traffic.packets_received = sum_over_ranks(comm, traffic.packets_received);
  traffic.flits_sent = sum_over_ranks(comm, traffic.flits_sent);
  traffic.flits_received = sum_over_ranks(comm, traffic.flits_received);
  traffic.packets_discarded = sum_over_ranks(comm, traffic.packets_discarded);
  traffic.flits_discarded = sum_over_ranks(comm, traffic.flits_discarded);
  return traffic;
}

void add_energy(RunStatistics& statistics, const llm::Experiment& experiment, const llm::System& system,
                MPI_Comm comm) {
  auto& counts = statistics.energy_counts;
  std::vector<llm::WorkLedger> ledgers;
  for (const auto* die : system.dies()) ledgers.push_back(die->ledger());
  for (std::size_t stage = 0; stage < llm::kStageCount; ++stage) {
    for (std::size_t phase = 0; phase < llm::kPhaseCount; ++phase) {
      wafer::EnergyCounts total;
      for (const auto& ledger : ledgers)
        total += ledger.counts(static_cast<llm::Stage>(stage), static_cast<llm::Phase>(phase));
      counts.insert(counts.end(), total.of.begin(), total.of.end());
    }
  }
  sum_over_ranks(comm, counts);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto component = static_cast<wafer::Component>(i % wafer::kComponentCount);
    statistics.energy_femtojoules.push_back(experiment.wafer.energy.of(component, counts[i]).femtojoules());
  }
}

void add_use(RunStatistics& statistics, const llm::Experiment& experiment, const llm::System& system,
             MPI_Comm comm) {
  std::vector<engine::Timeline> energy, busy, collisions, flits;
  for (const auto* die : system.packet_dies()) {
    collisions.push_back(die->kv_collisions());
    flits.push_back(die->link_flits());
    statistics.most_query_bytes = std::max(statistics.most_query_bytes, die->most_query_bytes());
  }
  statistics.most_query_bytes = engine::mpi_reduce_all(comm, statistics.most_query_bytes, MPI_MAX);
  statistics.stage_busy.resize(static_cast<std::size_t>(experiment.plan->blocks() + 1) * llm::kStageCount);
  for (const auto* die : system.dies()) {
    const auto ledger = die->ledger();
    energy.push_back(ledger.energy_timeline());
    for (std::size_t stage = 0; stage < llm::kStageCount; ++stage)
      busy.push_back(ledger.busy_timeline(static_cast<llm::Stage>(stage)));
    for (std::size_t i = 0; i < ledger.busy().size(); ++i) statistics.stage_busy[i] += ledger.busy()[i];
  }
  sum_over_ranks(comm, statistics.stage_busy);
  statistics.energy = merge(comm, energy, 1);
  statistics.busy = merge(comm, busy, llm::kStageCount);
  statistics.kv_collisions = merge(comm, collisions, 1);
  const auto dies = static_cast<std::size_t>(experiment.wafer.geometry.dies());
  statistics.link_flits = merge(comm, flits, dies, [&](std::size_t of) {
    return static_cast<std::size_t>(system.packet_dies()[of]->die().value());
  });
}

void check(bool holds, std::string_view what, std::int64_t a, std::int64_t b) {
  if (!holds) throw engine::ContractError{fmt::format("not conserved: {} ({} and {})", what, a, b)};
}

/// What the cores and their links counted one by one is what their dies counted by stage.
void check_energy_of_cores(const RunStatistics& statistics, const llm::Experiment& experiment,
                           const llm::System& system, MPI_Comm comm) {
  if (experiment.wafer.noc.fidelity == wafer::Fidelity::stage) return;
  std::vector<std::int64_t> by_core(wafer::kComponentCount), by_stage(wafer::kComponentCount);
  for (const auto* die : system.packet_dies()) {
    for (int core = 0; core < experiment.wafer.geometry.cores_of_die(); ++core) {
      const auto counts = die->energy_counts(core);
      for (std::size_t i = 0; i < by_core.size(); ++i) by_core[i] += counts.of[i];
    }
  }
  sum_over_ranks(comm, by_core);
  for (std::size_t i = 0; i < statistics.energy_counts.size(); ++i)
    by_stage[i % by_stage.size()] += statistics.energy_counts[i];
  for (std::size_t i = 0; i < by_core.size(); ++i) {
    check(by_core[i] == by_stage[i],
          fmt::format("counts of {} by core and by stage", wafer::kComponents[i].name), by_core[i],
          by_stage[i]);
  }
}

void check_conservation(const RunStatistics& statistics, const llm::Experiment& experiment,
                        const llm::System& system) {
  const auto& totals = system.controller().totals();
  const auto needed = experiment.tokens_to_process();
  const auto left = totals.tokens_retired + totals.tokens_discarded;
  check(totals.tokens_issued == left, "tokens that entered, and that left or were given up",
        totals.tokens_issued, left);
  if (!system.controller().recovery().halted()) {
    const auto entered = needed + totals.tokens_recomputed + totals.tokens_discarded - totals.tokens_cached;
    check(totals.tokens_issued == entered,
          "tokens that entered, and those asked for with those computed again and without those cached",
          totals.tokens_issued, entered);
    check(totals.output_tokens == experiment.summary.output.total, "output tokens sampled and asked for",
          totals.output_tokens, experiment.summary.output.total);
  }
  const auto& traffic = statistics.traffic;
  const auto packets = traffic.packets_received + traffic.packets_discarded;
  check(traffic.packets_sent == packets, "packets sent, and received or discarded", traffic.packets_sent,
        packets);
  const auto flits = traffic.flits_received + traffic.flits_discarded;
  check(traffic.flits_sent == flits, "flits sent, and received or discarded", traffic.flits_sent, flits);
  std::int64_t total = 0, over_time = 0;
  for (const auto energy : statistics.energy_femtojoules) total += energy;
  for (const auto energy : statistics.energy.values) over_time += energy;
  check(total == over_time, "femtojoules by component and over time", total, over_time);
}

}  // namespace

double peak_memory_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
}

RunStatistics gather_statistics(MPI_Comm comm, const llm::Experiment& experiment, const llm::System& system) {
  RunStatistics statistics;
  statistics.verdict = engine::verify_run(comm, system.region());
  const auto& totals = system.controller().totals();
  statistics.makespan = totals.last_done - totals.first_arrival;
  statistics.traffic = total_traffic(comm, system);
  add_energy(statistics, experiment, system, comm);
  add_use(statistics, experiment, system, comm);
  statistics.events_handled =
      static_cast<std::uint64_t>(sum_over_ranks(comm, static_cast<std::int64_t>(system.region().events())));
  double memory = peak_memory_mb();
  MPI_Allreduce(MPI_IN_PLACE, &memory, 1, MPI_DOUBLE, MPI_MAX, comm);
  statistics.peak_memory_mb = memory;
  check_conservation(statistics, experiment, system);
  check_energy_of_cores(statistics, experiment, system, comm);
  return statistics;
}

}  // namespace ouro::tools
