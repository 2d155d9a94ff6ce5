#include "engine/window_synchronizer.hpp"

#include <algorithm>
#include <utility>

#include "engine/mpi.hpp"

namespace ouro::engine {
namespace {

constexpr Duration kAloneSlice = std::chrono::microseconds{10};  // between heartbeats of a run on one rank

/// t + d, or kNever where that does not fit.
Time saturating_add(Time time, Duration duration) {
  return time > kNever - duration ? kNever : time + duration;
}

std::vector<int> ranks_that_send_here(MPI_Comm comm, const Region& region) {
  std::vector<int> sends_to(static_cast<std::size_t>(mpi_size(comm)), 0);
  for (const int peer : region.peers()) sends_to[static_cast<std::size_t>(peer)] = 1;
  std::vector<int> sends_here(sends_to.size());
  MPI_Alltoall(sends_to.data(), 1, MPI_INT, sends_here.data(), 1, MPI_INT, comm);
  std::vector<int> sources;
  for (std::size_t rank = 0; rank < sends_here.size(); ++rank) {
    if (sends_here[rank] != 0) sources.push_back(static_cast<int>(rank));
  }
  return sources;
}

}  // namespace

WindowSynchronizer::WindowSynchronizer(MPI_Comm comm, Region& region, Heartbeat heartbeat)
    : comm_{comm},
      region_{region},
      heartbeat_{std::move(heartbeat)},
      transport_{comm},
      sources_{ranks_that_send_here(comm, region)},
      lookahead_{mpi_reduce_all(comm, region.lookahead().count(), MPI_MIN)} {}

Time WindowSynchronizer::run_until(Time stop) {
  if (mpi_size(comm_) == 1) return run_alone(stop);
  while (true) {
    std::int64_t earliest = picoseconds(earliest_here());
    send_batches();
    MPI_Request agreement = MPI_REQUEST_NULL;
    MPI_Iallreduce(MPI_IN_PLACE, &earliest, 1, MPI_INT64_T, MPI_MIN, comm_, &agreement);
    receive_batches();
    work_before(std::min(saturating_add(reached_, lookahead_), stop));

    const double start = MPI_Wtime();
    MPI_Wait(&agreement, MPI_STATUS_IGNORE);
    cost_.waiting_seconds += MPI_Wtime() - start;
    const Time agreed = from_picoseconds(earliest);
    if (agreed >= stop) return agreed;

    reached_ = std::min(saturating_add(agreed, lookahead_), stop);
    work_before(reached_);
    ++cost_.windows;
    if (heartbeat_) heartbeat_(reached_);
  }
}

Time WindowSynchronizer::run_alone(Time stop) {
  while (region_.next_time() < stop) {
    work_before(std::min(saturating_add(region_.next_time(), kAloneSlice), stop));
    ++cost_.windows;
    if (heartbeat_) heartbeat_(region_.next_time());
  }
  return region_.next_time();
}

Time WindowSynchronizer::earliest_here() const {
  Time earliest = region_.next_time();
  for (const int peer : region_.peers()) {
    for (const auto& event : region_.outgoing(peer)) earliest = std::min(earliest, event.time);
  }
  return earliest;
}

void WindowSynchronizer::send_batches() {
  const double start = MPI_Wtime();
  for (const int peer : region_.peers()) transport_.send(peer, region_.outgoing(peer));
  cost_.packing_seconds += MPI_Wtime() - start;
}

void WindowSynchronizer::receive_batches() {
  const double start = MPI_Wtime();
  for (const int source : sources_) region_.receive(transport_.receive(source));
  cost_.waiting_seconds += MPI_Wtime() - start;
}

void WindowSynchronizer::work_before(Time bound) {
  const double start = MPI_Wtime();
  region_.run_before(bound);
  cost_.events_seconds += MPI_Wtime() - start;
}

}  // namespace ouro::engine
