#include "llm/die_process.hpp"

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::llm {

using engine::Duration;
using engine::Time;
using wafer::Component;
using wafer::CoreId;
using wafer::EnergyCounts;
using wafer::Onward;

namespace {

CoreId at_core(const Message& message) {
  return CoreId{message.at};
}

}  // namespace

DieProcess::DieProcess(const PipelinePlan& plan, wafer::DieId die, const KvController& kv,
                       const Foresight& foresight, Duration control_latency, StationLog log,
                       wafer::RecordWindow recorded)
    : plan_{plan},
      geometry_{plan.wafer().geometry},
      core_model_{plan.wafer().core},
      die_{die},
      head_{plan.head()},
      kv_{kv},
      foresight_{foresight},
      control_latency_{control_latency},
      network_{geometry_, plan.wafer().noc, die},
      ledger_{plan.blocks(), plan.wafer().energy},
      station_log_{std::move(log)},
      cores_(static_cast<std::size_t>(geometry_.cores_of_die())),
      packet_record_{recorded} {
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
  if (geometry_.die_of(plan_.stations().back().home) == die_ || !plan_.wafer().failures.empty())
    channels.to.push_back({kControllerLp, control_latency_});
  for (const auto direction : wafer::kDirections) {
    const auto neighbour = geometry_.neighbour(die_, direction);
    if (neighbour) channels.to.push_back({die_lp(*neighbour), noc.die_lookahead(geometry_, die_, direction)});
  }
  if (geometry_.die_of(noc.host) == die_) channels.to.push_back({kHostLp, noc.die_lookahead()});
  return channels;
}

void DieProcess::handle(const engine::Event& event, engine::Scheduler& scheduler) {
  scheduler_ = &scheduler;
  const auto message = event.as<Message>();
  if (message.kind <= MessageKind::credit && message.number < first_number_) return discard(message);
  switch (message.kind) {
    case MessageKind::packet: {
      wafer::Travel travel;
      const auto onward = network_.enter(at_core(message), CoreId{message.target}, message.flits, event.time,
                                         travel, wafer::Waypoint::from_code(message.via));
      count_travel(message, travel);
      forward(message, onward);
      break;
    }
    case MessageKind::multicast: {
      const auto& tree = station_plan(message.station).trees[message.head];
      wafer::Travel travel;
      const auto onward = network_.enter(tree, message.target, message.flits, event.time, travel);
      count_travel(message, travel);
      forward_multicast(message, onward);
      break;
    }
    case MessageKind::tile_pass_end:
      send_partial_sums(message);
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
    case MessageKind::credit: {
      auto& station = *core(at_core(message)).station;
      ++station.credits;
      launch_ready_tokens(station);
      break;
    }
    case MessageKind::announced:
      announced(message);
      break;
    case MessageKind::release:
    case MessageKind::keep:
    case MessageKind::adopt:
    case MessageKind::drop:
      for (auto& core : cores_) {
        if (core.attention) change_kv(core.attention->kv, message);
      }
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
    default:
      throw engine::ContractError{name() + " got a message for another LP"};
  }
  ledger_.settle(event.time);
}

void DieProcess::change_kv(KvCore& kv, const Message& message) {
  switch (message.kind) {
    case MessageKind::keep:
      return kv.keep(message.slot, message.number, static_cast<std::int32_t>(message.position),
                     static_cast<std::int32_t>(message.target));
    case MessageKind::adopt:
      return kv.adopt(message.slot, message.number);
    case MessageKind::drop:
      return kv.drop(message.number);
    default:
      return kv.release(message.slot);
  }
}

// ---- the network
// ----------------------------------------------------------------------------------------------

void DieProcess::send(Message message, CoreId from, CoreId to, std::int64_t bytes) {
  message.kind = MessageKind::packet;
  message.target = to.value();
  message.flits = static_cast<std::uint16_t>(plan_.wafer().noc.flits(bytes));
  count_buffer(message, core(from));
  traffic_.sent(message.flits);
  if (to != wafer::DieNetwork::host_id(geometry_))
    packet_record_.sent(scheduler_->now(), from, to, message.flits);
  wafer::Travel travel;
  const auto onward = network_.inject(from, to, message.flits, scheduler_->now(), travel);
  count_travel(message, travel);
  forward(message, onward);
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
    wafer::Travel travel;
    const auto onward = network_.inject(station.trees[i], message.flits, scheduler_->now(), travel);
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
      throw engine::ContractError{"candidates for the host arrived at a core"};
  }
}

// ---- stations
// -------------------------------------------------------------------------------------------------

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
  station.ready.add(*token);
  station.normalising.erase(token);
  if (!message.token().closes_batch()) return_credit(station, message.token());
  launch_ready_tokens(station);
}

bool DieProcess::needs_credit(const Station& station, const Token& token) const {
  return !station_plan(station).is_lm_head || token.sampled();
}

void DieProcess::launch_ready_tokens(Station& station) {
  while (const auto* next = station.ready.next()) {
    if (needs_credit(station, next->token) && station.credits < plan_.credits_for(next->token)) {
      if (!station.blocked_since) station.blocked_since = scheduler_->now();
      return;
    }
    count_launch(station, *next);
    launch(station, station.ready.pop().token);
  }
}

void DieProcess::count_launch(Station& station, const ReadyToken& next) {
  const auto now = scheduler_->now();
  const auto coming = station.gather.begun_by(now) +
                      std::count_if(station.normalising.begin(), station.normalising.end(),
                                    [now](const ReadyToken& token) { return token.first <= now; });
  station.use.launch(next, static_cast<std::int64_t>(station.ready.size()) + coming,
                     {.credit_since = station.blocked_since.value_or(engine::kNever)}, station_plan(station),
                     needs_credit(station, next.token), now);
  station.blocked_since.reset();
}

void DieProcess::launch(Station& station, const Token& token) {
  const auto& plan = station_plan(station);
  if (station_log_.records(token.number))
    station_log_.launch(station.number, token.number, kv_.request_of(token.slot), scheduler_->now());
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
  if (plan.calls_queries) {
    --station.called;
    call_queries(station);
  } else if (token.opens_batch()) {
    return_credit(station, token);
  }
}

void DieProcess::return_credit(const Station& station, const Token& token) {
  const auto& plan = station_plan(station);
  Message credit{.cargo = Cargo::credit, .stage = plan.home_stage};
  credit.set_token(token);
  const CoreId to =
      station.number == 0 ? wafer::DieNetwork::host_id(geometry_) : station_plan(station.number - 1).home;
  send(credit, plan.home, to, 1);
}

void DieProcess::retire(const Token& token) {
  Message message{.kind = MessageKind::retired, .time_ps = engine::picoseconds(scheduler_->now())};
  message.set_token(token);
  scheduler_->send(kControllerLp, control_latency_, message);
}

// ---- tiles
// ----------------------------------------------------------------------------------------------------

void DieProcess::start_pass(const Message& message, CoreId core_id, Time tail) {
  traffic_.received(message.flits);
  const auto& station = station_plan(message.station);
  auto& tile_core = core(core_id);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(tile_core.role.tile)];

  const auto work = tile_work(core_model_, *station.group, tile);
  const Time start = std::max(tail + work.input, tile_core.crossbars_free);
  tile_core.crossbars_free = start + work.pass;
  const Time end = start + work.pass + work.output;

  const auto phase = message.token().phase();
  count_buffer(message, tile_core);
  count(tile_core, message.stage, phase, Component::mac, tile.macs);
  count(tile_core, message.stage, phase, Component::htree, work.htree_bits);
  tile_core.use.crossbars_busy += work.pass;
  ledger_.busy(start, station.block, message.stage, work.pass);

  if (tile.partial_columns > 0 && !tile.partial_waits) {
    Message pass_end = message;
    pass_end.kind = MessageKind::tile_pass_end;
    pass_end.at = core_id.value();
    scheduler_->send_at(scheduler_->self(), end, pass_end);
  }
  add_tile_part(message, core_id, end);
}

void DieProcess::add_tile_part(const Message& message, CoreId core_id, Time at) {
  auto& tile_core = core(core_id);
  const auto& role = tile_core.role;
  const auto& station = station_plan(role.tile_station);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(role.tile)];
  const auto whole = tile_core.tile_parts.add(message.number, 0, tile.takes_partial ? 2 : 1, at);
  if (!whole || (tile.slices.empty() && !tile.partial_waits)) return;

  const Time done = use_sfu(tile_core, *whole, finishing_work(core_model_, *station.group, tile),
                            station.block, station.tile_stage, message.token().phase());
  Message finished = message;
  finished.kind = MessageKind::tile_done;
  finished.at = core_id.value();
  finished.station = static_cast<std::uint16_t>(role.tile_station);
  scheduler_->send_at(scheduler_->self(), done, finished);
}

void DieProcess::send_partial_sums(const Message& message) {
  const auto& role = core(at_core(message)).role;
  const auto& station = station_plan(role.tile_station);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(role.tile)];
  Message sums{.cargo = Cargo::partial_sum, .stage = station.tile_stage, .station = message.station};
  sums.set_token(message.token());
  send(sums, at_core(message), (*station.cores)[static_cast<std::size_t>(role.tile) + 1],
       4 * std::int64_t{tile.partial_columns});
}

void DieProcess::tile_done(const Message& message) {
  const auto& role = core(at_core(message)).role;
  const auto& station = station_plan(role.tile_station);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(role.tile)];
  if (tile.partial_waits) send_partial_sums(message);
  if (station.attends) {
    send_head_inputs(message, at_core(message), station, tile);
    if (station.announces) announce(message, at_core(message), role.tile_station);
  } else {
    send_outputs(message, at_core(message), station, tile);
  }
}

void DieProcess::send_outputs(const Message& message, CoreId from, const StationPlan& station,
                              const Tile& tile) {
  Message output{.stage = station.tile_stage};
  output.set_token(message.token());
  for (const auto& slice : tile.slices) {
    output.cargo = station.is_lm_head ? Cargo::candidates : Cargo::activations;
    const CoreId to = station.is_lm_head ? wafer::DieNetwork::host_id(geometry_)
                                         : station_plan(core(from).role.tile_station + 1).home;
    send(output, from, to, slice.bytes);
  }
}

void DieProcess::send_head_inputs(const Message& message, CoreId from, const StationPlan& station,
                                  const Tile& tile) {
  const auto& ring = plan_.ring(station.block);
  Message input{.cargo = Cargo::head_input, .stage = station.tile_stage};
  input.set_token(message.token());
  for (const auto& slice : tile.slices) {
    input.head = static_cast<std::uint16_t>(slice.consumer);
    const auto cores = cores_of_head(message.token(), slice.consumer);
    for (const int to : cores) {
      const int bytes =
          to == cores.back() ? slice.bytes : slice.q_bytes;  // K and V go where the newest tokens are
      if (bytes > 0) send(input, from, ring[static_cast<std::size_t>(to)], bytes);
    }
  }
}

/// The vector that all heads share, to the core of the newest tokens.
void DieProcess::send_latent(const StationPlan& station, const Token& token) {
  Message latent{.cargo = Cargo::head_input, .stage = station.home_stage, .head = 0};
  latent.set_token(token);
  const auto newest = static_cast<std::size_t>(cores_of_head(token, 0).back());
  send(latent, station.home, plan_.ring(station.block)[newest], station.latent);
}

// ---- attention
// ------------------------------------------------------------------------------------------------

bool DieProcess::is_newest(const Token& token, int head, CoreId core_id) const {
  return cores_of_head(token, head).back() == core(core_id).role.kv_ring;
}

/// K and V of one more token are there: queries that came before them may go on.
void DieProcess::attend_early_queries(std::uint16_t slot, std::uint16_t head, CoreId core_id, Time written) {
  auto& early = core(core_id).attention->early;
  if (early.empty()) return;
  std::vector<Attention::EarlyQuery> waiting;
  std::swap(waiting, early);
  for (const auto& query : waiting) {  // those that must wait on go back
    if (query.message.slot == slot && query.message.head == head) {
      attend(query.message, core_id, std::max(query.ready, written));
    } else {
      early.push_back(query);
    }
  }
}

void DieProcess::gather_head_input(const Message& message, CoreId core_id, Time tail) {
  const bool newest = is_newest(message.token(), message.head, core_id);
  const int expected = newest ? plan_.head_input_senders(message.head) : plan_.query_senders(message.head);
  const auto whole = core(core_id).attention->inputs.add(message.number, message.head, expected, tail);
  if (!whole) return;
  if (is_encoder_block(plan_.model(), core(core_id).role.kv_block)) {
    hold_query(message, core_id, *whole);
  } else {
    attend(message, core_id, *whole);
  }
}

/// Score, softmax and S x V of one KV head for one token, over the tokens that lie on this core.
void DieProcess::attend(const Message& message, CoreId core_id, Time ready) {
  auto& kv_core = core(core_id);
  auto& attention = *kv_core.attention;
  const Token token = message.token();
  const Phase phase = token.phase();
  const bool newest = is_newest(token, message.head, core_id);
  const int needed =
      kv_.tokens_on_core(message.slot, message.head, static_cast<int>(token.position), kv_core.role.kv_ring);
  const auto* stored = newest ? &attention.kv.write(message.slot, message.head, page_of(token))
                              : attention.kv.read(message.slot, message.head);
  if (stored == nullptr || stored->tokens < needed) {
    if (newest) throw engine::ContractError{"K and V of a head arrived out of order"};
    attention.early.push_back({message, ready});
    return;
  }
  const auto& entry = *stored;
  const std::int64_t tokens = needed;

  Time k_start = std::max(ready, attention.k_free);
  if (newest) {
    if (attention.k_free > ready) kv_collisions_.add(ready, 1);
    count(kv_core, Stage::qkv, phase, Component::kv_write, written_bits(head_));
    k_start += write_k_time(core_model_, head_);
  }
  use_kv(kv_core, entry, tokens, k_start, phase, newest ? write_v_time(core_model_, head_) : Duration{});

  if (newest) {
    add_attention_partial(message, core_id, attention.v_free);
    attend_early_queries(message.slot, message.head, core_id, k_start);
    return;
  }
  Message done = message;
  done.kind = MessageKind::head_done;
  done.at = core_id.value();
  scheduler_->send_at(scheduler_->self(), attention.v_free, done);
}

/// One query's score, which begins at `k_start`, softmax, and S x V with the writing of V before it; they end
/// when the V crossbars are free.
void DieProcess::use_kv(Core& kv_core, const KvCore::Entry& entry, std::int64_t tokens, Time k_start,
                        Phase phase, Duration write_v) {
  auto& attention = *kv_core.attention;
  const int block = kv_core.role.kv_block;
  const auto score = score_work(core_model_, head_, tokens, entry.k_rows);
  count(kv_core, Stage::score, phase, Component::mac, score.macs);
  count(kv_core, Stage::score, phase, Component::htree, score.htree_bits);
  attention.k_free = k_start + score.time;
  ledger_.busy(k_start, block, Stage::score, score.time);

  auto weighing = softmax_work(core_model_, head_, tokens);
  if (plan_.model().position_buckets > 0) weighing += position_bias_work(core_model_, head_, tokens);
  const Time softmax_done = use_sfu(kv_core, attention.k_free, weighing, block, Stage::softmax, phase);

  const auto values = values_work(core_model_, head_, tokens, entry.v_rows);
  count(kv_core, Stage::projection, phase, Component::mac, values.macs);
  count(kv_core, Stage::projection, phase, Component::htree, values.htree_bits);
  const Duration value_time = values.time + write_v;
  const Time v_start = std::max(softmax_done, attention.v_free);
  attention.v_free = v_start + value_time;
  ledger_.busy(v_start, block, Stage::projection, value_time);
  kv_core.use.crossbars_busy += score.time + value_time;
}

/// The core with a head's newest tokens waits for the other cores' parts: each comes with the maximum and the
/// sum of its exponentials, by which it is rescaled.
void DieProcess::add_attention_partial(const Message& message, CoreId core_id, Time at) {
  auto& kv_core = core(core_id);
  const auto parts = static_cast<int>(cores_of_head(message.token(), message.head).size());
  const auto whole = kv_core.attention->partials.add(message.number, message.head, parts, at);
  if (!whole) return;
  Time done = *whole;
  if (parts > 1) {
    done = use_sfu(kv_core, done, merge_work(core_model_, head_, parts), core(core_id).role.kv_block,
                   Stage::softmax, message.token().phase());
  }
  Message finished = message;
  finished.kind = MessageKind::head_done;
  finished.at = core_id.value();
  scheduler_->send_at(scheduler_->self(), done, finished);
}

void DieProcess::head_done(const Message& message) {
  const auto& role = core(at_core(message)).role;
  Message output{.stage = Stage::projection, .head = message.head};
  output.set_token(message.token());
  const int newest = cores_of_head(message.token(), message.head).back();
  if (newest == role.kv_ring) {
    output.cargo = Cargo::activations;
    send(output, at_core(message), plan_.home_of_heads(role.kv_block), head_output_bytes(head_));
    return;
  }
  output.cargo = Cargo::attention_partial;
  send(output, at_core(message), plan_.ring(role.kv_block)[static_cast<std::size_t>(newest)],
       attention_partial_bytes(head_));
}

// ---- results
// --------------------------------------------------------------------------------------------------

const StationUse* DieProcess::station_use(int station) const {
  const bool here = plan_.die_of_home(static_cast<std::size_t>(station)) == die_;
  if (here) return &core(station_plan(station).home).station->use;
  const auto past = past_use_.find(station);
  return past == past_use_.end() ? nullptr : &past->second;
}

EnergyCounts DieProcess::energy_counts(int core) const {
  auto counts = core_use(core).counts;
  const auto travel = network_.travel_from(core);
  counts[Component::hop] += travel.hop_bits;
  counts[Component::die_crossing] += travel.crossing_bits;
  counts[Component::wafer_crossing] += travel.joint_bits;
  return counts;
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
