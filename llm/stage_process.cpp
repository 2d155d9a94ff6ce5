#include "llm/stage_process.hpp"

#include <algorithm>

#include "engine/error.hpp"
#include "engine/region.hpp"

namespace ouro::llm {

using engine::Duration;
using engine::Time;

StageProcess::StageProcess(const PipelinePlan& plan, wafer::DieId die, StageTiming& timing,
                           const KvController& kv, Duration control_latency, StationLog log)
    : plan_{plan},
      die_{die},
      timing_{timing},
      kv_{kv},
      control_latency_{control_latency},
      ledger_{plan.blocks(), plan.wafer().energy},
      station_log_{std::move(log)} {
  const auto window = static_cast<std::size_t>(plan.window());
  const auto last = static_cast<int>(plan.stations().size()) - 1;
  for (int number = 0; number <= last; ++number) {
    if (plan.die_of_home(static_cast<std::size_t>(number)) != die) continue;
    const auto& station = station_plan(number);
    stations_.push_back({.number = number,
                         .attends = station.attends,
                         .before = number == 0 ? kHostLp : lp_of(number - 1),
                         .after = number == last ? kHostLp : lp_of(number + 1),
                         .credits = boost::circular_buffer<Credit>(window, Credit{})});
    stations_.back().passes_free.resize(static_cast<std::size_t>(std::max(station.group->experts, 1)));
    if (station.routes)
      stations_.back().use.expert_tokens.resize(static_cast<std::size_t>(station.group->experts));
  }
  by_number_.resize(plan.stations().size() + 2);
  for (auto& station : stations_) by_number_[static_cast<std::size_t>(station.number) + 1] = &station;
}

engine::LpId StageProcess::lp_of(int station) const {
  return die_lp(plan_.die_of_home(static_cast<std::size_t>(station)));
}

engine::Channels StageProcess::channels() const {
  const auto last = static_cast<int>(plan_.stations().size()) - 1;
  engine::Channels channels;
  const auto add = [&](engine::LpId to, Duration lookahead) {
    const auto same = std::find_if(channels.to.begin(), channels.to.end(),
                                   [&](const engine::Channel& c) { return c.to == to; });
    if (same == channels.to.end()) {
      channels.to.push_back({to, lookahead});
    } else {
      same->lookahead = std::min(same->lookahead, lookahead);
    }
  };
  for (const auto& station : stations_) {
    const auto& passage = timing_.station(station.number).passage;
    const auto least = timing_.least(station.number);
    const bool is_last = station.number == last;
    // heads lie anywhere in the ring: a token needs longer than the first outputs of QKV in any case
    const auto notice = least.home_way - Duration{1};
    add(station.after, is_last ? passage.to_next : std::min(least.first_output, notice));
    add(station.before, is_last ? std::min(passage.credit, timing_.retirement().credit) : least.credit);
    if (plan_.pipelining() == Pipelining::sequence)
      add(station.before, timing_.station(station.number).credit);
    if (is_last) add(kControllerLp, control_latency_);
  }
  const auto& wafer = plan_.wafer();
  if (wafer.geometry.die_of(wafer.noc.host) == die_) {
    add(lp_of(0), timing_.embedding().to_next);
    add(lp_of(last), timing_.last_credit().to_next);
  }
  return channels;
}

void StageProcess::handle(const engine::Event& event, engine::Scheduler& scheduler) {
  scheduler_ = &scheduler;
  const auto message = event.as<Message>();
  switch (message.kind) {
    case MessageKind::packet:
      receive_from_host(message);
      break;
    case MessageKind::stage_coming:
      expect(*find(message.station),
             {message.token(), event.time, engine::from_picoseconds(message.time_ps)});
      break;
    case MessageKind::stage_late:
      make_late(*find(message.station), {message.number, Duration{message.time_ps}});
      break;
    case MessageKind::stage_ready:
      take_ready(*find(message.station));
      break;
    case MessageKind::stage_wake:
      launch_ready_tokens(*find(message.station));
      break;
    case MessageKind::stage_credit: {
      auto& station = *find(message.station);
      take_credit_back(station, {event.time, message.whole()});
      launch_ready_tokens(station);
      break;
    }
    default:
      throw engine::ContractError{name() + " got a message for another LP"};
  }
}

void StageProcess::receive_from_host(const Message& message) {
  traffic_.received(message.flits);
  const bool is_credit = message.cargo == Cargo::credit;
  const auto& way = is_credit ? timing_.last_credit() : timing_.embedding();
  count_from_host(way, message.token().phase());
  Message onward = message;
  onward.kind = is_credit ? MessageKind::stage_credit : MessageKind::stage_coming;
  onward.station = is_credit ? static_cast<std::uint16_t>(plan_.stations().size() - 1) : 0;
  onward.time_ps = engine::picoseconds(scheduler_->now() + way.to_next);
  scheduler_->send(lp_of(onward.station), way.to_next, onward);
}

// ---- gathering
// -------------------------------------------------------------------------------------------------

void StageProcess::expect(Station& station, const Coming& coming) {
  if (static_cast<int>(station.coming.size()) == plan_.window())
    throw engine::ContractError{name() + " got a token without a credit"};
  if (coming.token.number != station.next_number++)
    throw engine::ContractError{name() + " got a token before one that entered earlier"};
  station.coming.push_back(coming);
  for (const auto& late : station.late) {
    if (late.number == coming.token.number) station.coming.back().last += late.by;
  }
  std::erase_if(station.late, [&](const Late& late) { return late.number <= coming.token.number; });
  if (station.coming.size() == 1) announce_ready(station);
}

/// Says when the token that comes next will be ready, if nothing else comes over the link before it. A token
/// behind it is announced when this one is ready.
void StageProcess::announce_ready(Station& station) {
  const auto& coming = station.coming.front();
  Time ready = coming.last;
  if (station.placed == 0) {
    const auto gather = station_plan(station.number).gather_time;
    const Time whole = std::max(coming.last, station.link_free + gather);
    ready = std::max(whole, station.sfu_free) + timing_.home_time(station.number);
  }
  Message message{.kind = MessageKind::stage_ready, .station = static_cast<std::uint16_t>(station.number)};
  message.set_token(coming.token);
  scheduler_->send_at(scheduler_->self(), std::max(ready, scheduler_->now()), message);
}

void StageProcess::make_late(Station& station, const Late& late) {
  for (auto& coming : station.coming) {
    if (coming.token.number == late.number) {
      coming.last += late.by;
      return;
    }
  }
  station.late.push_back(late);  // it comes at once, or it is gone
}

/// What a launch sends is on the link from the home core before the outputs of tokens that are not there yet.
void StageProcess::hold_up_home_outputs(Station& station, Time until) {
  const Time now = scheduler_->now();
  std::erase_if(station.launched, [&](const Launched& launched) { return launched.home_output <= now; });
  for (auto& launched : station.launched) {
    const Duration late = until - launched.home_output - launched.slack;
    if (late <= launched.late) continue;
    say_later(station, launched, late - launched.late);
    launched.late = late;
  }
}

void StageProcess::say_later(Station& station, const Launched& launched, Duration by) {
  if (auto* next = find(station.number + 1); next != nullptr)
    return make_late(*next, {launched.token.number, by});
  if (station.after == kHostLp) return;
  Message message{.kind = MessageKind::stage_late,
                  .station = static_cast<std::uint16_t>(station.number + 1),
                  .time_ps = by.count()};
  message.set_token(launched.token);
  const Time soonest = scheduler_->now() + timing_.least(station.number).home_way - Duration{1};
  scheduler_->send_at(station.after, std::max(launched.last - Duration{1}, soonest), message);
}

/// What comes over the link to the home core from before `before` on, in its order.
void StageProcess::place_on_link(Station& station, Time before) {
  const auto gather = station_plan(station.number).gather_time;
  const auto home = timing_.home_time(station.number);
  const auto* calibration = timing_.calibration();
  const auto beyond = calibration != nullptr ? calibration->on_link(gather) - gather : Duration{};
  for (; station.placed < station.coming.size(); ++station.placed) {
    auto& coming = station.coming[station.placed];
    if (coming.first >= before) return;
    coming.whole = std::max(coming.last, station.link_free + gather);
    station.link_free = coming.whole + beyond;
    station.sfu_free = coming.last = std::max(coming.whole, station.sfu_free) + home;
  }
}

void StageProcess::take_ready(Station& station) {
  place_on_link(station, scheduler_->now() + Duration{1});
  if (station.coming.front().last > scheduler_->now())  // something else was before it
    return announce_ready(station);
  const auto coming = station.coming.front();
  station.coming.erase(station.coming.begin());
  --station.placed;
  if (const auto number = coming.token.number; station_log_.records(number)) {
    station_log_.enter(station.number, number, coming.first);
    station_log_.gather(station.number, number, coming.last - timing_.home_time(station.number), coming.last);
  }
  station.ready.add({coming.token, coming.first, coming.whole, scheduler_->now()});
  if (!coming.token.closes_batch())
    give_credit_back(station, coming.token, coming.whole, timing_.station(station.number).credit);
  launch_ready_tokens(station);
  if (!station.coming.empty()) announce_ready(station);
}

// ---- launching
// -------------------------------------------------------------------------------------------------

bool StageProcess::needs_credit(const Station& station, const Token& token) const {
  return station.after != kHostLp || token.sampled();
}

void StageProcess::wake(Station& station, Time when) {
  if (station.woken_at > scheduler_->now() && station.woken_at <= when) return;
  station.woken_at = when;
  Message message{.kind = MessageKind::stage_wake, .station = static_cast<std::uint16_t>(station.number)};
  scheduler_->send_at(scheduler_->self(), when, message);
}

void StageProcess::launch_ready_tokens(Station& station) {
  const Time now = scheduler_->now();
  while (const auto* next = station.ready.next()) {
    if (station.attends) {
      const Time free = station.ring.free(place(station, next->token).cores, now);
      if (free > now) {
        station.waits.kv_since = std::min(station.waits.kv_since, now);
        return wake(station, free);
      }
    }
    if (needs_credit(station, next->token) && waits_for_credit(station, next->token)) return;
    count_launch(station, *next);
    const Time whole = station.ready.next_whole();
    launch(station, station.ready.pop().token, whole);
  }
}

/// The last of the credits that a token needs; nothing if some are not on their way.
std::optional<StageProcess::Credit> StageProcess::find_credit(const Station& station,
                                                              const Token& token) const {
  const auto needed = static_cast<std::size_t>(plan_.credits_for(token));
  if (station.credits.size() < needed) return std::nullopt;
  return station.credits[needed - 1];
}

/// Takes a credit if there are enough.
bool StageProcess::waits_for_credit(Station& station, const Token& token) {
  const Time now = scheduler_->now();
  const auto credit = find_credit(station, token);
  if (credit && credit->from <= now) {
    station.waits.whole_ahead = credit->whole;
    station.credits.pop_front();
    return false;
  }
  station.waits.credit_since = std::min(station.waits.credit_since, now);
  if (credit) wake(station, credit->from);
  return true;
}

void StageProcess::take_credit_back(Station& station, const Credit& credit) {
  auto& credits = station.credits;
  if (credits.empty() || credits.back() <= credit) return credits.push_back(credit);
  credits.insert(std::upper_bound(credits.begin(), credits.end(), credit), credit);
}

void StageProcess::count_launch(Station& station, const ReadyToken& next) {
  const Time now = scheduler_->now();
  std::size_t begun = 0;  // tokens of which a part is here, and which are not ready; the rest come later
  while (begun < station.coming.size() && station.coming[begun].first <= now) ++begun;
  station.use.launch(next, static_cast<std::int64_t>(station.ready.size() + begun), station.waits,
                     station_plan(station.number), needs_credit(station, next.token), now);
  station.waits = {};
}

ExpertRouting::Choice StageProcess::choose_experts(Station& station, const Token& token) {
  const auto& plan = station_plan(station.number);
  auto chosen = plan_.routing().choose(kv_.request_of(token.slot), token.position, plan.block);
  if (plan.routes) {
    for (const int expert : chosen) ++station.use.expert_tokens[static_cast<std::size_t>(expert)];
  }
  return chosen;
}

/// @param whole  when the token was here, or all of the batch that begins with it
void StageProcess::launch(Station& station, const Token& token, Time whole) {
  const auto& plan = station_plan(station.number);
  const bool has_experts = plan.group->experts > 0;
  const auto chosen = has_experts ? choose_experts(station, token) : ExpertRouting::Choice{};
  const auto& working = has_experts ? chosen : everything_;
  const auto& timing =
      has_experts ? timing_.station(station.number, chosen, token, kv_) : timing_.station(station.number);
  const Time now = scheduler_->now();
  if (station_log_.records(token.number))
    station_log_.launch(station.number, token, kv_.request_of(token.slot), now);

  const bool retires = plan.is_lm_head && !token.sampled();
  const auto* heads = station.attends ? &place(station, token) : nullptr;
  const auto& passage = heads != nullptr ? heads->passage : retires ? timing_.retirement() : timing.passage;
  if (now >= tallied_until_) settle_tallies();
  Duration last = passage.to_next;
  if (heads != nullptr) {
    const auto newest = timing_.newest(*heads, std::int64_t{token.position} + 1);
    use_kv_cores(station, *heads, newest);
    count_attention(station, *heads, newest, token);
    last += StageTiming::slowest(*heads, newest) - heads->slowest;
  }
  if (!plan.is_lm_head) last = std::max(last + contention(station, token), passage.first_output);
  if (&passage == &timing_.station(station.number).passage) {
    ++station.tally.alike[static_cast<std::size_t>(token.phase())];
  } else {
    station.tally.add_other(token.phase(), passage);
  }
  const Time sent = std::max(now, station.sends_free);
  Time start = sent;
  for (const int expert : working)
    start = std::max(start, station.passes_free[static_cast<std::size_t>(expert)]);
  if (!retires) {
    const Time own = send_to_home_tile(station, timing, sent);
    const Duration late = std::max(own - start, Duration{});
    station.sends_free = sent + timing.sends;
    for (const int expert : working)
      station.passes_free[static_cast<std::size_t>(expert)] = start + plan.pass_time;
    last += start - now + std::max(late - timing.home_slack, Duration{});
    hold_up_home_outputs(station, station.sends_free);
    station.launched.push_back({token, start + passage.home_output + late,
                                std::max(timing.home_slack - late, Duration{}), now + last});
  }

  if (!plan.is_lm_head) {
    hand_on(station, token, heads != nullptr ? now + last : start + passage.first_output, now + last);
  } else if (retires) {
    retire(token);
  } else {
    send_candidates(token, last);
  }
  if (token.opens_batch()) give_credit_back(station, token, whole, sent - now + passage.credit);
}

/// What others' packets delay the token until the next station has it, from the calibration.
Duration StageProcess::contention(Station& station, const Token& token) {
  const auto* calibration = timing_.calibration();
  if (calibration == nullptr) return {};
  const auto load = station.launches.add(scheduler_->now(), timing_.load_windows());
  return load ? calibration->delay(station_plan(station.number).matrix, token.phase(), *load) : Duration{};
}

/// Takes the link to the home core for its own tile's vector: after what is gathered, or, since most tokens
/// have it so at `packet`, before what is not yet there, if a calibration has what that leaves out.
/// @param sent  when the link from the home core is free for it
/// @return      when it begins to pass
Time StageProcess::send_to_home_tile(Station& station, const StageTiming::Station& timing, Time sent) {
  const Time now = scheduler_->now();
  place_on_link(station, now);
  const auto* calibration = timing_.calibration();
  const Time own = calibration != nullptr ? sent : std::max(sent, station.link_free);
  if (timing.multicast == Duration{}) return own;
  if (calibration == nullptr) {
    station.link_free = own + timing.multicast;
  } else {
    const bool is_taken = station.link_free > now;
    const auto taken_for = calibration->on_link(timing.multicast);
    station.link_free = (is_taken ? station.link_free : own) + taken_for;
    if (is_taken) hold_up_gathered(station, taken_for);
  }
  return own;
}

/// What has its turn on the link to the home core and has not passed it yet comes later.
void StageProcess::hold_up_gathered(Station& station, Duration by) {
  for (std::size_t i = 0; i < station.placed; ++i) {
    auto& coming = station.coming[i];
    if (coming.whole <= scheduler_->now()) continue;
    coming.whole += by;
    coming.last += by;
    station.sfu_free = std::max(station.sfu_free, coming.last);
  }
}

/// Tokens whose heads lie on the same cores follow each other as these cores allow.
void StageProcess::use_kv_cores(Station& station, const HeadsAtBlock& heads, const AttentionTimes& newest) {
  const Time now = scheduler_->now();
  const auto of_newest = heads.heads_of_core * newest.slowest();
  station.ring.use(heads.cores, now + std::max(of_newest, heads.elsewhere.slowest()), now);
}

const HeadsAtBlock& StageProcess::place(Station& station, const Token& token) {
  if (token.slot >= station.heads.size()) station.heads.resize(std::size_t{token.slot} + 1);
  auto& heads = station.heads[token.slot];
  if (heads.number == token.number) return heads;  // it waited
  if (token.begins() || goes_on_elsewhere(token)) {
    heads = timing_.place_heads(station.number, token, kv_);
  }
  heads.number = token.number;
  return heads;
}

/// Whether a page begins with this token, and that of a head on another core than the one before.
bool StageProcess::goes_on_elsewhere(const Token& token) const {
  const auto position = static_cast<int>(token.position);
  if (position % kv_.page_tokens() != 0) return false;
  const int page = position / kv_.page_tokens();
  for (int head = 0; head < plan_.kv_heads(); ++head) {
    for (const auto& extent : kv_.extents(token.slot, head)) {
      if (extent.first_page == page) return true;
    }
  }
  return false;
}

void StageProcess::hand_on(Station& station, const Token& token, Time first, Time last) {
  first = station.last_first = std::max(first, station.last_first);  // tokens stay in their order
  last = std::max(first, last);
  if (auto* next = find(station.number + 1); next != nullptr) return expect(*next, {token, first, last});
  Message message{.kind = MessageKind::stage_coming,
                  .station = static_cast<std::uint16_t>(station.number + 1),
                  .time_ps = engine::picoseconds(last)};
  message.set_token(token);
  scheduler_->send_at(station.after, first, message);
}

void StageProcess::send_candidates(const Token& token, Duration last) {
  const auto& tiles = plan_.tiled().lm_head.tiles;
  const auto sender =
      std::find_if(tiles.begin(), tiles.end(), [](const Tile& t) { return !t.slices.empty(); });
  Message message{.kind = MessageKind::host_packet,
                  .cargo = Cargo::candidates,
                  .stage = Stage::head,
                  .flits = static_cast<std::uint16_t>(plan_.wafer().noc.flits(sender->slices.front().bytes))};
  message.set_token(token);
  scheduler_->send(kHostLp, last, message);
}

void StageProcess::give_credit_back(const Station& station, const Token& token, Time whole, Duration delay) {
  if (auto* before = find(station.number - 1); before != nullptr) {
    take_credit_back(*before, {scheduler_->now() + delay, whole});
    if (before->waits.credit_since == engine::kNever) return;
    if (const auto credit = find_credit(*before, before->ready.next()->token)) wake(*before, credit->from);
    return;
  }
  Message message{.kind = MessageKind::stage_credit};
  message.set_token(token);
  message.set_whole(whole);
  if (station.number == 0) {
    message.kind = MessageKind::host_packet;
    message.cargo = Cargo::credit;
    message.flits = 1;
  } else {
    message.station = static_cast<std::uint16_t>(station.number - 1);
  }
  scheduler_->send(station.before, delay, message);
}

void StageProcess::retire(const Token& token) {
  Message message{.kind = MessageKind::retired, .time_ps = engine::picoseconds(scheduler_->now())};
  message.set_token(token);
  scheduler_->send(kControllerLp, control_latency_, message);
}

// ---- results
// --------------------------------------------------------------------------------------------------

const StationUse* StageProcess::station_use(int station) const {
  const auto found =
      std::find_if(stations_.begin(), stations_.end(), [&](const Station& s) { return s.number == station; });
  return found == stations_.end() ? nullptr : &found->use;
}

bool StageProcess::is_idle() const {
  return std::all_of(stations_.begin(), stations_.end(), [](const Station& station) {
    return station.coming.empty() && station.ready.empty() && station.credits.full();
  });
}

void StageProcess::save(engine::StateWriter& archive) const {
  archive << *this;
}

void StageProcess::load(engine::StateReader& archive) {
  archive >> *this;
}

}  // namespace ouro::llm
