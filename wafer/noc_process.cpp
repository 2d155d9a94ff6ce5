#include "wafer/noc_process.hpp"

#include <fmt/format.h>

#include <type_traits>

#include "engine/error.hpp"

namespace ouro::wafer {

using engine::Duration;
using engine::Time;

namespace {

/// A link delivers what it carries just before the edge that takes it in, so that a die has all of an edge
/// when it steps.
constexpr Duration kSetup{1};

}  // namespace

struct NocProcess::Message {
  enum class Kind : std::uint8_t { step, flit, credit, packet };
  static constexpr std::uint8_t kHead = 1;  // bits of `ends`
  static constexpr std::uint8_t kTail = 2;
  static constexpr unsigned kLowBitsOfVia = 16;
  static constexpr unsigned kHighBitsOfVia = 6;
  static_assert(std::uint32_t{Geometry::kMostCores} < 1U << (kLowBitsOfVia + kHighBitsOfVia));

  std::int64_t number = 0;
  Cycle created = 0;
  Cycle entered = 0;
  std::uint32_t to = 0;
  std::uint16_t flits = 0;
  std::uint16_t routers = 0;
  std::uint16_t core = 0;  // of the die that gets it
  Kind kind{};
  std::uint8_t port = 0;
  std::uint8_t vc = 0;
  std::uint8_t ends = 0;      // and, above the two, the high bits of the waypoint
  std::uint16_t via_low = 0;  // no padding: digests read every byte

  void set_packet(const Packet& packet) {
    number = packet.number;
    created = packet.created;
    entered = packet.entered;
    to = packet.to.value();
    flits = packet.flits;
    routers = packet.routers;
  }
  void set_via(Waypoint via) {
    via_low = static_cast<std::uint16_t>(via.code());
    ends = static_cast<std::uint8_t>((ends & (kHead | kTail)) | via.code() >> kLowBitsOfVia << 2);
  }
  Waypoint via() const {
    return Waypoint::from_code(static_cast<std::uint32_t>(ends >> 2) << kLowBitsOfVia | via_low);
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
  // at fidelity flit, a credit is the fastest thing that crosses a border
  const auto credit = model_.cycle + model_.wire_latency + model_.die_crossing_latency - kSetup;
  engine::Channels channels;
  for (const auto direction : kDirections) {
    const auto to = geometry_.neighbour(die_, direction);
    if (!to) continue;
    const auto least = flits_ ? credit : model_.die_lookahead(geometry_, die_, direction);
    channels.to.push_back({engine::LpId{to->value()}, least});
  }
  return channels;
}

void NocProcess::start(engine::Scheduler& scheduler) {
  scheduler_ = &scheduler;
  for (int core = 0; core < geometry_.cores_of_die(); ++core) plan_first(core);
  if (!creations_.empty()) announce(creations_.top().at);
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
    if (!packet) continue;
    if (flits_) {
      flits_->inject(creation.core, keep(*packet), packet->to, packet->flits);
    } else {
      Travel travelled;
      travel(*packet, packets_->inject(geometry_.core_of_die(die_, creation.core), packet->to, packet->flits,
                                       edge(now), travelled));
    }
  }
}

PacketSlot NocProcess::keep(const Packet& packet) {
  if (free_slots_.empty()) {
    packets_under_way_.push_back(packet);
    return static_cast<PacketSlot>(packets_under_way_.size() - 1);
  }
  const auto slot = free_slots_.back();
  free_slots_.pop_back();
  packets_under_way_[slot] = packet;
  return slot;
}

// ---- events

void NocProcess::handle(const engine::Event& event, engine::Scheduler& scheduler) {
  scheduler_ = &scheduler;
  const auto message = event.as<Message>();
  switch (message.kind) {
    case Message::Kind::step:
      if (message.created == next_step_) step(message.created);  // else an earlier one took its place
      break;
    case Message::Kind::flit:
    case Message::Kind::credit:
      receive(message);
      break;
    case Message::Kind::packet: {
      Travel travelled;
      const auto packet = message.packet();
      const CoreId at = geometry_.core_of_die(die_, message.core);
      travel(packet, packets_->enter(at, packet.to, packet.flits, event.time, travelled, message.via()));
      break;
    }
  }
}

void NocProcess::step(Cycle now) {
  next_step_ = kNoCycle;
  create_all(now);
  if (flits_) {
    flits_->step(now);
    for (const auto& entered : flits_->entered()) packets_under_way_[entered.slot].entered = entered.at;
    for (const auto& departure : flits_->departures()) send_over_border(departure);
    for (const auto& credit : flits_->credits()) return_over_border(credit);
    for (const auto& ejected : flits_->ejected()) {
      arrive(packets_under_way_[ejected.slot], ejected.at);
      free_slots_.push_back(ejected.slot);
    }
  }
  announce_next(now);
}

void NocProcess::announce_next(Cycle now) {
  Cycle next = creations_.empty() ? kNoCycle : creations_.top().at;
  if (flits_) next = std::min(next, flits_->next_cycle());
  if (next != kNoCycle) announce(std::max(next, now + 1));
}

void NocProcess::announce(Cycle at) {
  if (at >= next_step_) return;
  next_step_ = at;
  scheduler_->send_at(scheduler_->self(), edge(at), Message{.created = at, .kind = Message::Kind::step});
}

CoreId NocProcess::neighbour(int core, Direction direction) const {
  return geometry_.core_at(wafer::step(geometry_.coordinate(geometry_.core_of_die(die_, core)), direction));
}

void NocProcess::send_over_border(const FlitNetwork::Departure& departure) {
  const auto direction = static_cast<Direction>(departure.output.port);
  const CoreId to = neighbour(departure.output.core, direction);
  Message message{.core = static_cast<std::uint16_t>(geometry_.index_in_die(to)),
                  .kind = Message::Kind::flit,
                  .port = static_cast<std::uint8_t>(opposite(direction)),
                  .vc = departure.output.vc};
  if (departure.head) {
    message.set_packet(packets_under_way_[departure.slot]);
    message.ends |= Message::kHead;
    message.set_via(departure.via);
  }
  if (departure.tail) {
    message.ends |= Message::kTail;
    free_slots_.push_back(departure.slot);
  }
  scheduler_->send_at(engine::LpId{geometry_.die_of(to).value()}, edge(departure.arrival) - kSetup, message);
}

void NocProcess::return_over_border(const FlitNetwork::CreditReturn& credit) {
  const auto direction = static_cast<Direction>(credit.input.port);
  const CoreId to = neighbour(credit.input.core, direction);
  const Message message{.core = static_cast<std::uint16_t>(geometry_.index_in_die(to)),
                        .kind = Message::Kind::credit,
                        .port = static_cast<std::uint8_t>(opposite(direction)),
                        .vc = credit.input.vc};
  scheduler_->send_at(engine::LpId{geometry_.die_of(to).value()}, edge(credit.arrival) - kSetup, message);
}

void NocProcess::receive(const Message& message) {
  const Cycle at = cycle_at(scheduler_->now() + kSetup);
  const LinkVc place{message.core, message.port, message.vc};
  if (message.kind == Message::Kind::credit) {
    flits_->receive_credit(at, place);
  } else {
    const bool head = (message.ends & Message::kHead) != 0;
    const bool tail = (message.ends & Message::kTail) != 0;
    flits_->receive_flit(at, place, head, tail, head ? keep(message.packet()) : 0, CoreId{message.to},
                         message.via());
  }
  announce(at);
}

void NocProcess::travel(const Packet& packet, const Onward& onward) {
  if (onward.to == Onward::To::core) {
    arrive(packet, cycle_at(onward.time));
    return;
  }
  Message message{.core = static_cast<std::uint16_t>(geometry_.index_in_die(onward.core)),
                  .kind = Message::Kind::packet};
  message.set_packet(packet);
  message.set_via(onward.via);
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

std::int64_t NocProcess::flits_sent(int core, int port) const {
  return flits_ ? flits_->flits_sent(core, port) : packets_->use(core, port).flits;
}

}  // namespace ouro::wafer
