#pragma once

#include <functional>
#include <optional>
#include <queue>
#include <span>
#include <vector>

#include "engine/border.hpp"
#include "engine/recorded_ways.hpp"
#include "engine/recording.hpp"
#include "engine/region.hpp"
#include "engine/synchronized_region.hpp"

namespace ouro::engine {

/// The LPs of one rank, as a recording has them, under any partition: handles as many events as they did, and
/// sends what they sent, at the recorded simulated times.
///
/// What is pending are the sends whose cause is handled. One for another rank would promise its own arrival;
/// one that stays here, from its arrival on, the shortest way that RecordedWays has to each target. That
/// knows too much: which events lead to something, and how long each will wait. So of the time until then
/// that is not near a region promises only a part, and at least what a link takes. Events of an LP for itself
/// are counted, evenly over the window in which they were, and promise nothing of their own.
class RecordedRegion final : public SynchronizedRegion {
 public:
  /// Keeps references.
  RecordedRegion(int rank, int ranks, const Placement& placement, const Recording& recording,
                 const RecordedWays& ways, Lookahead lookahead);

  int rank() const override { return rank_; }
  const std::vector<int>& peers() const override { return border_.peers; }
  std::uint64_t events() const override { return events_; }
  void run_before(Time bound, std::uint64_t most) override;
  Time next_time() const override;
  Time promise_to(int peer) const override;
  Time promise_to_all() const override;
  Duration transit_to(int peer) const override;
  Duration transit_to_all() const override { return shortest_way_; }
  Duration shortest_way() const override { return shortest_way_; }
  std::vector<Event>& outgoing(int peer) override { return outgoing_[static_cast<std::size_t>(peer)]; }
  void receive(std::span<const Event> events, Time promised) override;

 private:
  struct Work {
    std::int64_t window;
    std::uint32_t events;
  };
  /// A promise, and the time up to which what made it is pending.
  struct Front {
    Time promise;
    Time until;
    friend bool operator>(const Front& a, const Front& b) { return a.promise > b.promise; }
  };
  template <class T>
  using EarliestFirst = std::priority_queue<T, std::vector<T>, std::greater<>>;

  bool is_here(LpId lp) const;
  bool is_sent_here(const RecordedSend& send) const;
  void take_work(const Recording& recording);
  void take_sends();
  Border find_border() const;
  void find_ways();
  std::optional<std::size_t> target_of(const RecordedSend& send) const;

  Time time_of_work() const;
  void advance(Time clock);
  void become_pending(std::uint32_t send);
  void send(std::uint32_t send);
  void expect(std::uint32_t send);
  void promise(std::size_t target, Front front);
  Time least_promise(std::size_t target) const;
  Time find_promise(std::size_t target) const;

  int rank_;
  const Placement& placement_;
  const std::vector<RecordedSend>& sends_;
  const RecordedWays& ways_;
  Lookahead lookahead_;
  Border border_;
  std::vector<std::vector<Event>> outgoing_;       // by rank
  std::vector<std::vector<Duration>> from_nodes_;  // by target and node
  std::vector<Duration> over_border_;              // by target, the least of what was sent there
  Duration shortest_way_ = kForever;

  std::vector<std::uint32_t> by_sending_;  // what is sent here
  std::vector<std::uint32_t> by_cause_;    // the same, by when it is known
  std::size_t next_sent_ = 0;
  std::size_t next_known_ = 0;
  std::vector<Work> work_;
  std::size_t next_work_ = 0;
  std::uint32_t done_of_work_ = 0;
  std::uint64_t events_ = 0;
  Time clock_ = Time::min();  // every event before is handled

  mutable std::vector<EarliestFirst<Front>> fronts_;  // by target; const functions drop what is over
  mutable std::vector<Time> promised_;                // by target; never taken back
  EarliestFirst<Time> arrivals_;                      // of what was sent here or received, and not handled
};

}  // namespace ouro::engine
