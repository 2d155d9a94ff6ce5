#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "engine/event.hpp"
#include "engine/time.hpp"

namespace ouro::engine {

inline constexpr std::uint64_t kAllEvents = std::numeric_limits<std::uint64_t>::max();

/// What a synchronizer drives: the pending events of one rank, what it promises others, and what is to be
/// sent to them. A Region handles its events, a RecordedRegion repeats what a region did.
class SynchronizedRegion {
 public:
  SynchronizedRegion() = default;
  SynchronizedRegion(const SynchronizedRegion&) = delete;
  SynchronizedRegion& operator=(const SynchronizedRegion&) = delete;
  virtual ~SynchronizedRegion() = default;

  virtual int rank() const = 0;
  /// Ranks that an LP of this region can send to, increasing.
  virtual const std::vector<int>& peers() const = 0;
  virtual std::uint64_t events() const = 0;

  /// Handles pending events before `bound`, earliest first, but at most `most` of them.
  virtual void run_before(Time bound, std::uint64_t most) = 0;

  /// Of the earliest event; kNever if there is none.
  virtual Time next_time() const = 0;

  /// Nothing that follows from what is pending here, over LPs of this region only, arrives at an LP of `peer`
  /// before this time. What waits in outgoing() is not pending here any more.
  virtual Time promise_to(int peer) const = 0;
  /// The least of promise_to() over all peers.
  virtual Time promise_to_all() const = 0;

  /// Nothing that follows from an event that this region is still to receive, over LPs of this region only,
  /// arrives at an LP of `peer` sooner than this after that event; kForever if nothing can.
  virtual Duration transit_to(int peer) const = 0;
  /// The least of transit_to() over all peers.
  virtual Duration transit_to_all() const = 0;

  /// Least delay of a channel that crosses the border; kForever if none does.
  virtual Duration shortest_way() const = 0;

  /// What is to be sent to `peer`; the synchronizer takes it from here.
  virtual std::vector<Event>& outgoing(int peer) = 0;

  /// Takes in what another rank sent.
  ///
  /// @param promised  that nothing arrives before this time
  /// @throws CausalityError  if an event is below that, or too late for what was handled
  virtual void receive(std::span<const Event> events, Time promised) = 0;
};

}  // namespace ouro::engine
