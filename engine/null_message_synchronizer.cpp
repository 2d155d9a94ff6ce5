#include "engine/null_message_synchronizer.hpp"

#include <algorithm>

#include "engine/mpi.hpp"
#include "engine/patience.hpp"
#include "engine/stopwatch.hpp"

namespace ouro::engine {
NullMessageSynchronizer::NullMessageSynchronizer(MPI_Comm comm, Region& region,
                                                 const SynchronizerOptions& options)
    : comm_{comm},
      region_{region},
      heartbeat_{options.heartbeat},
      transport_{comm},
      protocol_{region, transport_, find_neighbours(comm, region),
                Duration{mpi_reduce_all(comm, region.shortest_way().count(), MPI_MIN)}},
      watch_{comm, [this] { return protocol_.describe(); }, options.stall_limit_seconds} {}

Time NullMessageSynchronizer::run_until(Time stop) {
  for (Time next = protocol_.handled(); next < stop;) {
    next = run_slice(std::min(protocol_.end_of_slice(next), stop));
    if (next >= stop) return next;
  }
  return meet(stop);
}

Time NullMessageSynchronizer::run_slice(Time stop) {
  while (true) {
    const auto step = protocol_.step(stop);
    look_for_stall();
    switch (step) {
      case NullMessageProtocol::Step::worked:
        if (heartbeat_) heartbeat_(protocol_.handled());
        break;
      case NullMessageProtocol::Step::waits:
        wait_for_news();
        break;
      case NullMessageProtocol::Step::is_done:
        while (!protocol_.all_are_done()) wait_for_news();
        return meet(stop);
    }
  }
}

Time NullMessageSynchronizer::meet(Time stop) {
  const Stopwatch waiting{waiting_seconds_};
  // the least of the first and the most of the others in one all-reduce
  const auto activity = protocol_.activity();
  std::int64_t agreement[] = {-picoseconds(region_.next_time()), static_cast<std::int64_t>(activity.events),
                              static_cast<std::int64_t>(activity.batches)};
  MPI_Allreduce(MPI_IN_PLACE, agreement, 3, MPI_INT64_T, MPI_MAX, comm_);
  const auto next = from_picoseconds(-agreement[0]);
  protocol_.meet(stop, next,
                 {static_cast<std::uint64_t>(agreement[1]), static_cast<std::uint64_t>(agreement[2])});
  return next;
}

void NullMessageSynchronizer::wait_for_news() {
  const Stopwatch waiting{waiting_seconds_};
  for (Patience patience; !protocol_.receive(); patience.wait()) look_for_stall();
}

void NullMessageSynchronizer::look_for_stall() {
  watch_.look(region_.events() + static_cast<std::uint64_t>(picoseconds(protocol_.safe())));
}

SynchronizationCost NullMessageSynchronizer::cost() const {
  const auto& counts = protocol_.counts();
  return {.windows = counts.stretches,
          .events_seconds = counts.events_seconds,
          .waiting_seconds = waiting_seconds_,
          .packing_seconds = counts.packing_seconds,
          .promising_seconds = counts.promising_seconds,
          .messages_sent = transport_.messages_sent(),
          .promises_sent = counts.promises,
          .bytes_sent = transport_.bytes_sent(),
          .promises_tested = counts.tested,
          .slack_ps = counts.slack_ps};
}

}  // namespace ouro::engine
