#include "llm/waiting_requests.hpp"

#include <algorithm>

#include "engine/random.hpp"
#include "llm/message.hpp"

namespace ouro::llm {

using engine::Scheduler;
using engine::Time;

WaitingRequests::WaitingRequests(std::unique_ptr<RequestSource> source, const LoadOptions& options)
    : source_{std::move(source)}, options_{options} {}

void WaitingRequests::start(Scheduler& scheduler) {
  if (options_.users == 0) return fetch_next(scheduler);
  for (int user = 0; user < options_.users; ++user)
    think(static_cast<std::uint64_t>(user), scheduler.now(), scheduler);
}

void WaitingRequests::arrive(Scheduler& scheduler) {
  if (options_.users == 0) return take_arrived(scheduler);
  auto request = ask_source();
  if (!request) return;
  request->arrival = scheduler.now();
  first_arrival_ = std::min(first_arrival_, request->arrival);
  auto& line = lines_[static_cast<std::size_t>(request->priority)];
  line.push_back(std::move(*request));
  ++in_lines_;
}

void WaitingRequests::finished(const Request& request, Time done, Scheduler& scheduler) {
  if (options_.users == 0) return;
  think(static_cast<std::uint64_t>(options_.users) + request.index, done, scheduler);
}

/// A thought that ends before the controllers hear of its beginning ends then.
void WaitingRequests::think(std::uint64_t draw, Time from, Scheduler& scheduler) const {
  const auto thought =
      engine::exponential(options_.think_time, {options_.seed, engine::random_purpose("think time"), draw});
  scheduler.send_at(scheduler.self(), std::max(scheduler.now(), from + thought),
                    Message{.kind = MessageKind::arrival});
}

std::optional<Request> WaitingRequests::ask_source() {
  ++asked_;
  return source_->next();
}

void WaitingRequests::fetch_next(Scheduler& scheduler) {
  next_ = ask_source();
  if (!next_) return;
  first_arrival_ = std::min(first_arrival_, next_->arrival);
  if (next_->arrival >= scheduler.now()) {
    scheduler.send_at(scheduler.self(), next_->arrival, Message{.kind = MessageKind::arrival});
  }
}

/// Puts in line what has arrived; the last one that may wait stays where it is.
void WaitingRequests::take_arrived(Scheduler& scheduler) {
  while (next_ && next_->arrival <= scheduler.now() && in_lines_ + 1 < options_.look_ahead) {
    auto& line = lines_[static_cast<std::size_t>(next_->priority)];
    line.push_back(std::move(*next_));
    ++in_lines_;
    fetch_next(scheduler);
  }
}

const std::deque<Request>* WaitingRequests::first_line() const {
  const auto line = std::find_if(lines_.begin(), lines_.end(), [](const auto& l) { return !l.empty(); });
  return line == lines_.end() ? nullptr : &*line;
}

bool WaitingRequests::next_is_first(Time now) const {
  if (!next_ || next_->arrival > now) return false;
  const auto* line = first_line();
  return line == nullptr || next_->priority < line->front().priority;
}

const Request* WaitingRequests::first(Time now) const {
  if (next_is_first(now)) return &*next_;
  const auto* line = first_line();
  return line == nullptr ? nullptr : &line->front();
}

void WaitingRequests::pop_first(Scheduler& scheduler) {
  if (next_is_first(scheduler.now())) {
    fetch_next(scheduler);
  } else {
    lines_[static_cast<std::size_t>(first_line()->front().priority)].pop_front();
    --in_lines_;
  }
  take_arrived(scheduler);
}

}  // namespace ouro::llm
