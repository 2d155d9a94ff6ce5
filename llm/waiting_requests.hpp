#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "engine/region.hpp"
#include "engine/state_archive.hpp"
#include "llm/request.hpp"

namespace ouro::llm {

/// How requests come.
struct LoadOptions {
  int users = 0;                  ///< in closed loop; 0 for arrivals that do not depend on what is served
  engine::Duration think_time{};  ///< mean, exponential: from a user's last token to its next request
  std::uint64_t seed = 0;
  int look_ahead = 1;  ///< most requests that wait here; more than 1 lets priorities order them
};

/// The requests that have arrived and are not admitted yet, and the events of those that come.
///
/// In open loop requests arrive when the source says, and are read no further than `look_ahead`, so that a
/// backlog of a million takes no memory. In closed loop each user asks for the next request of the source,
/// waits for its last token, thinks, and asks again.
class WaitingRequests {
 public:
  WaitingRequests(std::unique_ptr<RequestSource> source, const LoadOptions& options);

  void start(engine::Scheduler& scheduler);
  /// At each arrival event.
  void arrive(engine::Scheduler& scheduler);
  /// A request is done: in closed loop, its user thinks.
  void finished(const Request& request, engine::Time done, engine::Scheduler& scheduler);

  /// Of those that have arrived, the first of the first class; nullptr if none waits.
  const Request* first(engine::Time now) const;
  /// Takes it away.
  void pop_first(engine::Scheduler& scheduler);

  engine::Time first_arrival() const { return first_arrival_; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [source, options, asked, lines, in_lines, next, first_arrival] = *this;
    engine::archive_fields(archive, asked, lines, in_lines, next, first_arrival);
    if constexpr (Archive::is_loading::value) {  // a new source goes on where the old one stood
      for (auto left = asked; left > 0; --left) source->next();
    }
  }

 private:
  std::optional<Request> ask_source();
  void fetch_next(engine::Scheduler& scheduler);
  void take_arrived(engine::Scheduler& scheduler);
  void think(std::uint64_t draw, engine::Time from, engine::Scheduler& scheduler) const;
  bool next_is_first(engine::Time now) const;
  const std::deque<Request>* first_line() const;

  std::unique_ptr<RequestSource> source_;
  LoadOptions options_;
  std::uint64_t asked_ = 0;                             ///< times that the source was
  std::array<std::deque<Request>, kMaxClasses> lines_;  ///< arrived, by class
  int in_lines_ = 0;
  std::optional<Request> next_;  ///< open loop: the last one read, perhaps not yet arrived
  engine::Time first_arrival_ = engine::kNever;
};

}  // namespace ouro::llm
