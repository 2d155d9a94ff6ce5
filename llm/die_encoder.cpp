#include <algorithm>

#include "engine/error.hpp"
#include "llm/die_process.hpp"

// Attention in both directions: a token's query has to wait for K and V of the tokens behind it. So a credit
// of QKV comes back by announcements, as do those of what makes K and V of cross attention, and O calls
// queries: docs/design.md, 6.

namespace ouro::llm {

using engine::Duration;
using engine::Time;
using wafer::Component;
using wafer::CoreId;

/// A tile has sent all that it makes of a token.
void DieProcess::announce(const Message& message, CoreId from, int station) {
  const auto& plan = station_plan(station);
  Message announcement{
      .cargo = Cargo::announcement, .stage = plan.tile_stage, .station = static_cast<std::uint16_t>(station)};
  announcement.set_token(message.token());
  send(announcement, from, station_plan(plan.ends_chain ? station : station + 1).home, 1);
}

/// A vector that the station before passed on has left this one, too.
void DieProcess::announce_launch(const Station& station, const Token& token) {
  Message part{.station = static_cast<std::uint16_t>(station.number - 1)};
  part.set_token(token);
  gather_announcement(part, station_plan(station).home, scheduler_->now());
}

void DieProcess::gather_announcement(const Message& message, CoreId core_id, Time tail) {
  auto& station = *core(core_id).station;
  const int parts = station_plan(message.station).announcements;
  const auto whole = station.announcements.add(message.number, message.station, parts, tail);
  if (!whole) return;
  Message announced = message;
  announced.kind = MessageKind::announced;
  announced.at = core_id.value();
  scheduler_->send_at(scheduler_->self(), *whole, announced);
}

/// The announcing station may launch one more token: the buffers of its tiles have room, and that of the KV
/// cores was given to the sequence when it was admitted. No buffer of the station that hears of it held it
/// back.
void DieProcess::announced(const Message& message) {
  auto& station = *core(at_core(message)).station;
  if (station.number == message.station) return end_encoding(station, message.token());
  return_credit(station, message.token(), scheduler_->now());
  if (!station_plan(station).calls_queries) return;
  station.to_call.push_back(message.token());
  call_queries(station);
}

/// Behind the last block's K and V nothing is left to do for a token of the encoder's chain.
void DieProcess::end_encoding(Station& station, const Token& token) {
  retire(token);
  get_credit(station, scheduler_->now());
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
      send(call, plan.home, ring[static_cast<std::size_t>(cores_of_head(token, head, plan.block).back())], 1);
    }
  }
}

/// K and V are written, and the query waits.
void DieProcess::hold_query(const Message& message, CoreId core_id, Time ready) {
  store_kv(message, core_id, ready);
  core(core_id).attention->held.hold(message, ready);
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
  if (stored == nullptr || stored->tokens < encoder_kv_.length(message.slot)) return;
  for (const auto& query : attention.held.take(message.slot, message.head)) {
    const Time start = std::max(query.ready, attention.k_free);
    use_kv(kv_core, *stored, stored->tokens, start, query.message.token(), Duration{});
    Message done = query.message;
    done.kind = MessageKind::head_done;
    done.at = core_id.value();
    scheduler_->send_at(scheduler_->self(), attention.v_free, done);
  }
}

}  // namespace ouro::llm
