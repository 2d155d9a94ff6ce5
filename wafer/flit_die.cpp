#include "wafer/flit_die.hpp"

#include <algorithm>

namespace ouro::wafer {

using engine::Duration;
using engine::Time;

namespace {

constexpr Duration kSetup{1};
constexpr Duration kHold{1};

}  // namespace

FlitDie::FlitDie(const Geometry& geometry, const NocModel& model, DieId die)
    : geometry_{geometry}, model_{model}, die_{die}, network_{geometry, model, die} {}

Duration FlitDie::lookahead(const NocModel& model) {
  return model.cycle + model.wire_latency + model.die_crossing_latency - kSetup - kHold;
}

Duration FlitDie::host_lookahead(const NocModel& model) {
  return model.router.crossbar_cycles * model.cycle + model.wire_latency + model.die_crossing_latency - kHold;
}

/// The first that is not before `now` and was not stepped yet.
Cycle FlitDie::next_edge(Time now) const {
  const auto edge = (now.time_since_epoch() + model_.cycle - Duration{1}) / model_.cycle;
  return std::max(edge, network_.now() + 1);
}

void FlitDie::inject(Time now, int core, PacketSlot slot, CoreId to, int flits) {
  const auto edge = next_edge(now);
  network_.inject(core, slot, to, flits, edge);
  wake_at(edge);
}

void FlitDie::inject_from_host(Time now, PacketSlot slot, CoreId to, int flits) {
  const auto edge = next_edge(now);
  network_.inject_from_host(slot, to, flits, edge);
  wake_at(edge);
}

void FlitDie::receive(Time now, const FlitEvent& event, PacketSlot slot, CoreId to) {
  const Cycle edge = (now + kSetup).time_since_epoch() / model_.cycle;
  if (event.kind == FlitEvent::Kind::credit) {
    network_.receive_credit(edge, event.place);
  } else {
    network_.receive_flit(edge, event.place, event.is_head(), event.is_tail(), slot, to, event.via());
  }
  wake_at(edge);
}

void FlitDie::wake_at(Cycle edge) {
  wanted_ = std::min(wanted_, edge);
}

std::optional<Time> FlitDie::take_alarm() {
  if (wanted_ >= announced_) return std::nullopt;
  announced_ = wanted_;
  return at_edge(wanted_) + kHold;
}

std::optional<Cycle> FlitDie::edge_due(Time now) const {
  if (announced_ == kNoCycle || now != at_edge(announced_) + kHold) return std::nullopt;
  return announced_;
}

void FlitDie::step(Cycle edge) {
  network_.step(edge);
  crossings_.clear();
  at_cores_.clear();
  at_host_.clear();
  for (const auto& flit : network_.departures()) {
    FlitEvent event{.kind = FlitEvent::Kind::flit};
    event.set_ends(flit.head, flit.tail);
    if (flit.head) event.set_via(flit.via);
    add_crossing(flit.output, flit.arrival, event, flit.slot);
  }
  for (const auto& credit : network_.credits())
    add_crossing(credit.input, credit.arrival, {.kind = FlitEvent::Kind::credit}, 0);
  for (const auto& packet : network_.ejected()) at_cores_.push_back({packet.slot, at_edge(packet.at)});
  for (const auto& packet : network_.at_host())
    at_host_.push_back({packet.slot, at_edge(packet.at) - model_.cycle});
  announced_ = kNoCycle;
  wanted_ = network_.next_cycle();
}

void FlitDie::add_crossing(LinkVc link, Cycle arrival, FlitEvent event, PacketSlot slot) {
  const auto direction = static_cast<Direction>(link.port);
  const auto from = geometry_.coordinate(geometry_.core_of_die(die_, link.core));
  const auto to = wafer::step(from, direction);
  event.place = {static_cast<std::uint16_t>(geometry_.index_in_die(to)),
                 static_cast<std::uint8_t>(opposite(direction)), link.vc};
  crossings_.push_back({geometry_.die_of(to), at_edge(arrival) - kSetup, event, slot});
}

Travel FlitDie::travel(PacketSlot slot, int flits, bool crosses_border) const {
  const std::int64_t bits = flits * model_.link_bits;
  return {.hop_bits = network_.hops(slot) * bits, .crossing_bits = crosses_border ? bits : 0};
}

}  // namespace ouro::wafer
