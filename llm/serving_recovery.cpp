#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "llm/serving_controller.hpp"

// What the serving controller does when something fails.

namespace ouro::llm {

using engine::Duration;
using engine::Scheduler;

/// Acts on the next failure: empties the pipeline, gives up what is lost, and has weights moved.
void ServingController::recover(Scheduler& scheduler) {
  const auto repair = recovery_.begin(scheduler.now(), totals_.output_tokens);
  auto& record = recovery_.current();
  record.effect = totals_.requests_done == requests_ ? FailureEffect::none : effect_of(repair);
  if (record.effect == FailureEffect::none) return;

  const auto recomputed = totals_.tokens_recomputed;
  empty_pipeline(scheduler);
  lose_kv(repair, scheduler);
  record.moves = std::ssize(repair.moves);
  record.tokens_lost = totals_.tokens_recomputed - recomputed;
  recovery_.count_lost(totals_.tokens_retired);
  const auto why = repair.halt.empty() ? why_kv_is_too_small() : repair.halt;
  if (!why.empty()) return halt(why, scheduler);

  for (const auto& [from, to] : repair.moves) {
    const Message move{.number = entry(Chain::first).next_number,
                       .kind = MessageKind::move,
                       .at = from.value(),
                       .target = to.value()};
    tell_dies(move, scheduler);
    scheduler.send(kHostLp, Duration::zero(), move);
  }
  recovery_.wait_for(dies_ + 1 + static_cast<int>(repair.moves.size()));
}

FailureEffect ServingController::effect_of(const Repair& repair) const {
  if (!repair.halt.empty()) return FailureEffect::halted;
  if (!repair.moves.empty()) return FailureEffect::weights_moved;
  if (!repair.lost_kv.empty()) return FailureEffect::kv_lost;
  return recovery_.changes_the_network() ? FailureEffect::rerouted : FailureEffect::none;
}

/// Whatever is under way is given up, and each sequence goes back behind its last token that left.
void ServingController::empty_pipeline(Scheduler& scheduler) {
  auto& [at_host, next_number] = entry(Chain::first);
  recovery_.give_up_below(next_number);
  const Message flush{.number = next_number, .kind = MessageKind::flush};
  tell_dies(flush, scheduler);
  scheduler.send(kHostLp, Duration::zero(), flush);
  at_host = 0;
  recorded_in_flight_.clear();
  decoding_.clear();
  prefilling_.clear();
  entering_.reset();
  const auto running = running_;  // in the order of admission
  for (const int slot : running) give_up_tokens_of(slot, scheduler);
}

void ServingController::give_up_tokens_of(int slot, Scheduler& scheduler) {
  auto& sequence = at(slot);
  const auto lost = std::exchange(sequence.in_flight, 0);
  sequence.issued -= lost;
  kv_tokens_held_ -= lost;
  totals_.tokens_discarded += lost;
  recovery_.current().tokens_discarded += lost;
  if (lost > 0) {
    tell_dies({.position = static_cast<std::uint32_t>(sequence.issued),
               .slot = static_cast<std::uint16_t>(slot),
               .kind = MessageKind::rewind},
              scheduler);
  }
  if (sequence.draining) {
    finish_preemption(slot, scheduler);
  } else if (sequence.issued < sequence.prefill_until) {
    wait_to_prefill(slot);
  } else {
    wait_to_decode(slot);
  }
}

/// Sequences with pages on a core that lost its K and V begin again.
void ServingController::lose_kv(const Repair& repair, Scheduler& scheduler) {
  auto& record = recovery_.current();
  for (const int core : repair.lost_kv) {
    const auto running = running_;
    for (const int slot : running) {
      if (!kv_.uses_core(slot, core)) continue;
      ++record.sequences_lost;
      preempt(slot, scheduler);
    }
  }
  for (const int core : repair.closed) record.kv_pages_lost += kv_.close(core);
}

std::string ServingController::why_kv_is_too_small() const {
  const auto needed = options_.static_kv ? options_.reserved_context : longest_context_;
  if (kv_.pages_for(needed) <= kv_.pages_total()) return {};
  return fmt::format("the KV memory of a block that is left holds {} tokens, and a sequence can need {}",
                     kv_.tokens_that_fit(kv_.pages_total()), needed);
}

/// The requests that are not done stay so.
void ServingController::halt(std::string why, Scheduler& scheduler) {
  recovery_.halt(std::move(why));
  const auto running = running_;
  for (const int slot : running) leave(slot, scheduler);
  decoding_.clear();
  prefilling_.clear();
  totals_.first_arrival = std::min(waiting_.first_arrival(), scheduler.now());
  totals_.last_done = scheduler.now();
}

void ServingController::resume(Scheduler& scheduler) {
  recovery_.resume(scheduler.now());
  tell_dies({.kind = MessageKind::remapped}, scheduler);
}

}  // namespace ouro::llm
