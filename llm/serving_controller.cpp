#include "llm/serving_controller.hpp"

#include <algorithm>
#include <utility>

#include "engine/error.hpp"

namespace ouro::llm {

using engine::Duration;
using engine::Scheduler;
using engine::Time;

ServingController::ServingController(const ServingOptions& options, KvController kv,
                                     std::unique_ptr<RequestSource> source, int dies,
                                     const Foresight& foresight)
    : options_{options},
      kv_{std::move(kv)},
      source_{std::move(source)},
      dies_{dies},
      foresight_{foresight},
      sequences_(static_cast<std::size_t>(options.max_running)) {
  for (int slot = options.max_running - 1; slot >= 0; --slot) unused_slots_.push_back(slot);
}

void ServingController::start(Scheduler& scheduler) {
  fetch_next(scheduler);
}

void ServingController::fetch_next(Scheduler& scheduler) {
  next_ = source_->next();
  if (!next_) return;
  totals_.first_arrival = std::min(totals_.first_arrival, next_->arrival);
  if (next_->arrival >= scheduler.now()) {
    scheduler.send_at(scheduler.self(), next_->arrival, Message{.kind = MessageKind::arrival});
  }
}

void ServingController::handle(const engine::Event& event, Scheduler& scheduler) {
  const auto message = event.as<Message>();
  switch (message.kind) {
    case MessageKind::arrival:
      break;
    case MessageKind::entered:
      --at_host_;
      break;
    case MessageKind::retired:
      retire(message, scheduler);
      break;
    default:
      throw engine::ContractError{"the serving controller got a message for another LP"};
  }
  admit(scheduler);
  issue(scheduler);
  timelines_.sequences_running.add(scheduler.now(), running());
  timelines_.kv_pages_used.add(scheduler.now(), kv_.pages_used());
  timelines_.kv_tokens_held.add(scheduler.now(), kv_tokens_held_);
}

void ServingController::admit(Scheduler& scheduler) {
  while (draining_ == 0 && !unused_slots_.empty()) {
    if (!preempted_.empty()) {
      if (!try_admit(preempted_.front().record, preempted_.front().generated)) return;
      preempted_.pop_front();
    } else {
      if (!next_ || next_->arrival > scheduler.now()) return;
      if (!try_admit({.request = *next_, .admitted = scheduler.now()}, 0)) return;
      ++totals_.requests_admitted;
      fetch_next(scheduler);
    }
  }
}

bool ServingController::try_admit(const RequestRecord& record, std::int32_t generated) {
  const std::int32_t known = record.request.prompt_tokens + generated;
  const auto pages = kv_.pages_for(known);
  const auto reserve =
      running_.empty()
          ? 0
          : static_cast<std::int64_t>(options_.admission_threshold * static_cast<double>(kv_.pages_total()));
  if (kv_.pages_free() - pages < reserve) return false;
  const int slot = unused_slots_.back();
  unused_slots_.pop_back();
  kv_.open(slot);
  kv_.grow(slot, known);
  at(slot) = {.record = record, .generated = generated, .known = known, .prefill_until = known};
  running_.push_back(slot);
  return true;
}

void ServingController::issue(Scheduler& scheduler) {
  while (at_host_ < options_.entry_queue && (issue_decode(scheduler) || issue_prefill(scheduler))) {
  }
}

bool ServingController::issue_decode(Scheduler& scheduler) {
  for (std::size_t i = 0; i < decoding_.size();) {
    const int slot = decoding_[i];
    if (make_room(slot, scheduler)) {
      std::erase(decoding_, slot);
      send_next_token(slot, scheduler);
      return true;
    }
    if (i < decoding_.size() && decoding_[i] == slot) ++i;  // it waits for pages; else it was a victim itself
  }
  return false;
}

bool ServingController::issue_prefill(Scheduler& scheduler) {
  for (const int slot : running_) {
    const auto& sequence = at(slot);
    if (sequence.draining || sequence.issued >= sequence.prefill_until) continue;
    send_next_token(slot, scheduler);  // its pages were given at admission
    return true;
  }
  return false;
}

bool ServingController::make_room(int slot, Scheduler& scheduler) {
  while (!kv_.grow(slot, at(slot).issued + 1)) {
    if (draining_ > 0) return false;
    const int victim = running_.back();
    preempt(victim, scheduler);
    if (victim == slot) return false;
  }
  return true;
}

void ServingController::send_next_token(int slot, Scheduler& scheduler) {
  auto& sequence = at(slot);
  const auto position = sequence.issued++;
  Token token{next_number_++, static_cast<std::uint32_t>(position), static_cast<std::uint16_t>(slot), 0};
  if (position + 1 == sequence.known) token.flags |= Token::kSampled;
  if (position >= sequence.prefill_until) token.flags |= Token::kDecode;
  ++sequence.in_flight;
  ++at_host_;
  ++totals_.tokens_issued;
  ++kv_tokens_held_;
  record_issue(token, scheduler.now());
  Message message{.kind = MessageKind::issue};
  message.set_token(token);
  scheduler.send(kHostLp, Duration::zero(), message);
}

void ServingController::preempt(int slot, Scheduler& scheduler) {
  auto& sequence = at(slot);
  sequence.draining = true;
  ++draining_;
  ++sequence.record.preemptions;
  ++totals_.preemptions;
  timelines_.preemptions.add(scheduler.now(), 1);
  std::erase(decoding_, slot);
  if (sequence.in_flight == 0) finish_preemption(slot, scheduler);
}

void ServingController::finish_preemption(int slot, Scheduler& scheduler) {
  auto& sequence = at(slot);
  sequence.record.recomputed_tokens += sequence.issued;
  totals_.tokens_recomputed += sequence.issued;
  const auto older = [](const Preempted& a, const Preempted& b) {
    return a.record.request.index < b.record.request.index;
  };
  const Preempted preempted{sequence.record, sequence.generated};
  preempted_.insert(std::upper_bound(preempted_.begin(), preempted_.end(), preempted, older), preempted);
  leave(slot, scheduler);
}

void ServingController::record_issue(const Token& token, Time now) {
  if (options_.record_every == 0 || token.number % options_.record_every != 0) return;
  recorded_in_flight_.push_back(
      {at(token.slot).record.request.index, token.number, token.position, token.phase(), now, Time{}});
}

void ServingController::record_retirement(const Token& token, Time when) {
  const auto found = std::find_if(recorded_in_flight_.begin(), recorded_in_flight_.end(),
                                  [&](const TokenRecord& record) { return record.number == token.number; });
  if (found == recorded_in_flight_.end()) return;
  found->retired = when;
  recorded_.push_back(*found);
  recorded_in_flight_.erase(found);
}

void ServingController::retire(const Message& message, Scheduler& scheduler) {
  auto& sequence = at(message.slot);
  --sequence.in_flight;
  ++totals_.tokens_retired;
  const Time when = engine::from_picoseconds(message.time_ps);
  timelines_.tokens_retired.add(when, 1);
  record_retirement(message.token(), when);
  if (message.token().sampled()) sampled(message.slot, when, scheduler);
  if (sequence.draining && sequence.in_flight == 0) finish_preemption(message.slot, scheduler);
}

void ServingController::sampled(int slot, Time when, Scheduler& scheduler) {
  auto& sequence = at(slot);
  ++sequence.generated;
  ++sequence.known;
  ++totals_.output_tokens;
  timelines_.tokens_sampled.add(when, 1);
  if (sequence.generated == 1) sequence.record.first_token = when;
  if (sequence.generated == sequence.record.request.output_tokens) {
    sequence.record.done = when;
    finish(slot, scheduler);
  } else if (!sequence.draining) {
    decoding_.push_back(slot);
  }
}

void ServingController::finish(int slot, Scheduler& scheduler) {
  const auto& record = at(slot).record;
  const auto outputs = record.request.output_tokens;
  ++totals_.requests_done;
  totals_.prompt_tokens += record.request.prompt_tokens;
  totals_.last_done = std::max(totals_.last_done, record.done);
  time_to_first_token_.add((record.first_token - record.request.arrival).count());
  if (outputs > 1) time_per_output_token_.add((record.done - record.first_token).count() / (outputs - 1));
  finished_.push_back(record);
  leave(slot, scheduler);
}

void ServingController::leave(int slot, Scheduler& scheduler) {
  if (at(slot).draining) --draining_;
  at(slot).draining = false;
  kv_.release(slot);
  kv_tokens_held_ -= at(slot).issued;
  std::erase(running_, slot);
  unused_slots_.push_back(slot);
  Message message{.kind = MessageKind::release};
  message.slot = static_cast<std::uint16_t>(slot);
  for (int die = 0; die < dies_; ++die) {
    scheduler.send(die_lp(wafer::DieId{static_cast<wafer::DieId::Value>(die)}), Duration::zero(), message);
  }
}

std::vector<RequestRecord> ServingController::take_finished() {
  return std::exchange(finished_, {});
}

std::vector<TokenRecord> ServingController::take_token_records() {
  return std::exchange(recorded_, {});
}

}  // namespace ouro::llm
