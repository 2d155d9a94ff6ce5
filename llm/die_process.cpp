#include "llm/die_process.hpp"

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::llm {

using engine::Duration;
using engine::Time;
using wafer::Component;
using wafer::CoreId;
using wafer::EnergyCounts;

DieProcess::DieProcess(const PipelinePlan& plan, wafer::DieId die, const KvController& kv,
                       const KvController& encoder_kv, const Foresight& foresight, Duration control_latency,
                       StationLog log, wafer::RecordWindow recorded)
    : plan_{plan},
      geometry_{plan.wafer().geometry},
      core_model_{plan.wafer().core},
      die_{die},
      head_{plan.head()},
      kv_{kv},
      encoder_kv_{encoder_kv},
      foresight_{foresight},
      control_latency_{control_latency},
      ledger_{plan.blocks(), plan.wafer().energy},
      station_log_{std::move(log)},
      cores_(static_cast<std::size_t>(geometry_.cores_of_die())),
      packet_record_{recorded} {
  const auto& noc = plan.wafer().noc;
  if (noc.fidelity == wafer::Fidelity::flit) {
    routers_.emplace(geometry_, noc, die);
  } else {
    network_.emplace(geometry_, noc, die);
  }
  for (int i = 0; i < geometry_.cores_of_die(); ++i) {
    auto& core = cores_[static_cast<std::size_t>(i)];
    take_role(core, geometry_.core_of_die(die, i));
    if (core.role.kv_ring >= 0) core.attention = make_attention(core.role);
  }
}

engine::Channels DieProcess::channels() const {
  const auto& noc = plan_.wafer().noc;
  engine::Channels channels;
  // where cores fail, homes move and all dies answer the controllers
  if (plan_.ends_at(die_) || !plan_.wafer().failures.empty())
    channels.to.push_back({kControllerLp, control_latency_});
  for (const auto direction : wafer::kDirections) {
    const auto neighbour = geometry_.neighbour(die_, direction);
    if (!neighbour) continue;
    const auto least =
        routers_ ? wafer::FlitDie::lookahead(noc) : noc.die_lookahead(geometry_, die_, direction);
    channels.to.push_back({die_lp(*neighbour), least});
  }
  if (geometry_.die_of(noc.host) == die_)
    channels.to.push_back({kHostLp, routers_ ? wafer::FlitDie::host_lookahead(noc) : noc.die_lookahead()});
  return channels;
}

void DieProcess::handle(const engine::Event& event, engine::Scheduler& scheduler) {
  scheduler_ = &scheduler;
  const auto message = event.as<Message>();
  if (message.kind <= MessageKind::credit && message.number < first_number_) return discard(message);
  switch (message.kind) {
    case MessageKind::packet:
      enter(message);
      break;
    case MessageKind::multicast:
      enter_along_tree(message);
      break;
    case MessageKind::tile_pass_end:
      send_partial_sums(message);
      break;
    case MessageKind::tile_summed:
      finish_tile(message, event.time);
      break;
    case MessageKind::tile_done:
      tile_done(message);
      break;
    case MessageKind::station_ready:
      station_ready(message);
      break;
    case MessageKind::head_done:
      head_done(message);
      break;
    case MessageKind::credit:
      take_credit(message);
      break;
    case MessageKind::announced:
      announced(message);
      break;
    case MessageKind::release:
    case MessageKind::keep:
    case MessageKind::adopt:
    case MessageKind::drop:
      change_kv(message);
      break;
    case MessageKind::flush:
      flush(message.number);
      break;
    case MessageKind::rewind:
      rewind_kv(message);
      break;
    case MessageKind::move:
      move_weights(message);
      break;
    case MessageKind::remapped:
      take_roles();
      break;
    case MessageKind::flit:
      handle_flits(message);
      break;
    default:
      throw engine::ContractError{name() + " got a message for another LP"};
  }
  ledger_.settle(event.time);
}

Time DieProcess::use_sfu(Core& core, Time from, const SfuWork& work, int block, Stage stage, Phase phase) {
  if (work.time == Duration{}) return from;  // nothing to do waits for nothing
  count(core, stage, phase, Component::sfu_special, work.special);
  count(core, stage, phase, Component::sfu_simple, work.simple);
  const Time start = std::max(from, core.sfu_free);
  core.sfu_free = start + work.time;
  core.use.sfu_busy += work.time;
  ledger_.busy(start, block, stage, work.time);
  return core.sfu_free;
}

const StationUse* DieProcess::station_use(int station) const {
  const bool here = plan_.die_of_home(static_cast<std::size_t>(station)) == die_;
  if (here) return &core(station_plan(station).home).station->use;
  const auto past = past_use_.find(station);
  return past == past_use_.end() ? nullptr : &past->second;
}

EnergyCounts DieProcess::energy_counts(int core) const {
  auto counts = core_use(core).counts;
  const auto travel = wafer::travel_from(
      geometry_, plan_.wafer().noc, geometry_.core_of_die(die_, core),
      [&](wafer::Direction direction) { return link_use(core, static_cast<int>(direction)).flits; });
  counts[Component::hop] += travel.hop_bits;
  counts[Component::die_crossing] += travel.crossing_bits;
  counts[Component::wafer_crossing] += travel.joint_bits;
  return counts;
}

wafer::LinkUse DieProcess::link_use(int core, int port) const {
  return routers_ ? routers_->flits.network().use(core, port) : network_->use(core, port);
}

const KvCore* DieProcess::kv_core(int core_index) const {
  const auto& attention = cores_[static_cast<std::size_t>(core_index)].attention;
  return attention ? &attention->kv : nullptr;
}

std::int64_t DieProcess::most_query_bytes() const {
  std::int64_t most = 0;
  for (const auto& core : cores_) {
    if (core.attention) most = std::max(most, core.attention->held.most_held());
  }
  return most * head_.queries * head_.key_dim;
}

bool DieProcess::is_idle() const {
  if (routers_ && !routers_->packets.empty()) return false;
  return std::all_of(cores_.begin(), cores_.end(), [this](const Core& core) {
    if (!core.tile_parts.empty()) return false;
    if (core.station && (!core.station->gather.empty() || !core.station->ready.empty() ||
                         core.station->credits != plan_.window() || !core.station->announcements.empty() ||
                         !core.station->to_call.empty() || core.station->called != 0)) {
      return false;
    }
    return !core.attention ||
           (core.attention->inputs.empty() && core.attention->partials.empty() &&
            core.attention->early.empty() && core.attention->held.empty() && core.attention->kv.is_idle());
  });
}

void DieProcess::save(engine::StateWriter& archive) const {
  archive << *this;
}

void DieProcess::load(engine::StateReader& archive) {
  archive >> *this;
}

}  // namespace ouro::llm
