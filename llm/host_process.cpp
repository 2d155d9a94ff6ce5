#include "llm/host_process.hpp"

#include <algorithm>

#include "engine/error.hpp"
#include "llm/weight_transfer.hpp"

namespace ouro::llm {

using engine::Duration;
using engine::Scheduler;
using engine::Time;

HostProcess::HostProcess(const PipelinePlan& plan, const Foresight& foresight, Duration control_latency)
    : plan_{plan},
      foresight_{foresight},
      control_latency_{control_latency},
      entries_{Entry{.credits = plan.window()}, Entry{.credits = plan.window()}},
      lm_head_senders_{plan.tiled().lm_head.senders()},
      packets_of_message_{plan.wafer().noc.fidelity == wafer::Fidelity::stage ? lm_head_senders_ : 1} {}

engine::Channels HostProcess::channels() const {
  const auto& wafer = plan_.wafer();
  const auto die = wafer.geometry.die_of(wafer.noc.host);
  return {{{die_lp(die), wafer.noc.wire_latency + wafer.noc.die_crossing_latency},
           {kControllerLp, control_latency_}},
          {}};
}

void HostProcess::handle(const engine::Event& event, Scheduler& scheduler) {
  const auto message = event.as<Message>();
  if (is_stale(message)) return;
  switch (message.kind) {
    case MessageKind::issue:
      entry(message.token().chain()).waiting.push_back(message.token());
      look_up_next(entry(message.token().chain()), scheduler);
      break;
    case MessageKind::inject:
      inject(message, scheduler);
      break;
    case MessageKind::host_packet:
      receive(message, scheduler);
      break;
    case MessageKind::sample:
      sample(message, scheduler);
      break;
    case MessageKind::flush:
      flush(message.number, scheduler);
      break;
    case MessageKind::move:
      send_weights(message, scheduler);
      break;
    default:
      throw engine::ContractError{"the host interface got a message for another LP"};
  }
}

void HostProcess::look_up_next(Entry& entry, Scheduler& scheduler) {
  while (!entry.waiting.empty() && entry.credits >= plan_.credits_for(entry.waiting.front())) {
    --entry.credits;
    Message message{.kind = MessageKind::inject, .cargo = Cargo::activations, .stage = Stage::host};
    message.set_token(entry.waiting.front());
    entry.waiting.pop_front();
    scheduler.send(scheduler.self(), plan_.wafer().host.embedding_latency, message);
  }
  if (foresight_.knows_what_waits()) scheduler.holds_other();
}

/// What waits to enter holds out for a credit.
void HostProcess::foresee_held(std::span<Duration> least) const {
  std::fill(least.begin(), least.end(), engine::kForever);
  const auto waits = [](const Entry& entry) { return !entry.waiting.empty(); };
  const bool holds = std::any_of(entries_.begin(), entries_.end(), waits);
  if (holds && foresight_.knows_what_waits()) foresight_.lower_to_entry(least);
}

void HostProcess::inject(const Message& message, Scheduler& scheduler) {
  const auto home = plan_.entry(message.token().chain()).home;
  send(message, home, plan_.wafer().noc.flits(plan_.model().hidden_size), scheduler);
  tell_controllers(message, MessageKind::entered, scheduler);
}

void HostProcess::send(Message message, wafer::CoreId to, int flits, Scheduler& scheduler) {
  const auto& noc = plan_.wafer().noc;
  const auto& geometry = plan_.wafer().geometry;
  const Time start = std::max(link_free_, scheduler.now());
  link_free_ = start + flits * noc.cycle;
  traffic_.sent(flits);
  message.kind = MessageKind::packet;
  const auto at = geometry.core_at(noc.host);
  message.at = at.value();
  message.target = to.value();
  message.via = noc.routing.waypoint(at, to).code();
  message.flits = static_cast<std::uint16_t>(flits);
  scheduler.send_at(die_lp(geometry.die_of(noc.host)), start + noc.wire_latency + noc.die_crossing_latency,
                    message);
}

void HostProcess::receive(const Message& message, Scheduler& scheduler) {
  if (message.cargo == Cargo::credit) {
    traffic_.received(message.flits);
    auto& chain = entry(message.token().chain());
    ++chain.credits;
    look_up_next(chain, scheduler);
    return;
  }
  traffic_.received(message.flits, packets_of_message_);
  const int messages = lm_head_senders_ / packets_of_message_;
  if (!candidates_.add(message.number, 0, messages, scheduler.now())) return;
  Message chosen{.kind = MessageKind::sample,
                 .cargo = Cargo::credit,
                 .stage = Stage::host,
                 .station = static_cast<std::uint16_t>(plan_.stations().size() - 1)};
  chosen.set_token(message.token());
  scheduler.send(scheduler.self(), plan_.wafer().host.sampling_latency, chosen);
}

void HostProcess::sample(const Message& message, Scheduler& scheduler) {
  Message credit = message;  // the candidates are out of the way
  credit.set_whole(scheduler.now() - plan_.wafer().host.sampling_latency);
  send(credit, plan_.stations().back().home, 1, scheduler);
  tell_controllers(message, MessageKind::retired, scheduler);
}

void HostProcess::tell_controllers(Message message, MessageKind kind, Scheduler& scheduler) {
  message.kind = kind;
  message.time_ps = engine::picoseconds(scheduler.now());
  scheduler.send(kControllerLp, control_latency_, message);
}

// ---- after a failure
// ---------------------------------------------------------------------------------------------

/// Of a token that was given up.
bool HostProcess::is_stale(const Message& message) {
  const bool of_token = message.kind == MessageKind::inject || message.kind == MessageKind::host_packet ||
                        message.kind == MessageKind::sample;
  if (!of_token || message.number >= first_number_) return false;
  if (message.kind == MessageKind::host_packet) traffic_.discarded(message.flits);
  return true;
}

void HostProcess::flush(std::uint32_t first_number, Scheduler& scheduler) {
  first_number_ = first_number;
  for (auto& entry : entries_) entry = {.credits = plan_.window()};
  candidates_.clear();
  const auto& noc = plan_.wafer().noc;
  const Time quiet = std::max(scheduler.now(), link_free_ + noc.wire_latency + noc.die_crossing_latency);
  scheduler.send_at(kControllerLp, quiet + control_latency_, Message{.kind = MessageKind::ready});
}

/// Those of a core that cannot be read any more, since its router is dead.
void HostProcess::send_weights(const Message& message, Scheduler& scheduler) {
  if (!plan_.wafer().faults.router_is_dead(wafer::CoreId{message.at})) return;
  const auto transfer = weight_transfer(plan_.wafer());
  for (int i = 0; i < transfer.packets; ++i) {
    send({.number = message.number, .cargo = Cargo::weights, .stage = Stage::repair},
         wafer::CoreId{message.target}, plan_.wafer().noc.flits(transfer.bytes_of_packet), scheduler);
  }
}

void HostProcess::save(engine::StateWriter& archive) const {
  archive << *this;
}

void HostProcess::load(engine::StateReader& archive) {
  archive >> *this;
}

}  // namespace ouro::llm
