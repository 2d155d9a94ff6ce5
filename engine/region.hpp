#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/digest.hpp"
#include "engine/event_queue.hpp"
#include "engine/logical_process.hpp"

namespace ouro::engine {

/// The rank of every LP, by id. An LP that is replicated has a copy on every rank: each copy handles every
/// event sent to it, and what a copy sends reaches the LPs of its own rank only, since the other copies send
/// the same to theirs.
using Placement = std::vector<int>;
inline constexpr int kEveryRank = -1;

using LpFactory = std::function<std::unique_ptr<LogicalProcess>(LpId)>;

/// The LPs that one rank simulates, and their pending events.
class Region {
 public:
  /// Makes the LPs of `rank` and lets them send their first events.
  ///
  /// @throws ContractError  if a channel has no lookahead, or leads to no LP
  Region(int rank, int ranks, Placement placement, const LpFactory& make);

  /// Handles every pending event before `bound`, earliest first.
  void run_before(Time bound);

  Time next_time() const { return queue_.next_time(); }

  /// Least delay of a channel to another rank; Duration::max() if there is none.
  Duration lookahead() const { return lookahead_; }

  /// Ranks that an LP of this region can send to, increasing.
  const std::vector<int>& peers() const { return peers_; }

  /// What is to be sent to `peer`; the synchronizer takes it from here.
  std::vector<Event>& outgoing(int peer) { return outgoing_[static_cast<std::size_t>(peer)]; }

  /// Takes in what another rank sent.
  /// @throws CausalityError  if an event is below its receiver's clock
  void receive(std::span<const Event> events);

  std::uint64_t events() const { return events_; }
  std::size_t pending() const { return queue_.size(); }
  const Placement& placement() const { return placement_; }
  int rank() const { return rank_; }

  /// Of each LP of this rank: what it handled, in which order.
  struct LpReport {
    LpId id;
    std::uint64_t digest = 0;
    std::uint64_t events = 0;
    bool replicated = false;
  };
  std::vector<LpReport> reports() const;

 private:
  friend class Scheduler;

  struct Slot {
    std::unique_ptr<LogicalProcess> lp;
    Channels channels;
    Time clock{};
    std::uint64_t sent = 0;
    std::uint64_t events = 0;
    Digest digest;
    bool replicated = false;
  };

  void check_channels(LpId id, const Slot& slot);
  void find_peers();
  void check_lookahead(const Slot& sender, LpId from, LpId to, Duration delay) const;
  void check_clock(const Event& event) const;
  Event make_event(LpId from, LpId to, Duration delay);
  void deliver(const Event& event);

  int rank_;
  Placement placement_;
  std::vector<Slot> slots_;  // by LpId; empty where the LP lives elsewhere
  std::vector<std::vector<Event>> outgoing_;
  std::vector<int> peers_;
  Duration lookahead_ = Duration::max();
  EventQueue queue_;
  std::uint64_t events_ = 0;
};

/// What a handler sends with. It knows the time of the event being handled.
class Scheduler {
 public:
  Scheduler(Region& region, LpId self, Time now) : region_{region}, self_{self}, now_{now} {}

  Time now() const { return now_; }
  LpId self() const { return self_; }

  /// Sends `payload`, to arrive after `delay`.
  /// @throws CausalityError  if `delay` is below the channel's lookahead
  template <class Payload>
  void send(LpId to, Duration delay, const Payload& payload) {
    Event event = region_.make_event(self_, to, delay);
    event.set(payload);
    region_.deliver(event);
  }

  template <class Payload>
  void send_at(LpId to, Time time, const Payload& payload) {
    send(to, time - now_, payload);
  }

 private:
  Region& region_;
  LpId self_;
  Time now_;
};

}  // namespace ouro::engine
