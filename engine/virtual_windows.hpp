#pragma once

#include <cstdint>
#include <vector>

#include "engine/busiest_ranks.hpp"
#include "engine/virtual_rank.hpp"

namespace ouro::engine {

/// What WindowSynchronizer does, on all ranks of an imagined cluster, a window at a time.
class VirtualWindows {
 public:
  /// @param collective_seconds  that an all-reduce takes after the last rank has come
  /// Keeps the reference.
  VirtualWindows(VirtualRanks& ranks, double collective_seconds);

  /// @throws ContractError  if the earliest event promises nothing
  void run_until(Time stop);

  const BusiestRanks& busiest() const { return busiest_; }

 private:
  struct Agreement {
    Time next_event = kNever;
    Time promise = kNever;
  };

  const std::vector<Neighbour>& neighbours_of(VirtualRank& rank) const;
  void add_state(VirtualRank& rank, Agreement& agreement) const;
  void send_batches(VirtualRank& rank) const;
  void receive_batches(VirtualRank& rank);
  void end_window();

  VirtualRanks& ranks_;
  double collective_seconds_;
  std::vector<std::vector<Neighbour>> neighbours_;  // by rank
  std::vector<Duration> onward_;                    // by rank: from an event for it to the next border
  Duration shortest_;                               // way over a border, on any rank
  Time reached_{};                                  // every event before this is handled, on all ranks
  Batch batch_;
  BusiestRanks busiest_;
  std::vector<std::uint64_t> counted_;  // events, by rank
};

}  // namespace ouro::engine
