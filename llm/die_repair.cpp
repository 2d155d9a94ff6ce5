#include <algorithm>

#include "engine/error.hpp"
#include "llm/die_process.hpp"
#include "llm/weight_transfer.hpp"

// What a die does when something of the wafer fails.

namespace ouro::llm {

using engine::Time;
using wafer::CoreId;

/// A message of a token that was given up is on its way no more.
void DieProcess::discard(const Message& message) {
  if (message.kind == MessageKind::packet) traffic_.discarded(message.flits);
  if (message.kind != MessageKind::multicast) return;
  const auto& tree = station_plan(message.station).trees[message.head];
  traffic_.discarded(message.flits, tree.destinations_from(message.target));
}

void DieProcess::flush(std::uint32_t first_number) {
  first_number_ = first_number;
  station_log_.flush();
  for (auto& core : cores_) {
    core.tile_parts.clear();
    if (core.station) empty(*core.station);
    if (core.attention) {
      core.attention->inputs.clear();
      core.attention->partials.clear();
      core.attention->early.clear();
    }
  }
  // the tables change only when nothing is left on the links that was sent by the old ones
  answer_controllers(std::max(scheduler_->now(), network_->quiet_from()));
}

void DieProcess::empty(Station& station) const {
  station.gather.clear();
  station.normalising.clear();
  station.ready.clear(std::max(first_number_, plan_.first_number(static_cast<std::size_t>(station.number))));
  station.credits = plan_.window();
  station.waits = {};
}

void DieProcess::answer_controllers(Time from) {
  scheduler_->send_at(kControllerLp, from + control_latency_, Message{.kind = MessageKind::ready});
}

void DieProcess::rewind_kv(const Message& message) {
  for (auto& core : cores_) {
    if (!core.attention) continue;
    auto& kv = core.attention->kv;
    for (const auto head : kv.heads_of(message.slot)) {
      const int stay =
          kv_.tokens_on_core(message.slot, head, static_cast<int>(message.position) - 1, core.role.kv_ring);
      kv.rewind(message.slot, head, stay);
    }
  }
}

/// The crossbars of a core that failed can still be read, over its router; of one whose router failed, the
/// host has a copy.
void DieProcess::move_weights(const Message& message) {
  const CoreId from{message.at};
  if (geometry_.die_of(from) != die_ || plan_.wafer().faults.router_is_dead(from)) return;
  const auto transfer = weight_transfer(plan_.wafer());
  for (int i = 0; i < transfer.packets; ++i) {
    send({.number = message.number, .cargo = Cargo::weights, .stage = Stage::repair}, from,
         CoreId{message.target}, transfer.bytes_of_packet);
  }
}

void DieProcess::take_weights(const Message& message, CoreId core_id, Time tail) {
  const auto packets = weight_transfer(plan_.wafer()).packets;
  const auto whole = core(core_id).tile_parts.add(message.number, 0, packets, tail);
  if (whole) answer_controllers(*whole);
}

/// What the cores are used for from now on.
void DieProcess::take_roles() {
  for (auto& core : cores_) {  // first what is left, since a station may go to another core of this die
    if (!core.station) continue;
    past_use_[core.station->number] = core.station->use;
    core.station.reset();
  }
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    auto& core = cores_[i];
    const auto before = core.role;
    take_role(core, geometry_.core_of_die(die_, static_cast<int>(i)));
    const bool stays = core.role.kv_block == before.kv_block && core.role.kv_ring == before.kv_ring;
    if (stays) continue;
    if (core.attention && !core.attention->kv.is_idle())
      throw engine::ContractError{name() + " gives up a KV core that sequences have pages on"};
    core.attention.reset();
    if (core.role.kv_ring >= 0) core.attention = make_attention(core.role);
  }
}

std::unique_ptr<DieProcess::Attention> DieProcess::make_attention(const CoreRole& role) const {
  return std::make_unique<Attention>(KvCore{core_model_, plan_.kv_ring().crossbars(role.kv_ring), head_});
}

void DieProcess::take_role(Core& core, CoreId id) {
  core.role = plan_.role(id);
  if (core.role.home_of < 0) return;
  core.station = std::make_unique<Station>();
  core.station->number = core.role.home_of;
  empty(*core.station);
  const auto& station = station_plan(core.role.home_of);
  if (station.routes)
    core.station->use.expert_tokens.resize(static_cast<std::size_t>(station.group->experts));
  const auto past = past_use_.find(core.role.home_of);
  if (past == past_use_.end()) return;
  core.station->use = std::move(past->second);
  past_use_.erase(past);
}

}  // namespace ouro::llm
