#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/event.hpp"

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
};

}  // namespace ouro::engine
