#include "engine/recorder.hpp"

#include <algorithm>

namespace ouro::engine {

Recorder::Recorder(int rank, Placement placement, KindOf kind_of, const RecordedStretch& stretch)
    : rank_{rank},
      placement_{std::move(placement)},
      kind_of_{std::move(kind_of)},
      stretch_{stretch},
      open_(placement_.size()) {}

void Recorder::handle(const Event& event, std::uint32_t slot) {
  cause_ = event.from == event.to ? causes_[slot] : Cause{event.time, kind_of_(event)};
  if (event.time < stretch_.from || event.time >= stretch_.until) return;
  const auto lp = event.to.value();
  if (placement_[lp] == kEveryRank && rank_ != 0) return;  // rank 0's copy counts
  auto& open = open_[lp];
  const auto window = event.time.time_since_epoch() / kRecordedWindow;
  if (window != open.number) {
    if (open.events > 0) work_.push_back({open.number, event.to, open.events});
    open = {window, 0};
  }
  ++open.events;
}

bool Recorder::is_mine(const Event& event) const {
  if (placement_[event.from.value()] != kEveryRank) return true;
  const int to = placement_[event.to.value()];
  return to == rank_ || (to == kEveryRank && rank_ == 0);
}

void Recorder::send(const Event& event, Time now) {
  if (event.from == event.to || !is_mine(event)) return;
  if (event.time < stretch_.from || now >= stretch_.until) return;
  const auto cause = cause_.arrival < stretch_.from ? Cause{} : cause_;  // pending when the stretch begins
  sends_.push_back(
      {now, event.time, cause.arrival, event.from, event.to, kind_of_(event), cause.kind, event.sequence});
}

std::vector<RecordedWork> Recorder::take_work(Time reached) {
  const auto current = reached.time_since_epoch() / kRecordedWindow;
  for (std::size_t lp = 0; lp < open_.size(); ++lp) {
    auto& open = open_[lp];
    if (open.events == 0 || open.number >= current) continue;
    work_.push_back({open.number, LpId{static_cast<LpId::Value>(lp)}, open.events});
    open.events = 0;
  }
  const auto is_over = [&](const RecordedWork& work) { return work.window < current; };
  const auto rest = std::partition(work_.begin(), work_.end(), is_over);
  std::vector<RecordedWork> over{work_.begin(), rest};
  work_.erase(work_.begin(), rest);
  return over;
}

}  // namespace ouro::engine
