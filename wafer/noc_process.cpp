#include "wafer/noc_process.hpp"

#include <fmt/format.h>

#include "engine/error.hpp"

namespace ouro::wafer {

using engine::Time;

struct NocProcess::Message {
  std::int64_t number = 0;
  Cycle created = 0;
  Cycle entered = 0;
  std::uint32_t to = 0;
  std::uint16_t flits = 0;
  std::uint16_t routers = 0;
  FlitEvent event{};  // at fidelity packet, a flit stands for its whole packet

  void set_packet(const Packet& packet) {
    number = packet.number;
    created = packet.created;
    entered = packet.entered;
    to = packet.to.value();
    flits = packet.flits;
    routers = packet.routers;
  }
  Packet packet() const { return {number, created, entered, CoreId{to}, flits, routers}; }
};

NocProcess::NocProcess(const Geometry& geometry, const NocModel& model, const NocTraffic& traffic, DieId die)
    : geometry_{geometry}, model_{model}, traffic_{traffic}, die_{die} {
  static_assert(sizeof(Message) == engine::Event::kPayloadBytes);
  if (model.fidelity == Fidelity::flit) {
    flits_.emplace(geometry, model, die);
  } else {
    packets_.emplace(geometry, model, die);
  }
  const auto cores = static_cast<std::size_t>(geometry.cores_of_die());
  gap_draws_.resize(cores);
  packets_created_.resize(cores);
  if (traffic.load == NocTraffic::Load::open_loop)
    gaps_.emplace(traffic.injection_rate / traffic.packet_flits);
  if (traffic.load == NocTraffic::Load::trace) {
    trace_.resize(cores);
    for (const auto& packet : traffic.trace) {
      if (geometry.die_of(packet.from) != die) continue;
      trace_[static_cast<std::size_t>(geometry.index_in_die(packet.from))].push_back(&packet);
    }
  }
}

std::string NocProcess::name() const {
  return fmt::format("die {}", die_.value());
}

engine::Channels NocProcess::channels() const {
  engine::Channels channels;
  for (const auto direction : kDirections) {
    const auto to = geometry_.neighbour(die_, direction);
    if (!to) continue;
    const auto least = flits_ ? FlitDie::lookahead(model_) : model_.die_lookahead(geometry_, die_, direction);
    channels.to.push_back({engine::LpId{to->value()}, least});
  }
  return channels;
}

void NocProcess::start(engine::Scheduler& scheduler) {
  scheduler_ = &scheduler;
  for (int core = 0; core < geometry_.cores_of_die(); ++core) plan_first(core);
  wake_for_creation();
}

// ---- creation of packets

void NocProcess::plan_first(int core) {
  if (traffic_.faults.core_is_dead(geometry_.core_of_die(die_, core))) return;
  const auto index = static_cast<std::size_t>(core);
  switch (traffic_.load) {
    case NocTraffic::Load::open_loop: {
      const engine::RandomKey key{traffic_.seed, engine::random_purpose("gap between packets"),
                                  geometry_.core_of_die(die_, core).value()};
      creations_.push({gaps_->next(key, gap_draws_[index]) - 1, core});
      break;
    }
    case NocTraffic::Load::batch:
      creations_.push({0, core});
      break;
    case NocTraffic::Load::trace:
      if (!trace_[index].empty()) creations_.push({trace_[index].front()->created, core});
      break;
  }
}

void NocProcess::plan_next(const Creation& creation) {
  const auto index = static_cast<std::size_t>(creation.core);
  const auto created = packets_created_[index];
  switch (traffic_.load) {
    case NocTraffic::Load::open_loop: {
      const engine::RandomKey key{traffic_.seed, engine::random_purpose("gap between packets"),
                                  geometry_.core_of_die(die_, creation.core).value()};
      creations_.push({creation.at + gaps_->next(key, gap_draws_[index]), creation.core});
      break;
    }
    case NocTraffic::Load::batch:
      if (created < traffic_.packets_per_core) creations_.push({creation.at + 1, creation.core});
      break;
    case NocTraffic::Load::trace:
      if (created < static_cast<std::int64_t>(trace_[index].size()))
        creations_.push({trace_[index][static_cast<std::size_t>(created)]->created, creation.core});
      break;
  }
}

std::optional<NocProcess::Packet> NocProcess::make_packet(const Creation& creation) {
  const auto index = static_cast<std::size_t>(creation.core);
  const auto count = packets_created_[index]++;
  const CoreId from = geometry_.core_of_die(die_, creation.core);
  Packet packet;
  packet.created = creation.at;
  if (traffic_.load == NocTraffic::Load::trace) {
    const auto& given = *trace_[index][static_cast<std::size_t>(count)];
    packet.number = given.number;
    packet.to = given.to;
    packet.flits = static_cast<std::uint16_t>(given.flits);
  } else {
    const engine::RandomKey key{traffic_.seed, engine::random_purpose("destination of a packet"),
                                from.value()};
    packet.number = count;
    packet.to = destination(traffic_.pattern, geometry_, from, key, static_cast<std::uint64_t>(count));
    packet.flits = static_cast<std::uint16_t>(traffic_.packet_flits);
  }
  if (traffic_.faults.core_is_dead(packet.to)) return std::nullopt;
  packet.routers = static_cast<std::uint16_t>(model_.routing.hops(geometry_, from, packet.to) + 1);
  ++arrivals_.created;
  const Cycle since = packet.created - traffic_.warmup;
  if (traffic_.load != NocTraffic::Load::open_loop || (since >= 0 && since < traffic_.measure))
    ++arrivals_.measured;
  return packet;
}

void NocProcess::create_all(Cycle now) {
  while (!creations_.empty() && creations_.top().at == now) {
    const auto creation = creations_.top();
    creations_.pop();
    const auto packet = make_packet(creation);
    plan_next(creation);
    if (packet) inject(creation.core, *packet);
  }
}

void NocProcess::inject(int core, const Packet& packet) {
  if (flits_) {
    flits_->inject(edge(packet.created), core, under_way_.keep(packet), packet.to, packet.flits);
    return;
  }
  Travel travelled;
  travel(packet, packets_->inject(geometry_.core_of_die(die_, core), packet.to, packet.flits,
                                  edge(packet.created), travelled));
}

void NocProcess::wake_for_creation() {
  if (creations_.empty()) return;
  const Cycle next = creations_.top().at;
  if (flits_) {
    flits_->wake_at(next);
    send_alarm();
  } else {
    scheduler_->send_at(scheduler_->self(), edge(next), Message{.event = {.kind = FlitEvent::Kind::edge}});
  }
}

// ---- events

void NocProcess::handle(const engine::Event& event, engine::Scheduler& scheduler) {
  scheduler_ = &scheduler;
  const auto message = event.as<Message>();
  if (flits_) return receive_flits(message);
  if (message.event.kind == FlitEvent::Kind::edge) {
    create_all(cycle_at(event.time));
    wake_for_creation();
    return;
  }
  Travel travelled;
  const auto packet = message.packet();
  const CoreId at = geometry_.core_of_die(die_, message.event.place.core);
  travel(packet, packets_->enter(at, packet.to, packet.flits, event.time, travelled, message.event.via()));
}

void NocProcess::receive_flits(const Message& message) {
  if (message.event.kind == FlitEvent::Kind::edge) return step_flits();
  const PacketSlot slot = message.event.is_head() ? under_way_.keep(message.packet()) : 0;
  flits_->receive(scheduler_->now(), message.event, slot, CoreId{message.to});
  send_alarm();
}

void NocProcess::send_alarm() {
  const auto at = flits_->take_alarm();
  if (at) scheduler_->send_at(scheduler_->self(), *at, Message{.event = {.kind = FlitEvent::Kind::edge}});
}

void NocProcess::step_flits() {
  const auto now = flits_->edge_due(scheduler_->now());
  if (!now) return;
  create_all(*now);
  flits_->step(*now);
  for (const auto& [slot, at] : flits_->entered()) under_way_[slot].entered = at;
  for (const auto& crossing : flits_->crossings()) send(crossing);
  for (const auto& [slot, time] : flits_->at_cores()) {
    arrive(under_way_[slot], cycle_at(time));
    under_way_.release(slot);
  }
  wake_for_creation();
  send_alarm();
}

void NocProcess::send(const FlitDie::Crossing& crossing) {
  Message message{.event = crossing.event};
  if (crossing.event.is_head()) message.set_packet(under_way_[crossing.slot]);
  if (crossing.event.is_tail()) under_way_.release(crossing.slot);
  scheduler_->send_at(engine::LpId{crossing.die.value()}, crossing.time, message);
}

void NocProcess::travel(const Packet& packet, const Onward& onward) {
  if (onward.to == Onward::To::core) {
    arrive(packet, cycle_at(onward.time));
    return;
  }
  const auto core = static_cast<std::uint16_t>(geometry_.index_in_die(onward.core));
  Message message{.event = {.place = {.core = core}, .kind = FlitEvent::Kind::flit}};
  message.set_packet(packet);
  message.event.set_via(onward.via);
  scheduler_->send_at(engine::LpId{onward.die.value()}, onward.time, message);
}

// ---- results

void NocProcess::arrive(const Packet& packet, Cycle at) {
  ++arrivals_.arrived;
  arrivals_.last = std::max(arrivals_.last, at);
  const bool open_loop = traffic_.load == NocTraffic::Load::open_loop;
  const Cycle arrived_since = at - traffic_.warmup;
  if (!open_loop || (arrived_since >= 0 && arrived_since < traffic_.measure))
    arrivals_.flits_accepted += packet.flits;
  if (traffic_.load == NocTraffic::Load::trace) traced_.push_back({packet.number, packet.entered, at});
  const Cycle since = packet.created - traffic_.warmup;
  if (open_loop && (since < 0 || since >= traffic_.measure)) return;
  ++arrivals_.measured_arrived;
  const std::int64_t latency = at - packet.created;
  arrivals_.latency += latency;
  if (flits_) arrivals_.network_latency += at - packet.entered;
  arrivals_.routers += packet.routers;
  arrivals_.latencies.add(latency);
  if (!open_loop) return;
  const auto batch = static_cast<std::size_t>(since * NocArrivals::kBatches / traffic_.measure);
  ++arrivals_.batch_packets[batch];
  arrivals_.batch_latency[batch] += latency;
}

}  // namespace ouro::wafer
