#include <algorithm>

#include "engine/error.hpp"
#include "llm/die_process.hpp"

// The cores of a die that hold K and V.

namespace ouro::llm {

using engine::Duration;
using engine::Time;
using wafer::Component;
using wafer::CoreId;

void DieProcess::change_kv(const Message& message) {
  for (auto& core : cores_) {
    if (core.attention) change_kv(core.attention->kv, message);
  }
}

void DieProcess::change_kv(KvCore& kv, const Message& message) {
  switch (message.kind) {
    case MessageKind::keep:
      return kv.keep(message.slot, message.number, static_cast<std::int32_t>(message.position),
                     static_cast<std::int32_t>(message.target));
    case MessageKind::adopt:
      return kv.adopt(message.slot, message.number);
    case MessageKind::drop:
      return kv.drop(message.number);
    default:
      return kv.release(message.slot);
  }
}

bool DieProcess::is_newest(const Token& token, int head, CoreId core_id) const {
  const auto& role = core(core_id).role;
  return cores_of_head(token, head, role.kv_block).back() == role.kv_ring;
}

/// What the encoder's chain sends to the decoder's blocks.
bool DieProcess::is_of_cross_kv(const Message& message, CoreId core_id) const {
  return has_cross_attention(plan_.model(), core(core_id).role.kv_block) &&
         message.token().chain() == Chain::first;
}

int DieProcess::senders_of_head_input(const Message& message, CoreId core_id) const {
  if (is_of_cross_kv(message, core_id)) return plan_.cross_kv_senders(message.head);
  if (attends_across(message.token())) return plan_.cross_query_senders(message.head);
  const bool newest = is_newest(message.token(), message.head, core_id);
  return newest ? plan_.head_input_senders(message.head) : plan_.query_senders(message.head);
}

/// Whether K and V of a token overtook those of the one before, as they can at `flit`: there, packets with
/// the same way may take other virtual channels.
/// @param needed  tokens of the head on this core, with that one
bool DieProcess::comes_early(const Message& message, const KvCore& kv, int needed) {
  const auto* stored = kv.read(message.slot, message.head);
  return (stored == nullptr ? 0 : stored->tokens) < needed - 1;
}

/// K and V of one more token are there: those that came before them may go on.
void DieProcess::attend_early_queries(std::uint16_t slot, std::uint16_t head, CoreId core_id, Time written) {
  auto& early = core(core_id).attention->early;
  if (early.empty()) return;
  std::vector<Attention::EarlyQuery> waiting;
  std::swap(waiting, early);
  for (const auto& query : waiting) {  // those that must wait on go back
    if (query.message.slot == slot && query.message.head == head) {
      attend(query.message, core_id, std::max(query.ready, written));
    } else {
      early.push_back(query);
    }
  }
}

void DieProcess::gather_head_input(const Message& message, CoreId core_id, Time tail) {
  const int expected = senders_of_head_input(message, core_id);
  const auto whole = core(core_id).attention->inputs.add(message.number, message.head, expected, tail);
  if (!whole) return;
  if (is_encoder_block(plan_.model(), core(core_id).role.kv_block)) {
    hold_query(message, core_id, *whole);
  } else if (is_of_cross_kv(message, core_id)) {
    store_cross_kv(message, core_id, *whole);
  } else {
    attend(message, core_id, *whole);
  }
}

/// Score, softmax and S x V of one KV head for one token, over the tokens that lie on this core.
void DieProcess::attend(const Message& message, CoreId core_id, Time ready) {
  auto& kv_core = core(core_id);
  auto& attention = *kv_core.attention;
  const Token token = message.token();
  const bool newest = is_newest(token, message.head, core_id);
  const bool writes = newest && !attends_across(token);
  const int needed =
      kv_.tokens_on_core(message.slot, message.head, last_position(token), kv_core.role.kv_ring);
  if (writes && routers_ && comes_early(message, attention.kv, needed)) {
    attention.early.push_back({message, ready});
    return;
  }
  const auto* stored = writes ? &attention.kv.write(message.slot, message.head, page_of(token))
                              : attention.kv.read(message.slot, message.head);
  if (stored == nullptr || stored->tokens < needed) {
    if (writes) throw engine::ContractError{"K and V of a head arrived out of order"};
    attention.early.push_back({message, ready});
    return;
  }
  const auto& entry = *stored;
  const std::int64_t tokens = needed;

  Time k_start = std::max(ready, attention.k_free);
  if (writes) {
    if (attention.k_free > ready) kv_collisions_.add(ready, 1);
    count(kv_core, Stage::qkv, token.phase(), Component::kv_write, written_bits(head_));
    k_start += write_k_time(core_model_, head_);
  }
  use_kv(kv_core, entry, tokens, k_start, token, writes ? write_v_time(core_model_, head_) : Duration{});

  if (newest) {
    add_attention_partial(message, core_id, attention.v_free);
    if (writes) attend_early_queries(message.slot, message.head, core_id, k_start);
    return;
  }
  Message done = message;
  done.kind = MessageKind::head_done;
  done.at = core_id.value();
  scheduler_->send_at(scheduler_->self(), attention.v_free, done);
}

/// K and V of a token whose query comes later, or never.
void DieProcess::store_kv(const Message& message, CoreId core_id, Time ready) {
  auto& kv_core = core(core_id);
  auto& attention = *kv_core.attention;
  attention.kv.write(message.slot, message.head, page_of(message.token()));
  count(kv_core, Stage::qkv, message.token().phase(), Component::kv_write, written_bits(head_));
  if (attention.k_free > ready) kv_collisions_.add(ready, 1);
  attention.k_free = std::max(ready, attention.k_free) + write_k_time(core_model_, head_);
  const Duration write_v = write_v_time(core_model_, head_);
  const Time v_start = std::max(ready, attention.v_free);
  attention.v_free = v_start + write_v;
  ledger_.busy(v_start, kv_core.role.kv_block, Stage::projection, write_v);
  kv_core.use.crossbars_busy += write_v;
}

/// Of a token of the encoder: queries for its sequence may be there already.
void DieProcess::store_cross_kv(const Message& message, CoreId core_id, Time ready) {
  store_kv(message, core_id, ready);
  attend_early_queries(message.slot, message.head, core_id, ready);
}

/// Cross attention has no biases by distance.
SfuWork DieProcess::weighing_work(std::int64_t tokens, const Token& token) const {
  auto work = softmax_work(core_model_, head_, tokens);
  if (plan_.model().position_buckets > 0 && !attends_across(token))
    work += position_bias_work(core_model_, head_, tokens);
  return work;
}

/// One query's score, which begins at `k_start`, softmax, and S x V with the writing of V before it; they end
/// when the V crossbars are free.
void DieProcess::use_kv(Core& kv_core, const KvCore::Entry& entry, std::int64_t tokens, Time k_start,
                        const Token& token, Duration write_v) {
  auto& attention = *kv_core.attention;
  const Phase phase = token.phase();
  const int block = kv_core.role.kv_block;
  const auto score = score_work(core_model_, head_, tokens, entry.k_rows);
  count(kv_core, Stage::score, phase, Component::mac, score.macs);
  count(kv_core, Stage::score, phase, Component::htree, score.htree_bits);
  attention.k_free = k_start + score.time;
  ledger_.busy(k_start, block, Stage::score, score.time);

  const Time softmax_done =
      use_sfu(kv_core, attention.k_free, weighing_work(tokens, token), block, Stage::softmax, phase);

  const auto values = values_work(core_model_, head_, tokens, entry.v_rows);
  count(kv_core, Stage::projection, phase, Component::mac, values.macs);
  count(kv_core, Stage::projection, phase, Component::htree, values.htree_bits);
  const Duration value_time = values.time + write_v;
  const Time v_start = std::max(softmax_done, attention.v_free);
  attention.v_free = v_start + value_time;
  ledger_.busy(v_start, block, Stage::projection, value_time);
  kv_core.use.crossbars_busy += score.time + value_time;
}

/// The core with a head's newest tokens waits for the other cores' parts: each comes with the maximum and the
/// sum of its exponentials, by which it is rescaled.
void DieProcess::add_attention_partial(const Message& message, CoreId core_id, Time at) {
  auto& kv_core = core(core_id);
  const auto parts =
      static_cast<int>(cores_of_head(message.token(), message.head, kv_core.role.kv_block).size());
  const auto whole = kv_core.attention->partials.add(message.number, message.head, parts, at);
  if (!whole) return;
  Time done = *whole;
  if (parts > 1) {
    done = use_sfu(kv_core, done, merge_work(core_model_, head_, parts), core(core_id).role.kv_block,
                   Stage::softmax, message.token().phase());
  }
  Message finished = message;
  finished.kind = MessageKind::head_done;
  finished.at = core_id.value();
  scheduler_->send_at(scheduler_->self(), done, finished);
}

void DieProcess::head_done(const Message& message) {
  const auto& role = core(at_core(message)).role;
  Message output{.stage = Stage::projection, .head = message.head};
  output.set_token(message.token());
  const int newest = cores_of_head(message.token(), message.head, role.kv_block).back();
  if (newest == role.kv_ring) {
    const bool across = attends_across(message.token());
    if (across) output.slot = static_cast<std::uint16_t>(own_entry(message.slot));
    output.cargo = Cargo::activations;
    send(output, at_core(message),
         across ? plan_.home_of_cross_heads(role.kv_block) : plan_.home_of_heads(role.kv_block),
         head_output_bytes(head_));
    return;
  }
  output.cargo = Cargo::attention_partial;
  send(output, at_core(message), plan_.ring(role.kv_block)[static_cast<std::size_t>(newest)],
       attention_partial_bytes(head_));
}

}  // namespace ouro::llm
