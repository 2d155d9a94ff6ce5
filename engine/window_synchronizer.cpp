#include "engine/window_synchronizer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/patience.hpp"
#include "engine/stopwatch.hpp"

namespace ouro::engine {
namespace {

constexpr std::uint64_t kEventsOfStretch = 4096;  // between looks at the watch

/// Of each rank, the shortest way from an event that it receives to anything that it sends.
std::vector<std::int64_t> gather_transits(MPI_Comm comm, const Region& region) {
  const std::int64_t mine = region.transit_to_all().count();
  std::vector<std::int64_t> all(static_cast<std::size_t>(mpi_size(comm)));
  MPI_Allgather(&mine, 1, MPI_INT64_T, all.data(), 1, MPI_INT64_T, comm);
  return all;
}

}  // namespace

WindowSynchronizer::WindowSynchronizer(MPI_Comm comm, Region& region, const SynchronizerOptions& options)
    : comm_{comm},
      region_{region},
      heartbeat_{options.heartbeat},
      transport_{comm},
      watch_{comm, [this] { return describe(); }, options.stall_limit_seconds},
      neighbours_{find_neighbours(comm, region)},
      shortest_{mpi_reduce_all(comm, region.shortest_way().count(), MPI_MIN)} {
  const auto transits = gather_transits(comm, region);
  for (const auto& neighbour : neighbours_)
    onward_.emplace_back(transits[static_cast<std::size_t>(neighbour.rank)]);
}

Time WindowSynchronizer::run_until(Time stop) {
  while (true) {
    agreement_ = state_here();
    send_batches();
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallreduce(MPI_IN_PLACE, &agreement_, 3, MPI_INT64_T, MPI_MIN, comm_, &request);
    receive_batches();
    work_before(std::min(later_by(reached_, shortest_), stop));
    wait_for([&] {
      int done = 0;
      MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      return done != 0;
    });
    cost_.busiest += static_cast<std::uint64_t>(-agreement_.minus_events);
    const Time next = from_picoseconds(agreement_.next_event);
    if (next >= stop) return next;

    if (agreement_.promise <= agreement_.next_event) {
      throw ContractError{fmt::format("the earliest event is at {} ps and promises nothing after {} ps",
                                      agreement_.next_event, agreement_.promise)};
    }
    reached_ = std::min(from_picoseconds(agreement_.promise), stop);
    work_before(reached_);
    ++cost_.windows;
    if (heartbeat_) heartbeat_(reached_);
  }
}

WindowSynchronizer::Agreement WindowSynchronizer::state_here() {
  const Stopwatch promising{cost_.promising_seconds};
  Time next = region_.next_time();
  Time promise = region_.promise_to_all();
  for (std::size_t i = 0; i < neighbours_.size(); ++i) {
    const Time sent = earliest_of(region_.outgoing(neighbours_[i].rank));
    next = std::min(next, sent);
    promise = std::min(promise, later_by(sent, onward_[i]));
  }
  const auto events = region_.events() - std::exchange(events_agreed_, region_.events());
  return {picoseconds(next), picoseconds(promise), -static_cast<std::int64_t>(events)};
}

void WindowSynchronizer::send_batches() {
  const Stopwatch packing{cost_.packing_seconds};
  for (const auto& neighbour : neighbours_) {
    if (!neighbour.hears_from_here) continue;
    auto& events = region_.outgoing(neighbour.rank);
    if (events.empty()) ++cost_.promises_sent;
    transport_.send(neighbour.rank, {}, events);
  }
}

void WindowSynchronizer::receive_batches() {
  for (const auto& neighbour : neighbours_) {
    if (!neighbour.sends_here) continue;
    wait_for([&] { return transport_.try_receive(neighbour.rank, batch_); });
    const Stopwatch packing{cost_.packing_seconds};
    region_.receive(batch_.events, reached_);
    if (batch_.events.empty()) continue;
    ++cost_.promises_tested;
    cost_.slack_ps += static_cast<double>((earliest_of(batch_.events) - reached_).count());
  }
}

void WindowSynchronizer::work_before(Time bound) {
  const Stopwatch working{cost_.events_seconds};
  while (region_.next_time() < bound) {
    region_.run_before(bound, kEventsOfStretch);
    look_for_stall();
  }
}

void WindowSynchronizer::wait_for(const std::function<bool()>& done) {
  const Stopwatch waiting{cost_.waiting_seconds};
  for (Patience patience; !done(); patience.wait()) look_for_stall();
}

void WindowSynchronizer::look_for_stall() {
  watch_.look(region_.events() + static_cast<std::uint64_t>(picoseconds(reached_)));
}

std::string WindowSynchronizer::describe() const {
  return fmt::format(
      "nothing arrives anywhere before {} ps; next event here at {} ps, promised {} ps, {} events",
      picoseconds(reached_), picoseconds(region_.next_time()), picoseconds(region_.promise_to_all()),
      region_.events());
}

SynchronizationCost WindowSynchronizer::cost() const {
  auto cost = cost_;
  cost.messages_sent = transport_.messages_sent();
  cost.bytes_sent = transport_.bytes_sent();
  return cost;
}

}  // namespace ouro::engine
