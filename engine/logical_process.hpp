#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/border.hpp"
#include "engine/event.hpp"
#include "engine/state_archive.hpp"

namespace ouro::engine {

class Scheduler;

/// A direction in which an LP may send, and the least delay of what it sends there.
struct Channel {
  LpId to;
  Duration lookahead{};
};

/// All that an LP promises about its sends. What it sends elsewhere or sooner ends the run.
struct Channels {
  std::vector<Channel> to;
  std::optional<Duration> to_any;  ///< least delay to every LP that `to` does not list
};

/// What the engine schedules: a state that changes only by handling events.
///
/// A handler's only effects are on the LP's own state and the events that it sends.
class LogicalProcess {
 public:
  LogicalProcess() = default;
  LogicalProcess(const LogicalProcess&) = delete;
  LogicalProcess& operator=(const LogicalProcess&) = delete;
  virtual ~LogicalProcess() = default;

  virtual std::string name() const = 0;
  virtual Channels channels() const = 0;

  /// Sends the first events, at time zero.
  virtual void start(Scheduler& /*scheduler*/) {}

  virtual void handle(const Event& event, Scheduler& scheduler) = 0;

  /// Whether the LP knows more of its future than the lookahead of channels: then it gives the three below.
  virtual bool has_foresight() const { return false; }

  /// A pending event's promise: for each target of the region's border, the least time from `event`, which is
  /// for this LP, until anything that follows from it, over LPs of this region only, can arrive there.
  ///
  /// An event must not promise less than the event that it follows from, whatever the state of the LPs: each
  /// send is checked against the promise of the event being handled.
  ///
  /// What follows only because the event, or one that follows from it, sets something free that an LP of this
  /// region *holds* is left out: see foresee_held.
  ///
  /// @param least  by target, kForever where nothing can follow
  virtual void foresee(const Event& /*event*/, std::span<Duration> /*least*/) const {}

  /// The least time from any event that LPs of other regions can send to this one until anything that follows
  /// from it can arrive at each target, whatever LPs hold then.
  virtual void foresee_arrivals(std::span<Duration> /*least*/) const {}

  /// What the LP holds: for each target, the least time from an event that sets some of it free until
  /// anything that follows from that can arrive there. Asked for after each handler that says
  /// Scheduler::holds_other().
  ///
  /// @param least  by target, kForever where the LP holds nothing that leads there
  virtual void foresee_held(std::span<Duration> least) const;

  /// Everything that a later event or a result can observe, but for what the LP is made from.
  /// @throws ContractError  from an LP that cannot be archived
  virtual void save(StateWriter& archive) const;
  /// Makes an LP that has not started what another one was when it was saved.
  virtual void load(StateReader& archive);
};

}  // namespace ouro::engine
