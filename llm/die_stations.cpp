#include <algorithm>

#include "llm/die_process.hpp"

// The home cores of a die: they gather tokens, let them go in their order, and are bound by credits.

namespace ouro::llm {

using engine::Duration;
using engine::Time;
using wafer::CoreId;

void DieProcess::gather_at_station(const Message& message, CoreId core_id, Time tail) {
  auto& home = core(core_id);
  auto& station = *home.station;
  const auto& plan = station_plan(station);
  const bool records = station_log_.records(message.number);
  if (records) station_log_.enter(station.number, message.number, tail);
  const Gather::Span part{message.cargo == Cargo::residual ? engine::kNever : tail, tail};
  const auto whole = station.gather.add(message.number, 0, plan.expected_packets, part);
  if (!whole) return;

  const Time done =
      use_sfu(home, whole->last, plan_.home_work(plan), plan.block, plan.home_stage, message.token().phase());
  station.normalising.push_back({message.token(), whole->first, whole->last, done});
  if (records) station_log_.gather(station.number, message.number, whole->last, done);
  Message ready = message;
  ready.kind = MessageKind::station_ready;
  ready.at = core_id.value();
  scheduler_->send_at(scheduler_->self(), done, ready);
}

/// The credit of a token goes back when it has left the tiles before; that of a batch's last one when the
/// batch begins to leave. See PipelinePlan::credits_for.
void DieProcess::station_ready(const Message& message) {
  auto& station = *core(at_core(message)).station;
  const auto token =
      std::find_if(station.normalising.begin(), station.normalising.end(),
                   [&](const ReadyToken& ready) { return ready.token.number == message.number; });
  const Time whole = token->whole;
  station.ready.add(*token);
  station.normalising.erase(token);
  if (!message.token().closes_batch()) free_room(station, message.token(), whole);
  launch_ready_tokens(station);
}

void DieProcess::take_credit(const Message& message) {
  get_credit(*core(at_core(message)).station, message.whole());
}

/// @param whole  when the token that gives its credit back was whole at the next station
void DieProcess::get_credit(Station& station, Time whole) {
  ++station.credits;
  station.waits.whole_ahead = whole;
  launch_ready_tokens(station);
}

bool DieProcess::needs_credit(const Station& station, const Token& token) const {
  return !station_plan(station).is_lm_head || token.sampled();
}

void DieProcess::launch_ready_tokens(Station& station) {
  while (const auto* next = station.ready.next()) {
    if (needs_credit(station, next->token) && station.credits < plan_.credits_for(next->token)) {
      if (station.waits.credit_since == engine::kNever) {
        station.waits.credit_since = scheduler_->now();
        if (foresight_.knows_what_waits()) scheduler_->holds_other();
      }
      return;
    }
    count_launch(station, *next);
    const Time whole = station.ready.next_whole();
    launch(station, station.ready.pop().token, whole);
  }
}

/// A station holds a token that lacks nothing but a credit.
void DieProcess::foresee_held(std::span<Duration> least) const {
  std::fill(least.begin(), least.end(), engine::kForever);
  if (!foresight_.knows_what_waits()) return;
  for (std::size_t number = 0; number < plan_.stations().size(); ++number) {
    if (plan_.die_of_home(number) != die_) continue;
    const auto& waits = core(plan_.stations()[number].home).station->waits;
    if (waits.credit_since != engine::kNever) foresight_.lower_to_launch(number, least);
  }
}

void DieProcess::count_launch(Station& station, const ReadyToken& next) {
  const auto now = scheduler_->now();
  const auto coming = station.gather.begun_by(now) +
                      std::count_if(station.normalising.begin(), station.normalising.end(),
                                    [now](const ReadyToken& token) { return token.first <= now; });
  station.use.launch(next, static_cast<std::int64_t>(station.ready.size()) + coming, station.waits,
                     station_plan(station), needs_credit(station, next.token), now);
  const bool waited = station.waits.credit_since != engine::kNever;
  if (waited && foresight_.knows_what_waits()) scheduler_->holds_other();
  station.waits = {};
}

/// @param whole  when the token was here, or all of the batch that begins with it
void DieProcess::launch(Station& station, const Token& token, Time whole) {
  const auto& plan = station_plan(station);
  if (station_log_.records(token.number))
    station_log_.launch(station.number, token, kv_.request_of(token.slot), scheduler_->now());
  if (needs_credit(station, token)) {
    --station.credits;
    Message message{.station = static_cast<std::uint16_t>(station.number)};
    message.set_token(token);
    if (plan.group->experts > 0) {
      multicast_to_experts(message, station);
    } else {
      send_along_trees(message, plan, 0);
    }
  } else {
    retire(token);
  }
  const auto send_vector = [&](Cargo cargo, int ahead, std::int64_t bytes) {
    Message vector{.cargo = cargo, .stage = plan.home_stage};
    vector.set_token(token);
    send(vector, plan.home, station_plan(station.number + ahead).home, bytes);
  };
  if (plan.latent > 0 && plan.attends) send_latent(plan, token);
  if (plan.passes_on > 0) send_vector(Cargo::activations, 1, plan.passes_on);
  if (plan.residual_to > 0) send_vector(Cargo::residual, plan.residual_to, plan.group->rows);
  if (token.opens_batch()) free_room(station, token, whole);
}

/// What a token took of the station's buffers can be another one's: whoever sends to the station hears of it.
void DieProcess::free_room(Station& station, const Token& token, Time whole) {
  const auto& plan = station_plan(station);
  if (plan.calls_queries) {
    --station.called;
    call_queries(station);
  } else if (!plan.begins_chain && station_plan(station.number - 1).announces()) {
    announce_launch(station, token);
  } else {
    return_credit(station, token, whole);
  }
}

void DieProcess::return_credit(const Station& station, const Token& token, Time whole) {
  const auto& plan = station_plan(station);
  Message credit{.cargo = Cargo::credit, .stage = plan.home_stage};
  credit.set_token(token);
  credit.set_whole(whole);
  const CoreId to = plan.begins_chain ? geometry_.host_id() : station_plan(station.number - 1).home;
  send(credit, plan.home, to, 1);
}

void DieProcess::retire(const Token& token) {
  Message message{.kind = MessageKind::retired, .time_ps = engine::picoseconds(scheduler_->now())};
  message.set_token(token);
  scheduler_->send(kControllerLp, control_latency_, message);
}

}  // namespace ouro::llm
