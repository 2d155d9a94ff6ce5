#include <algorithm>

#include "engine/error.hpp"
#include "llm/die_process.hpp"

// Attention in both directions: a token's query has to wait for K and V of the tokens behind it. So stations
// are not bound to each other there by credits, as elsewhere, but by announcements and calls:
// docs/design.md, 6.

namespace ouro::llm {

using engine::Duration;
using engine::Time;
using wafer::Component;
using wafer::CoreId;

/// A QKV tile has sent all that it makes of a token.
void DieProcess::announce(const Message& message, CoreId from, int qkv_station) {
  Message announcement{.cargo = Cargo::announcement, .stage = station_plan(qkv_station).tile_stage};
  announcement.set_token(message.token());
  send(announcement, from, station_plan(qkv_station + 1).home, 1);
}

void DieProcess::gather_announcement(const Message& message, CoreId core_id, Time tail) {
  auto& station = *core(core_id).station;
  const int senders = station_plan(station.number - 1).group->senders();
  const auto whole = station.announcements.add(message.number, 0, senders, tail);
  if (!whole) return;
  Message announced = message;
  announced.kind = MessageKind::announced;
  announced.at = core_id.value();
  scheduler_->send_at(scheduler_->self(), *whole, announced);
}

/// The QKV station may launch one more token: the buffers of its tiles have room, and that of the KV cores
/// was given to the sequence when it was admitted.
void DieProcess::announced(const Message& message) {
  auto& station = *core(CoreId{message.at}).station;
  return_credit(station, message.token());
  station.to_call.push_back(message.token());
  call_queries(station);
}

/// As many as the station's buffers have room for.
void DieProcess::call_queries(Station& station) {
  while (station.called < plan_.window() && !station.to_call.empty()) {
    const Token token = station.to_call.front();
    station.to_call.erase(station.to_call.begin());
    ++station.called;
    const auto& plan = station_plan(station);
    const auto& ring = plan_.ring(plan.block);
    Message call{.cargo = Cargo::call, .stage = plan.home_stage};
    call.set_token(token);
    for (int head = 0; head < plan_.kv_heads(); ++head) {
      call.head = static_cast<std::uint16_t>(head);
      send(call, plan.home, ring[static_cast<std::size_t>(cores_of_head(token, head).back())], 1);
    }
  }
}

/// K and V are written, and the query waits.
void DieProcess::hold_query(const Message& message, CoreId core_id, Time ready) {
  auto& kv_core = core(core_id);
  auto& attention = *kv_core.attention;
  const Phase phase = message.token().phase();
  attention.kv.write(message.slot, message.head, page_of(message.token()));
  count(kv_core, Stage::qkv, phase, Component::kv_write, written_bits(head_));
  if (attention.k_free > ready) kv_collisions_.add(ready, 1);
  attention.k_free = std::max(ready, attention.k_free) + write_k_time(core_model_, head_);
  const Duration write_v = write_v_time(core_model_, head_);
  const Time v_start = std::max(ready, attention.v_free);
  attention.v_free = v_start + write_v;
  ledger_.busy(v_start, kv_core.role.kv_block, Stage::projection, write_v);
  kv_core.use.crossbars_busy += write_v;
  attention.held.hold(message, ready);
  attend_called_queries(message, core_id);
}

void DieProcess::receive_call(const Message& message, CoreId core_id, Time tail) {
  core(core_id).attention->held.call(message, tail);
  attend_called_queries(message, core_id);
}

/// Score, softmax and S x V over the whole sequence, when all of it is stored.
void DieProcess::attend_called_queries(const Message& message, CoreId core_id) {
  auto& kv_core = core(core_id);
  auto& attention = *kv_core.attention;
  const auto* stored = attention.kv.read(message.slot, message.head);
  if (stored == nullptr || stored->tokens < kv_.length(message.slot)) return;
  for (const auto& query : attention.held.take(message.slot, message.head)) {
    const Phase phase = query.message.token().phase();
    use_kv(kv_core, *stored, stored->tokens, std::max(query.ready, attention.k_free), phase, Duration{});
    Message done = query.message;
    done.kind = MessageKind::head_done;
    done.at = core_id.value();
    scheduler_->send_at(scheduler_->self(), attention.v_free, done);
  }
}

}  // namespace ouro::llm
