#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "engine/event.hpp"
#include "engine/time.hpp"

namespace ouro::engine {

/// An event that one LP sent another.
struct RecordedSend {
  /// `known` of what follows from no event of another LP.
  static constexpr Time kFromTheStart = Time::min();

  Time sent{};
  Time arrival{};
  Time known{};  ///< arrival of its cause: the last event from another LP that it follows from
  LpId from;
  LpId to;
  std::uint32_t kind = 0;   ///< two of a kind for an LP are alike in what can follow from them, and how soon
  std::uint32_t cause = 0;  ///< kind of its cause
  std::uint64_t sequence = 0;  ///< counts what `from` sent

  friend bool operator<(const RecordedSend& a, const RecordedSend& b) {
    return std::tie(a.sent, a.from, a.sequence) < std::tie(b.sent, b.from, b.sequence);
  }
};

/// What an LP handled in a window of simulated time.
struct RecordedWork {
  std::int64_t window = 0;  ///< its number
  LpId lp;
  std::uint32_t events = 0;

  friend bool operator<(const RecordedWork& a, const RecordedWork& b) {
    return std::tie(a.window, a.lp) < std::tie(b.window, b.lp);
  }
};

/// The simulated time that is taken down.
struct RecordedStretch {
  Time from{};
  Time until = kNever;

  bool is_whole_run() const { return from == Time{} && until == kNever; }
};

/// Length of a window: that of the shortest stretches between synchronizations that promises leave.
inline constexpr Duration kRecordedWindow{32'000};

/// An execution, or a stretch of one, as the synchronization sees it: who worked when, and told whom what.
struct Recording {
  RecordedStretch stretch;
  std::vector<bool> replicated;     ///< by LP; work and sends of its copies are recorded once
  std::vector<RecordedSend> sends;  ///< sorted
  std::vector<RecordedWork> work;   ///< sorted
};

}  // namespace ouro::engine
