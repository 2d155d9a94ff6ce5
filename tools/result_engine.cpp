#include "tools/result_groups.hpp"

namespace ouro::tools {
namespace {

/// Datasets with a number for each rank.
class RankTable {
 public:
  explicit RankTable(ResultWriting& out) : out_{out} {}

  template <class T>
  void write(const char* name, const char* unit, const char* meaning, T value) {
    out_.file().write<T>({fmt::format("/engine/{}", name), unit, meaning}, std::span<const T>{&value, 1},
                         static_cast<std::size_t>(engine::mpi_rank(out_.comm())),
                         static_cast<std::size_t>(engine::mpi_size(out_.comm())));
  }

 private:
  ResultWriting& out_;
};

void write_run(ResultWriting& out, const EngineReport& report) {
  auto& file = out.file();
  file.set_attribute("/engine", "ranks", std::int64_t{engine::mpi_size(out.comm())});
  file.set_attribute("/engine", "wall_s", report.wall_seconds);
  file.set_attribute("/engine", "restarted_at_ps", engine::picoseconds(report.restarted_at));
  file.set_attribute("/engine", "tokens_processed", report.tokens);
  file.set_attribute("/engine", "checkpoints", report.checkpoints);
}

void write_controllers(RankTable& table, const engine::Region::ReplicationCost& cost) {
  table.write("control_events", "1", "of them, events of the controllers, of which every rank has a copy",
              cost.handled);
  table.write("control_copies", "1", "events for the controllers sent to other ranks", cost.copies);
  table.write("control_bytes", "byte", "bytes of those", cost.copies * sizeof(engine::Event));
}

void write_synchronization(RankTable& table, const engine::SynchronizationCost& cost) {
  table.write("windows", "1", "stretches of work between synchronizations", cost.windows);
  table.write("busiest_events", "1",
              "sum over windows of the events of the rank that had most; 0 for null-message and on one rank",
              cost.busiest);
  table.write("events_s", "s", "wall time in event handlers and the event queue", cost.events_seconds);
  table.write("waiting_s", "s", "wall time waiting for other ranks", cost.waiting_seconds);
  table.write("packing_s", "s", "wall time sending and taking in messages", cost.packing_seconds);
  table.write("promising_s", "s", "wall time finding out what can be promised", cost.promising_seconds);
  table.write("messages_sent", "1", "batches of events and promises sent to other ranks", cost.messages_sent);
  table.write("promises_sent", "1", "of them, those without an event", cost.promises_sent);
  table.write("bytes_sent", "byte", "bytes of those batches", cost.bytes_sent);
  table.write("promises_tested", "1", "batches with events that came after a promise", cost.promises_tested);
  table.write("promise_slack_ps", "ps", "mean over them of their earliest event's time less the promise",
              cost.promises_tested == 0 ? 0.0 : cost.slack_ps / static_cast<double>(cost.promises_tested));
}

/// Replicated LPs count once, as rank 0 has them.
void write_lp_events(ResultWriting& out, const engine::Region& region) {
  std::vector<std::uint64_t> events(region.placement().size(), 0);
  for (const auto& report : region.reports()) {
    if (!report.replicated || out.is_root()) events[report.id.value()] = report.events;
  }
  out.sum_over_ranks(events);
  out.write_whole<std::uint64_t>(
      {"/engine/lp_events", "1", "events handled by the controllers, the host interface, and each die"},
      events);
}

}  // namespace

void write_engine(ResultWriting& out, const EngineReport& report, const engine::Region& region) {
  RankTable table{out};
  write_run(out, report);
  table.write("checkpoint_s", "s", "wall time for checkpoints, by rank", report.checkpoint_seconds);
  table.write("events", "1", "events handled, by rank", report.events);
  table.write("peak_memory_mb", "MB", "largest resident memory", peak_memory_mb());
  write_controllers(table, report.replication);
  write_synchronization(table, report.cost);
  const auto dies = region.placement().begin() + llm::kFirstDieLp;
  out.write_whole<std::int32_t>({"/engine/rank_of_die", "1", "rank that simulated each die"},
                                {dies, region.placement().end()});
  write_lp_events(out, region);
}

}  // namespace ouro::tools
