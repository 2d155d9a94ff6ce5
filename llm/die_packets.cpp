#include "engine/error.hpp"
#include "llm/die_process.hpp"

// How packets leave and cross a die, and what they bring to whom.

namespace ouro::llm {

using engine::Time;
using wafer::Component;
using wafer::CoreId;
using wafer::Onward;

void DieProcess::send(Message message, CoreId from, CoreId to, std::int64_t bytes) {
  message.kind = MessageKind::packet;
  message.target = to.value();
  message.flits = static_cast<std::uint16_t>(plan_.wafer().noc.flits(bytes));
  count_buffer(message, core(from));
  traffic_.sent(message.flits);
  if (to != geometry_.host_id()) packet_record_.sent(scheduler_->now(), from, to, message.flits);
  if (routers_) return inject_flits(message, from);
  wafer::Travel travel;
  const auto onward = network_->inject(from, to, message.flits, scheduler_->now(), travel);
  count_travel(message, travel);
  forward(message, onward);
}

void DieProcess::enter(const Message& message) {
  if (routers_) return inject_flits_from_host(message);  // others come flit by flit
  wafer::Travel travel;
  const auto onward = network_->enter(at_core(message), CoreId{message.target}, message.flits,
                                      scheduler_->now(), travel, wafer::Waypoint::from_code(message.via));
  count_travel(message, travel);
  forward(message, onward);
}

void DieProcess::enter_along_tree(const Message& message) {
  const auto& tree = station_plan(message.station).trees[message.head];
  wafer::Travel travel;
  const auto onward = network_->enter(tree, message.target, message.flits, scheduler_->now(), travel);
  count_travel(message, travel);
  forward_multicast(message, onward);
}

void DieProcess::count_buffer(const Message& message, Core& core) {  // written once and read once
  count(core, message.stage, message.token().phase(), Component::buffer,
        2 * message.flits * plan_.wafer().noc.link_bits);
}

void DieProcess::count_travel(const Message& message, const wafer::Travel& travel) {
  ledger_.count(message.stage, message.token().phase(), Component::hop, travel.hop_bits);
  ledger_.count(message.stage, message.token().phase(), Component::die_crossing, travel.crossing_bits);
  if (travel.joint_bits > 0) {
    ledger_.count(message.stage, message.token().phase(), Component::wafer_crossing, travel.joint_bits);
  }
  link_flits_.add(scheduler_->now(), (travel.hop_bits + travel.joint_bits) / plan_.wafer().noc.link_bits);
}

void DieProcess::forward(Message message, const Onward& onward) {
  message.via = onward.via.code();
  switch (onward.to) {
    case Onward::To::core:
      arrive(message, onward.core, onward.time);
      break;
    case Onward::To::die:
      message.at = onward.core.value();
      scheduler_->send_at(die_lp(onward.die), onward.time, message);
      break;
    case Onward::To::host:
      message.kind = MessageKind::host_packet;
      scheduler_->send_at(kHostLp, onward.time, message);
      break;
  }
}

void DieProcess::multicast_to_experts(const Message& message, Station& station) {
  const auto& plan = station_plan(station);
  const auto chosen = plan_.routing().choose(kv_.request_of(message.slot), message.position, plan.block);
  for (const int expert : chosen) {
    send_along_trees(message, plan, static_cast<std::size_t>(expert) * plan.trees_at_once());
    if (plan.routes) ++station.use.expert_tokens[static_cast<std::size_t>(expert)];
  }
}

/// @param first  of the trees that go out together
void DieProcess::send_along_trees(Message message, const StationPlan& station, std::size_t first) {
  message.kind = MessageKind::multicast;
  message.stage = station.tile_stage;
  message.flits = static_cast<std::uint16_t>(plan_.wafer().noc.flits(station.group->rows));
  const auto destinations = static_cast<std::int64_t>(station.cores->size() / station.trees.size());
  for (std::size_t i = first; i < first + station.trees_at_once(); ++i) {
    message.head = static_cast<std::uint16_t>(i);
    count_buffer(message, core(station.home));
    traffic_.sent(message.flits, destinations);
    packet_record_.sent(scheduler_->now(), station.trees[i], message.flits);
    if (routers_) {
      send_flits_along(message, station.trees[i]);
      continue;
    }
    wafer::Travel travel;
    const auto onward = network_->inject(station.trees[i], message.flits, scheduler_->now(), travel);
    count_travel(message, travel);
    forward_multicast(message, onward);
  }
}

void DieProcess::forward_multicast(Message message, std::span<const Onward> onward) {
  for (const auto& branch : onward) {
    if (branch.to == Onward::To::core) {
      start_pass(message, branch.core, branch.time);
      continue;
    }
    message.target = branch.core.value();  // the segment that begins there
    scheduler_->send_at(die_lp(branch.die), branch.time, message);
  }
}

void DieProcess::arrive(const Message& message, CoreId core_id, Time tail) {
  traffic_.received(message.flits);
  count_buffer(message, core(core_id));
  switch (message.cargo) {
    case Cargo::activations:
    case Cargo::residual:
      gather_at_station(message, core_id, tail);
      break;
    case Cargo::head_input:
      gather_head_input(message, core_id, tail);
      break;
    case Cargo::attention_partial:
      add_attention_partial(message, core_id, tail);
      break;
    case Cargo::partial_sum:
      add_tile_part(message, core_id, tail);
      break;
    case Cargo::credit: {
      Message credit = message;
      credit.kind = MessageKind::credit;
      credit.at = core_id.value();
      scheduler_->send_at(scheduler_->self(), tail, credit);
      break;
    }
    case Cargo::weights:
      take_weights(message, core_id, tail);
      break;
    case Cargo::announcement:
      gather_announcement(message, core_id, tail);
      break;
    case Cargo::call:
      receive_call(message, core_id, tail);
      break;
    case Cargo::candidates:
    case Cargo::tile_input:
      throw engine::ContractError{"a packet arrived that is not for a core, or not by itself"};
  }
}

}  // namespace ouro::llm
