#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/border.hpp"
#include "engine/digest.hpp"
#include "engine/event_queue.hpp"
#include "engine/least_table.hpp"
#include "engine/logical_process.hpp"
#include "engine/recorder.hpp"
#include "engine/synchronized_region.hpp"

namespace ouro::engine {

using LpFactory = std::function<std::unique_ptr<LogicalProcess>(LpId)>;

/// The state of an LP and its pending events, as Region::save() gave it.
using SavedState = std::function<std::string(LpId)>;

struct RegionOptions {
  Lookahead lookahead = Lookahead::promises;
  /// Where LPs go on from; without it they start.
  SavedState saved{};
  /// Called when all LPs are made and none has started: what foresee() will be asked for.
  std::function<void(const Border&)> meet_border{};
  /// Takes down what the LPs do; without it nothing is. Outlives the region.
  Recorder* recorder = nullptr;
};

/// The LPs that one rank simulates, and their pending events.
class Region final : public SynchronizedRegion {
 public:
  /// Makes the LPs of `rank` and lets them send their first events.
  ///
  /// @throws ContractError  if a channel has no lookahead, or leads to no LP
  Region(int rank, int ranks, Placement placement, const LpFactory& make, const RegionOptions& options = {});

  void run_before(Time bound, std::uint64_t most = kAllEvents) override;
  Time next_time() const override { return queue_.next_time(); }
  const std::vector<int>& peers() const override { return border_.peers; }
  Time promise_to(int peer) const override;
  Duration shortest_way() const override { return shortest_way_; }
  Time promise_to_all() const override;
  Duration transit_to(int peer) const override;
  Duration transit_to_all() const override;
  std::vector<Event>& outgoing(int peer) override { return outgoing_[static_cast<std::size_t>(peer)]; }
  void receive(std::span<const Event> events, Time promised) override;

  std::uint64_t events() const override { return events_; }
  std::size_t pending() const { return queue_.size(); }
  const Placement& placement() const { return placement_; }
  int rank() const override { return rank_; }

  /// Of each LP of this rank: what it handled, in which order.
  struct LpReport {
    LpId id;
    std::uint64_t digest = 0;
    std::uint64_t events = 0;
    bool replicated = false;
    std::uint64_t sent_digest = 0;  ///< replicated: of what it sent
  };
  std::vector<LpReport> reports() const;

  /// What it costs that LPs are replicated.
  struct ReplicationCost {
    std::uint64_t handled = 0;  ///< events of replicated LPs, on this rank as on every other
    std::uint64_t copies = 0;   ///< of events for them, sent from here to other ranks
  };
  ReplicationCost replication_cost() const;

  /// LPs that live here, replicated ones too, increasing.
  std::vector<LpId> lps() const;
  bool is_replicated(LpId id) const { return slots_[id.value()].replicated; }

  /// Calls `take` with each LP that lives here and all that its future depends on: its state, what was
  /// counted of it, and the events that are pending for it. Another region, of any other LPs, goes on from
  /// there.
  ///
  /// All regions of a run must have handled the events before one common time, and nothing may be under way.
  /// @throws ContractError  if something waits to be sent
  void save(const std::function<void(LpId, std::string)>& take) const;

 private:
  friend class Scheduler;

  struct Slot {
    std::unique_ptr<LogicalProcess> lp;
    Channels channels;
    Time clock{};
    std::uint64_t sent = 0;
    std::uint64_t events = 0;
    Digest digest;
    Digest sent_digest;  // of replicated LPs
    bool replicated = false;
    bool has_foresight = false;
    std::vector<Duration> by_channels;  // to each target, over channels
    std::vector<Duration> held;         // to each target, from what sets free what the LP holds
  };

  void check_channels(LpId id, const Slot& slot);
  Border find_border() const;
  void start(LpId id);
  void go_on(LpId id, std::string saved);
  void find_ways_over_channels();
  bool shorten_ways_over(Slot& slot);
  void choose_promises(Lookahead lookahead);
  void find_transit();

  void check_lookahead(const Slot& sender, LpId from, LpId to, Duration delay) const;
  void check_clock(const Event& event) const;
  Time promise_for(std::size_t target) const;
  void check_promise(const Event& event, std::size_t target, Time arrival) const;
  void bound_by_what_is_held(const Slot& slot);
  void ask_what_is_held(LpId id);
  Event make_event(LpId from, LpId to, Duration delay);
  void deliver(const Event& event);
  void keep(const Event& event);
  void foresee(const Event& event, std::span<Duration> least) const;

  int rank_;
  Placement placement_;
  std::vector<Slot> slots_;  // by LpId; empty where the LP lives elsewhere
  std::vector<std::vector<Event>> outgoing_;
  Border border_;
  EventQueue queue_;
  Recorder* recorder_;
  std::uint64_t events_ = 0;
  std::uint64_t copies_ = 0;

  Duration shortest_way_ = kForever;

  // promises, by target
  std::vector<Duration> constant_;            // from any event, if table_ is not used
  std::optional<LeastTable<Time>> table_;     // of each pending event
  std::vector<Duration> transit_;             // from any event that other regions can send
  std::vector<Time> floor_;                   // of the event being handled: what follows must not fall below
  std::optional<LeastTable<Duration>> held_;  // by each LP that holds anything; there if table_ is
  bool holds_other_ = false;                  // the LP whose event is being handled
  std::vector<Duration> scratch_least_;
  std::vector<Time> scratch_promises_;
};

/// What a handler sends with. It knows the time of the event being handled.
class Scheduler {
 public:
  Scheduler(Region& region, LpId self, Time now) : region_{region}, self_{self}, now_{now} {}

  Time now() const { return now_; }
  LpId self() const { return self_; }

  /// Sends `payload`, to arrive after `delay`.
  /// @throws CausalityError  if `delay` is below the channel's lookahead, or the arrival below a promise
  template <class Payload>
  void send(LpId to, Duration delay, const Payload& payload) {
    Event event = region_.make_event(self_, to, delay);
    event.set(payload);
    region_.deliver(event);
  }

  /// What this LP holds is not what it was, see LogicalProcess::foresee_held.
  void holds_other() { region_.holds_other_ = true; }

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
