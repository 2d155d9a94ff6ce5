#include "llm/serving_controller.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "engine/error.hpp"
#include "engine/random.hpp"

namespace ouro::llm {

using engine::Duration;
using engine::Scheduler;
using engine::Time;

ServingController::ServingController(const ServingOptions& options, KvController kv,
                                     std::optional<KvController> encoder_kv,
                                     std::unique_ptr<RequestSource> source, int dies,
                                     const Foresight& foresight, FaultRecovery recovery,
                                     const WorkloadSummary& work)
    : options_{options},
      kv_{std::move(kv)},
      encoder_kv_{std::move(encoder_kv)},
      waiting_{std::move(source), options.load},
      dies_{dies},
      foresight_{foresight},
      recovery_{std::move(recovery)},
      requests_{static_cast<std::int64_t>(work.requests)},
      longest_context_{work.longest_context},
      sequences_(static_cast<std::size_t>(kv_.sequences())) {
  const int entries_of_sequence = options.encodes ? kEntriesOfSequence : 1;
  for (int i = options.max_running - 1; i >= 0; --i) unused_slots_.push_back(i * entries_of_sequence);
}

void ServingController::start(Scheduler& scheduler) {
  waiting_.start(scheduler);
  recovery_.start(scheduler);
}

void ServingController::handle(const engine::Event& event, Scheduler& scheduler) {
  const auto message = event.as<Message>();
  switch (message.kind) {
    case MessageKind::arrival:
      waiting_.arrive(scheduler);
      break;
    case MessageKind::entered:
      if (!recovery_.is_stale(message)) --entry(message.token().chain()).at_host;
      break;
    case MessageKind::retired:
      if (!recovery_.is_stale(message)) retire(message, scheduler);
      break;
    case MessageKind::failure:
      recovery_.notice();
      break;
    case MessageKind::ready:
      if (recovery_.answer()) resume(scheduler);
      break;
    default:
      throw engine::ContractError{"the serving controller got a message for another LP"};
  }
  while (recovery_.has_next()) recover(scheduler);
  if (!recovery_.is_paused()) {
    admit(scheduler);
    issue(scheduler);
  }
  timelines_.sequences_running.add(scheduler.now(), running());
  timelines_.kv_pages_used.add(scheduler.now(), kv_.pages_used());
  timelines_.kv_tokens_held.add(scheduler.now(), kv_tokens_held_);
  if (options_.prefix_cache) timelines_.kv_pages_cached.add(scheduler.now(), kv_.pages_cached());
  if (encoder_kv_) timelines_.encoder_pages_used.add(scheduler.now(), encoder_kv_->pages_used());
  timelines_.kv_tokens_unused.add(scheduler.now(), kv_.tokens_that_fit(kv_.pages_used()) - kv_tokens_held_);
}

void ServingController::admit(Scheduler& scheduler) {
  while (draining_ == 0) {
    const auto* waiting = waiting_.first(scheduler.now());
    const bool again =
        !preempted_.empty() &&
        (waiting == nullptr || preempted_.front().record.request.priority <= waiting->priority);
    if (!again && waiting == nullptr) return;
    const auto& request = again ? preempted_.front().record.request : *waiting;
    const auto demand = demand_of(request, again ? preempted_.front().generated : 0);
    find_keys(request);
    if (!fits(demand)) {
      if (!preempt_later_class(request, demand, scheduler)) return;
    } else if (again) {
      auto next = std::move(preempted_.front());
      preempted_.pop_front();
      open_sequence(std::move(next.record), next.generated, scheduler);
    } else {
      ++totals_.requests_admitted;
      open_sequence({.request = request, .admitted = scheduler.now()}, 0, scheduler);
      waiting_.pop_first(scheduler);
    }
  }
}

/// Behind an encoder a sequence begins with a start token.
ServingController::Demand ServingController::demand_of(const Request& request, std::int32_t generated) const {
  if (options_.encodes) return {1 + generated, request.prompt_tokens};
  return {request.prompt_tokens + generated, 0};
}

std::int64_t ServingController::tokens_to_admit(std::int32_t known) const {
  return options_.static_kv ? options_.reserved_context : known;
}

std::int64_t ServingController::pages_to_admit(const Demand& demand) const {
  if (options_.static_kv) return kv_.pages_for(options_.reserved_context);
  const auto cached = cached_keys(demand.known);
  return kv_.pages_for(demand.known) + kv_.pages_for(demand.encoded) -
         static_cast<std::int64_t>(cached.size()) * kv_.pages_of_stretch() + kv_.available_pages_of(cached);
}

std::int64_t ServingController::pages_to_leave() const {
  if (running_.empty() || options_.static_kv || !options_.generates) return 0;
  return static_cast<std::int64_t>(options_.admission_threshold * static_cast<double>(kv_.pages_total()));
}

bool ServingController::fits(const Demand& demand) const {
  if (unused_slots_.empty()) return false;
  if (!options_.generates) return kv_.has_room_for(tokens_to_admit(demand.known));
  if (encoder_kv_ && !encoder_kv_->has_room_for(demand.encoded)) return false;
  return kv_.pages_available() - pages_to_admit(demand) >= pages_to_leave();
}

void ServingController::open_sequence(RequestRecord record, std::int32_t generated, Scheduler& scheduler) {
  const auto [known, encoded] = demand_of(record.request, generated);
  const int slot = unused_slots_.back();
  unused_slots_.pop_back();
  const auto request = record.request.index;
  const bool begins_to_decode = options_.encodes && generated == 0;
  at(slot) = {.record = std::move(record),
              .generated = generated,
              .known = known,
              .to_encode = encoded,
              .in_encoder = encoded,
              .prefill_until = begins_to_decode ? 0 : known,
              .keys = keys_};
  kv_.open(slot, request, options_.generates ? 0 : known);
  adopt_cached(slot, cached_keys(known), scheduler);
  grow(slot, tokens_to_admit(known), scheduler);
  if (options_.encodes) open_encoding(slot);
  running_.push_back(slot);
  wait_to_prefill(slot);
}

/// The pages of its prompt, in the decoder's blocks and in the encoder's.
void ServingController::open_encoding(int slot) {
  const auto& request = at(slot).record.request;
  const int cross = cross_entry(slot);
  kv_.open(cross, request.index, request.prompt_tokens);
  encoder_kv_->open(slot, request.index, request.prompt_tokens);
  if (!kv_.grow(cross, request.prompt_tokens) || !encoder_kv_->grow(slot, request.prompt_tokens))
    throw engine::ContractError{"a prompt was admitted without room for it"};
}

// ---- the prefix cache
// -------------------------------------------------------------------------------------------------

/// A stretch's key is made of the names of all blocks up to its end.
void ServingController::find_keys(const Request& request) {
  if (!options_.prefix_cache || keys_of_ == request.index) return;
  keys_of_ = request.index;
  keys_.clear();
  const auto blocks_of_stretch =
      static_cast<std::size_t>(kv_.stretch_tokens() / options_.prefix_block_tokens);
  const auto stretches = std::min(request.prefix_blocks.size() / blocks_of_stretch,
                                  static_cast<std::size_t>(request.prompt_tokens / kv_.stretch_tokens()));
  std::uint64_t key = 0;
  for (std::size_t block = 0; block < stretches * blocks_of_stretch; ++block) {
    key = engine::mix_bits((key ^ request.prefix_blocks[block]) + engine::kGoldenGamma);
    if ((block + 1) % blocks_of_stretch == 0) keys_.push_back(key);
  }
}

std::span<const std::uint64_t> ServingController::cached_keys(std::int32_t known) const {
  const auto before_last = static_cast<std::size_t>((known - 1) / kv_.stretch_tokens());
  const auto keys = std::span{keys_}.first(std::min(keys_.size(), before_last));
  return keys.first(static_cast<std::size_t>(kv_.cached_stretches(keys)));
}

void ServingController::adopt_cached(int slot, std::span<const std::uint64_t> cached, Scheduler& scheduler) {
  auto& sequence = at(slot);
  sequence.kept = cached.size();
  sequence.issued = sequence.resumes_at = static_cast<std::int32_t>(cached.size()) * kv_.stretch_tokens();
  sequence.record.cached_tokens += sequence.issued;
  totals_.tokens_cached += sequence.issued;
  for (const int number : kv_.adopt(slot, cached)) {
    tell_dies({.number = static_cast<std::uint32_t>(number),
               .slot = static_cast<std::uint16_t>(slot),
               .kind = MessageKind::adopt},
              scheduler);
  }
}

/// A stretch can be shared when its last token has left the pipeline: then all its K and V are written.
void ServingController::keep_computed(int slot, std::int32_t position, Scheduler& scheduler) {
  auto& sequence = at(slot);
  const auto end = static_cast<std::int32_t>(sequence.kept + 1) * kv_.stretch_tokens();
  if (sequence.kept == sequence.keys.size() || position + 1 < end) return;
  const auto stretch = static_cast<int>(sequence.kept++);
  const auto number = kv_.keep(slot, stretch, sequence.keys[static_cast<std::size_t>(stretch)]);
  if (!number) return;  // another sequence was earlier
  const auto pages = kv_.stretch_tokens() / kv_.page_tokens();
  tell_dies({.number = static_cast<std::uint32_t>(*number),
             .position = static_cast<std::uint32_t>(stretch * pages),
             .slot = static_cast<std::uint16_t>(slot),
             .kind = MessageKind::keep,
             .target = static_cast<std::uint32_t>(pages)},
            scheduler);
}

bool ServingController::grow(int slot, std::int64_t tokens, Scheduler& scheduler) {
  if (!kv_.grow(slot, tokens)) return false;
  for (const int number : kv_.take_evicted()) {
    kv_tokens_held_ -= kv_.stretch_tokens();
    tell_dies({.number = static_cast<std::uint32_t>(number), .kind = MessageKind::drop}, scheduler);
  }
  return true;
}

void ServingController::tell_dies(const Message& message, Scheduler& scheduler) {
  for (int die = 0; die < dies_; ++die) {
    scheduler.send(die_lp(wafer::DieId{static_cast<wafer::DieId::Value>(die)}), Duration::zero(), message);
  }
}

// ---- who gives way
// -------------------------------------------------------------------------------------------------

bool ServingController::preempt_later_class(const Request& request, const Demand& demand,
                                            Scheduler& scheduler) {
  if (!options_.generates) return false;  // tokens that wait for the rest of their sequence never leave
  if (encoder_kv_ && !encoder_kv_->has_room_for(demand.encoded))
    return false;  // prompts before it leave soon
  if (running_.empty() || class_of(victim()) <= request.priority) return false;
  auto pages = kv_.pages_available();
  bool all = true;
  for (const int slot : running_) {
    if (class_of(slot) > request.priority) {
      pages += kv_.pages_owned(slot) + (options_.encodes ? kv_.pages_owned(cross_entry(slot)) : 0);
    } else {
      all = false;
    }
  }
  if (pages - pages_to_admit(demand) < (all ? 0 : pages_to_leave())) return false;
  preempt(victim(), scheduler);
  return true;
}

int ServingController::victim() const {
  const auto later = [this](int a, int b) { return class_of(a) < class_of(b); };
  return *std::max_element(running_.rbegin(), running_.rend(), later);
}

void ServingController::wait_to_decode(int slot) {
  const auto behind = [this](int a, int b) { return class_of(a) < class_of(b); };
  decoding_.insert(std::upper_bound(decoding_.begin(), decoding_.end(), slot, behind), slot);
}

void ServingController::wait_to_prefill(int slot) {
  const auto behind = [this](int a, int b) { return class_of(a) < class_of(b); };
  at(slot).of_chunk = 0;
  prefilling_.insert(std::upper_bound(prefilling_.begin(), prefilling_.end(), slot, behind), slot);
}

void ServingController::issue(Scheduler& scheduler) {
  while (issue_one(scheduler)) {
  }
}

bool ServingController::issue_one(Scheduler& scheduler) {
  if (entering_) return issue_batch(scheduler);
  if (options_.mix == Mix::decode_first) return issue_decode(scheduler) || issue_prefill(scheduler);
  if (options_.mix == Mix::prefill_first) return issue_prefill(scheduler) || issue_decode(scheduler);
  constexpr int kToken = 1000;
  const int credit = prefill_credit_ + options_.prefill_permille;
  const bool turn_of_prefill = credit >= kToken;
  bool prefilled = turn_of_prefill && issue_prefill(scheduler);
  if (!prefilled && !issue_decode(scheduler)) {
    if (turn_of_prefill || !issue_prefill(scheduler)) return false;
    prefilled = true;
  }
  prefill_credit_ = prefilled ? std::max(0, credit - kToken) : std::min(kToken, credit);
  return true;
}

bool ServingController::issue_decode(Scheduler& scheduler) {
  if (!has_room_at_host(options_.encodes ? Chain::decoder : Chain::first)) return false;
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
  const auto next = std::find_if(prefilling_.begin(), prefilling_.end(), [this](int slot) {
    return has_room_at_host(next_chain(slot)) &&
           (options_.prefill_window == 0 || at(slot).in_flight < options_.prefill_window);
  });
  if (next == prefilling_.end()) return false;
  const int slot = *next;
  send_next_token(slot, scheduler);  // its pages were given at admission
  end_turn_of_prefill(slot);
  return true;
}

/// A batch enters without others in between; also of a sequence that was preempted meanwhile, since stations
/// wait for all of it.
bool ServingController::issue_batch(Scheduler& scheduler) {
  const int slot = *entering_;
  if (!has_room_at_host(next_chain(slot))) return false;
  send_next_token(slot, scheduler);
  if (!at(slot).draining) end_turn_of_prefill(slot);
  return true;
}

/// If its prompt has entered, or its chunk and others wait.
void ServingController::end_turn_of_prefill(int slot) {
  auto& sequence = at(slot);
  const bool whole = has_entered(slot);
  if (!whole && (options_.prefill_chunk == 0 || ++sequence.of_chunk < options_.prefill_chunk)) return;
  std::erase(prefilling_, slot);
  if (!whole) wait_to_prefill(slot);
}

/// All that is known of it, up to where it has to wait for the encoder, or all that it must.
bool ServingController::has_entered(int slot) const {
  const auto& sequence = at(slot);
  if (is_encoding(slot)) return false;
  return must_begin(slot) || sequence.draining || sequence.issued >= sequence.prefill_until;
}

bool ServingController::make_room(int slot, Scheduler& scheduler) {
  while (!grow(slot, at(slot).issued + 1, scheduler)) {
    if (draining_ > 0) return false;
    const int preempted = victim();
    preempt(preempted, scheduler);
    if (preempted == slot) return false;
  }
  return true;
}

void ServingController::send_next_token(int slot, Scheduler& scheduler) {
  auto& sequence = at(slot);
  auto& chain = entry(next_chain(slot));
  const bool encodes = is_encoding(slot);
  const auto position =
      encodes ? sequence.record.request.prompt_tokens - sequence.to_encode-- : sequence.issued++;
  Token token{chain.next_number++, static_cast<std::uint32_t>(position), static_cast<std::uint16_t>(slot), 0};
  if (!encodes) token.flags = flags_of(slot, position);
  entering_ = token.closes_batch() ? std::nullopt : std::optional{slot};
  ++sequence.in_flight;
  ++chain.at_host;
  ++totals_.tokens_issued;
  ++kv_tokens_held_;
  record_issue(token, scheduler.now());
  Message message{.kind = MessageKind::issue};
  message.set_token(token);
  scheduler.send(kHostLp, Duration::zero(), message);
}

Chain ServingController::next_chain(int slot) const {
  return options_.encodes && !is_encoding(slot) ? Chain::decoder : Chain::first;
}

std::uint8_t ServingController::flags_of(int slot, std::int32_t position) const {
  const auto& sequence = at(slot);
  std::uint8_t flags = batch_flags(slot, position);
  if (options_.generates && position + 1 == sequence.known) flags |= Token::kSampled;
  if (position >= sequence.prefill_until) flags |= Token::kDecode;
  if (position > 0 && position == sequence.resumes_at) flags |= Token::kResumes;
  return flags;
}

std::uint8_t ServingController::batch_flags(int slot, std::int32_t position) const {
  const auto end = at(slot).prefill_until;
  if (options_.pipelining == Pipelining::token || position >= end) return 0;
  const bool follows = entering_ == slot;
  const bool is_followed = position + 1 < end;
  return static_cast<std::uint8_t>((follows ? Token::kFollows : 0) | (is_followed ? Token::kIsFollowed : 0));
}

bool ServingController::has_drained(int slot) const {
  return at(slot).draining && at(slot).in_flight == 0 && entering_ != slot && !must_begin(slot);
}

void ServingController::preempt(int slot, Scheduler& scheduler) {
  auto& sequence = at(slot);
  sequence.draining = true;
  ++draining_;
  ++sequence.record.preemptions;
  ++totals_.preemptions;
  timelines_.preemptions.add(scheduler.now(), 1);
  if (must_begin(slot)) return;
  std::erase(decoding_, slot);
  std::erase(prefilling_, slot);
  if (has_drained(slot)) finish_preemption(slot, scheduler);
}

void ServingController::finish_preemption(int slot, Scheduler& scheduler) {
  auto& sequence = at(slot);
  const auto entered = tokens_entered(slot);
  sequence.record.recomputed_tokens += entered;
  totals_.tokens_recomputed += entered;
  timelines_.tokens_recomputed.add(scheduler.now(), entered);
  const auto older = [](const Preempted& a, const Preempted& b) {
    const auto& [first, second] = std::tie(a.record.request, b.record.request);
    return std::tie(first.priority, first.index) < std::tie(second.priority, second.index);
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
  if (sequence.in_encoder > 0) return leave_encoder(message.slot, scheduler);
  keep_computed(message.slot, static_cast<std::int32_t>(message.position), scheduler);
  if (message.token().sampled()) sampled(message.slot, when, scheduler);
  recovery_.count(when, totals_.tokens_retired, totals_.output_tokens);
  if (!options_.generates && static_cast<std::int32_t>(message.position) + 1 == sequence.known) {
    sequence.record.done = when;
    finish(message.slot, scheduler);
  }
  if (has_drained(message.slot)) finish_preemption(message.slot, scheduler);
}

/// Behind the last token of its prompt a sequence begins in the decoder.
void ServingController::leave_encoder(int slot, Scheduler& scheduler) {
  auto& sequence = at(slot);
  if (--sequence.in_encoder > 0) return;
  encoder_kv_->release(slot);
  tell_dies_of_release(slot, scheduler);
  if (sequence.issued < sequence.prefill_until) {
    wait_to_prefill(slot);
  } else {
    wait_to_decode(slot);
  }
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
    wait_to_decode(slot);
  }
}

void ServingController::finish(int slot, Scheduler& scheduler) {
  const auto& record = at(slot).record;
  ++totals_.requests_done;
  totals_.prompt_tokens += record.request.prompt_tokens;
  totals_.first_arrival = waiting_.first_arrival();
  totals_.last_done = std::max(totals_.last_done, record.done);
  count_limits(record);
  waiting_.finished(record.request, record.done, scheduler);
  finished_.push_back(record);
  leave(slot, scheduler);
}

void ServingController::count_limits(const RequestRecord& record) {
  const auto outputs = record.request.output_tokens;
  const bool ttft = outputs == 0 || record.first_token - record.request.arrival <= options_.ttft_limit;
  // compared without a division, which would round
  const bool tpot = outputs <= 1 || options_.tpot_limit == Duration::max() ||
                    record.done - record.first_token <= (outputs - 1) * options_.tpot_limit;
  totals_.within_ttft += ttft ? 1 : 0;
  totals_.within_tpot += tpot ? 1 : 0;
  if (!ttft || !tpot) return;
  ++totals_.within_both;
  totals_.output_tokens_within_both += outputs;
}

void ServingController::leave(int slot, Scheduler& scheduler) {
  if (at(slot).draining) --draining_;
  at(slot).draining = false;
  kv_tokens_held_ -= tokens_entered(slot) - kv_.shared(slot) * kv_.stretch_tokens();
  std::erase(running_, slot);
  unused_slots_.push_back(slot);
  kv_.release(slot);
  tell_dies_of_release(slot, scheduler);
  if (!options_.encodes) return;
  kv_.release(cross_entry(slot));
  tell_dies_of_release(cross_entry(slot), scheduler);
}

void ServingController::tell_dies_of_release(int entry_of_kv, Scheduler& scheduler) {
  Message message{.kind = MessageKind::release};
  message.slot = static_cast<std::uint16_t>(entry_of_kv);
  tell_dies(message, scheduler);
}

std::int32_t ServingController::tokens_entered(int slot) const {
  const auto& sequence = at(slot);
  const auto encoded = options_.encodes ? sequence.record.request.prompt_tokens - sequence.to_encode : 0;
  return sequence.issued + encoded;
}

std::vector<RequestRecord> ServingController::take_finished() {
  return std::exchange(finished_, {});
}

std::vector<TokenRecord> ServingController::take_token_records() {
  return std::exchange(recorded_, {});
}

void ServingController::save(engine::StateWriter& archive) const {
  archive << *this;
}

void ServingController::load(engine::StateReader& archive) {
  archive >> *this;
}

}  // namespace ouro::llm
