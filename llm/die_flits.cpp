#include "llm/die_process.hpp"

// How packets leave and cross a die at fidelity `flit`: what a packet carries lies in a slot while something
// of the packet is in the die, and goes on with its head.

namespace ouro::llm {

using wafer::CoreId;
using wafer::FlitDie;
using wafer::FlitEvent;

void DieProcess::inject_flits(Message message, CoreId from) {
  const auto slot = routers_->packets.keep(message);
  routers_->flits.inject(scheduler_->now(), geometry_.index_in_die(from), slot, CoreId{message.target},
                         message.flits);
  send_alarm();
}

/// @param tree  to one destination: routers have no multicast
void DieProcess::send_flits_along(Message message, const wafer::MulticastTree& tree) {
  message.cargo = Cargo::tile_input;
  message.target = tree.ends().front().value();
  inject_flits(message, tree.source());
}

void DieProcess::inject_flits_from_host(const Message& message) {
  const auto slot = routers_->packets.keep(message);
  routers_->flits.inject_from_host(scheduler_->now(), slot, CoreId{message.target}, message.flits);
  send_alarm();
}

void DieProcess::handle_flits(const Message& message) {
  const auto event = message.flit_event();
  if (event.kind == FlitEvent::Kind::edge) return step_routers();
  const auto slot = event.is_head() ? routers_->packets.keep(message) : 0;
  routers_->flits.receive(scheduler_->now(), event, slot, CoreId{message.target});
  send_alarm();
}

void DieProcess::send_alarm() {
  const auto at = routers_->flits.take_alarm();
  if (!at) return;
  Message edge{.kind = MessageKind::flit};
  edge.set_flit_event({.kind = FlitEvent::Kind::edge});
  scheduler_->send_at(scheduler_->self(), *at, edge);
}

void DieProcess::step_routers() {
  auto& flits = routers_->flits;
  const auto edge = flits.edge_due(scheduler_->now());
  if (!edge) return;
  flits.step(*edge);
  for (const auto& crossing : flits.crossings()) send_over_border(crossing);
  for (const auto& packet : flits.at_host()) arrive_at_host(packet);
  for (const auto& packet : flits.at_cores()) arrive_at_core(packet);
  send_alarm();
}

/// Nothing of the packet is left in this die.
Message DieProcess::take_packet(wafer::PacketSlot slot, bool crosses_border) {
  const Message message = routers_->packets[slot];
  count_travel(message, routers_->flits.travel(slot, message.flits, crosses_border));
  routers_->packets.release(slot);
  return message;
}

void DieProcess::send_over_border(const FlitDie::Crossing& crossing) {
  Message message;
  if (crossing.event.is_head()) message = routers_->packets[crossing.slot];
  if (crossing.event.is_tail()) take_packet(crossing.slot, true);
  message.kind = MessageKind::flit;
  message.set_flit_event(crossing.event);
  scheduler_->send_at(die_lp(crossing.die), crossing.time, message);
}

void DieProcess::arrive_at_host(const FlitDie::Arrival& packet) {
  Message message = take_packet(packet.slot, true);
  message.kind = MessageKind::host_packet;
  message.time_ps = 0;
  scheduler_->send_at(kHostLp, packet.time, message);
}

void DieProcess::arrive_at_core(const FlitDie::Arrival& packet) {
  Message message = take_packet(packet.slot, false);
  message.kind = MessageKind::packet;
  message.time_ps = 0;
  const CoreId at{message.target};
  if (message.cargo == Cargo::tile_input) {
    start_pass(message, at, packet.time);
  } else {
    arrive(message, at, packet.time);
  }
}

}  // namespace ouro::llm
