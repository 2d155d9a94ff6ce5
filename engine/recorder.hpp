#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "engine/border.hpp"
#include "engine/recording.hpp"

namespace ouro::engine {

/// Takes down what the LPs of one rank do, in the terms of a Recording. What it holds is what happened since
/// it was last asked, so its memory is bounded by how often that is.
class Recorder {
 public:
  /// Of an event from another LP; see RecordedSend.
  using KindOf = std::function<std::uint32_t(const Event&)>;

  /// @param stretch  what is handled in it, and what is sent or under way in it, is taken down
  Recorder(int rank, Placement placement, KindOf kind_of, const RecordedStretch& stretch = {});

  const RecordedStretch& stretch() const { return stretch_; }

  /// A handler is about to be called.
  /// @param slot  of the event in its queue, as of the next
  void handle(const Event& event, std::uint32_t slot);

  /// An event is pending.
  void keep(const Event& event, std::uint32_t slot) {
    if (event.from != event.to) return;  // it is a cause itself
    if (slot >= causes_.size()) causes_.resize(2 * std::size_t{slot} + 1);
    causes_[slot] = cause_;
  }

  /// The handler sends an event.
  void send(const Event& event, Time now);

  /// The rest of this rank's sends, and of its windows that are over, before `reached`: what is before is
  /// handled, on all ranks. Unsorted.
  std::vector<RecordedSend> take_sends() { return std::exchange(sends_, {}); }
  std::vector<RecordedWork> take_work(Time reached);

 private:
  struct Cause {
    Time arrival = RecordedSend::kFromTheStart;
    std::uint32_t kind = 0;
  };
  struct OpenWindow {
    std::int64_t number = 0;
    std::uint32_t events = 0;
  };

  /// Of what all copies of a replicated LP do, one rank takes it down.
  bool is_mine(const Event& event) const;

  int rank_;
  Placement placement_;
  KindOf kind_of_;
  RecordedStretch stretch_;
  Cause cause_;                   // of what is sent now
  std::vector<Cause> causes_;     // by slot, of pending events that an LP sent itself
  std::vector<OpenWindow> open_;  // by LP
  std::vector<RecordedSend> sends_;
  std::vector<RecordedWork> work_;
};

}  // namespace ouro::engine
