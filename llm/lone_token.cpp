#include "llm/lone_token.hpp"

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::llm {

using engine::Duration;
using engine::Time;
using wafer::Component;
using wafer::CoreId;
using wafer::Onward;

LoneToken::LoneToken(const PipelinePlan& plan)
    : plan_{plan},
      geometry_{plan.wafer().geometry},
      noc_{plan.wafer().noc},
      core_{plan.wafer().core},
      head_{plan.head()} {
  for (int place = 0; place < plan.kv_ring().places(); ++place) {
    const int crossbars = plan.kv_ring().crossbars(place);
    undisturbed_.try_emplace(crossbars, core_, crossbars, head_);
  }
  for (int die = 0; die < geometry_.dies(); ++die) {
    networks_.emplace_back(geometry_, noc_, wafer::DieId{static_cast<wafer::DieId::Value>(die)});
  }
}

void LoneToken::begin() {
  passage_ = {};
  constexpr int kLongest = 1 << 26;  // cycles: links are taken for less, and 10^8 passages fit into 64 bits
  now_ += kLongest * noc_.cycle;
  start_ = now_;
  next_ = {};
}

void LoneToken::run() {
  while (!agenda_.empty()) {
    const auto action = agenda_.top();
    agenda_.pop();
    now_ = action.when;
    action.act();
  }
}

void LoneToken::at(Time when, std::function<void()> act) {
  agenda_.push({when, actions_++, std::move(act)});
}

// ---- the network
// ----------------------------------------------------------------------------------------------

void LoneToken::count_buffer(Stage stage, int flits) {
  counts(stage)[Component::buffer] += 2 * flits * noc_.link_bits;
}

void LoneToken::count_travel(Stage stage, const wafer::Travel& travel) {
  counts(stage)[Component::hop] += travel.hop_bits;
  counts(stage)[Component::die_crossing] += travel.crossing_bits;
  counts(stage)[Component::wafer_crossing] += travel.joint_bits;
}

void LoneToken::send(Stage stage, CoreId from, CoreId to, std::int64_t bytes, Arrived arrived) {
  const int flits = noc_.flits(bytes);
  ++passage_.packets;
  passage_.flits += flits;
  count_buffer(stage, flits);
  wafer::Travel travel;
  const auto onward = networks_[geometry_.die_of(from).value()].inject(from, to, flits, now_, travel);
  count_travel(stage, travel);
  forward(stage, to, flits, onward, std::move(arrived));
}

void LoneToken::forward(Stage stage, CoreId to, int flits, const Onward& onward, Arrived arrived) {
  if (onward.to != Onward::To::die) {
    if (onward.to == Onward::To::core) {
      count_buffer(stage, flits);
    } else {
      ++passage_.packets_to_host;
      passage_.flits_to_host += flits;
    }
    arrived(onward.time);
    return;
  }
  at(onward.time, [=, this, die = onward.die, entry = onward.core, arrived = std::move(arrived)] {
    wafer::Travel travel;
    const auto next = networks_[die.value()].enter(entry, to, flits, now_, travel);
    count_travel(stage, travel);
    forward(stage, to, flits, next, arrived);
  });
}

void LoneToken::multicast(const StationPlan& station, std::size_t first_tree) {
  const int flits = noc_.flits(station.group->rows);
  const auto destinations = static_cast<std::int64_t>(station.cores->size() / station.trees.size());
  const auto first = station.trees.begin() + static_cast<std::ptrdiff_t>(first_tree);
  for (const auto& tree : std::span{first, station.trees_at_once()}) {
    passage_.packets += destinations;
    passage_.flits += destinations * flits;
    count_buffer(station.tile_stage, flits);
    wafer::Travel travel;
    const auto onward = networks_[geometry_.die_of(station.home).value()].inject(tree, flits, now_, travel);
    count_travel(station.tile_stage, travel);
    branch(station, tree, flits, onward);
  }
}

void LoneToken::branch(const StationPlan& station, const wafer::MulticastTree& tree, int flits,
                       std::span<const Onward> onward) {
  for (const auto& end : onward) {
    if (end.to == Onward::To::core) {
      count_buffer(station.tile_stage, flits);
      start_pass(station, end.core, end.time + (end.core == station.home ? home_delay_ : Duration{}));
      continue;
    }
    at(end.time, [=, this, &station, &tree, die = end.die, segment = end.core.value()] {
      wafer::Travel travel;
      const auto next = networks_[die.value()].enter(tree, segment, flits, now_, travel);
      count_travel(station.tile_stage, travel);
      branch(station, tree, flits, next);
    });
  }
}

// ---- stations
// -------------------------------------------------------------------------------------------------

Time LoneToken::use_sfu(Stage stage, Time from, const SfuWork& work) {
  counts(stage)[Component::sfu_special] += work.special;
  counts(stage)[Component::sfu_simple] += work.simple;
  busy(stage, work.time);
  return from + work.time;
}

Passage LoneToken::pass(int number, const Token& token, const KvController& kv, Duration home_delay) {
  begin();
  home_delay_ = home_delay;
  station_ = number;
  token_ = token;
  kv_ = &kv;
  const auto& station = station_plan();
  use_sfu(station.home_stage, now_, plan_.home_work(station));
  if (!station.is_lm_head || token.sampled()) {
    if (station.is_lm_head) {
      next_.missing = station.group->senders();
    } else {
      const auto& next = plan_.stations()[static_cast<std::size_t>(number) + 1];
      next_.missing = next.expected_packets - (next.residual_from > 0 ? 1 : 0);
    }
    tiles_.clear();
    for (const auto& tile : station.group->tiles) tiles_.push_back({tile.takes_partial ? 2 : 1, {}});
    inputs_.assign(static_cast<std::size_t>(plan_.kv_heads()), {});
    heads_.assign(static_cast<std::size_t>(plan_.kv_heads()), {});
    kv_use_.assign(plan_.ring(0).size(), {});
    if (station.group->experts > 0) {
      const auto chosen = plan_.routing().choose(kv.request_of(token.slot), token.position, station.block);
      for (const int expert : chosen)
        multicast(station, static_cast<std::size_t>(expert) * station.trees_at_once());
    } else {
      multicast(station, 0);
    }
  }
  const auto send_vector = [&](int ahead, std::int64_t bytes, Arrived arrived) {
    send(station.home_stage, station.home, plan_.stations()[static_cast<std::size_t>(number + ahead)].home,
         bytes, std::move(arrived));
  };
  if (station.latent > 0 && station.attends)
    send_head_input(0, inputs_of(0).size() - 1, station.home, station.latent);
  if (station.passes_on > 0) send_vector(1, station.passes_on, [this](Time tail) { next_.add(tail); });
  if (station.residual_to > 0) send_vector(station.residual_to, station.group->rows, [](Time) {});
  return_credit(number);
  run();
  if (next_.missing != 0) throw engine::ContractError{"a lone token does not reach the next station"};
  if (next_.whole > start_) passage_.to_next = next_.whole - start_;
  return passage_;
}

void LoneToken::return_credit(int number) {
  const CoreId to =
      number == 0 ? geometry_.host_id() : plan_.stations()[static_cast<std::size_t>(number) - 1].home;
  send(station_plan().home_stage, station_plan().home, to, 1,
       [this](Time tail) { passage_.credit = tail - start_; });
}

Duration LoneToken::credit(int station) {
  begin();
  station_ = station;
  return_credit(station);
  run();
  return passage_.credit;
}

Passage LoneToken::from_host(int station, int flits) {
  begin();
  const auto to = plan_.stations()[static_cast<std::size_t>(station)].home;
  const auto at = geometry_.core_at(noc_.host);
  wafer::Travel travel;
  const auto onward = networks_[geometry_.die_of(at).value()].enter(at, to, flits, now_, travel);
  count_travel(Stage::host, travel);
  forward(Stage::host, to, flits, onward, [this](Time tail) { passage_.to_next = tail - start_; });
  run();
  return passage_;
}

// ---- tiles
// ----------------------------------------------------------------------------------------------------

void LoneToken::start_pass(const StationPlan& station, CoreId core, Time tail) {
  const auto index = static_cast<std::size_t>(plan_.role(core).tile);
  const auto& tile = station.group->tiles[index];
  const auto work = tile_work(core_, *station.group, tile);
  const Time end = tail + work.input + work.pass + work.output;
  counts(station.tile_stage)[Component::mac] += tile.macs;
  counts(station.tile_stage)[Component::htree] += tile.htree_bits;
  busy(station.tile_stage, work.pass);
  if (index == 0) passage_.home_output = end - start_;
  if (tile.partial_columns > 0 && !tile.partial_waits) {
    at(end, [=, this, &station, &tile] {
      send(station.tile_stage, core, (*station.cores)[index + 1], 4 * std::int64_t{tile.partial_columns},
           [=, this, &station](Time at) { add_tile_part(station, index + 1, at); });
    });
  }
  add_tile_part(station, index, end);
}

void LoneToken::add_tile_part(const StationPlan& station, std::size_t index, Time part) {
  const auto& tile = station.group->tiles[index];
  if (!tiles_[index].add(part) || (tile.slices.empty() && !tile.partial_waits)) return;
  const Time done =
      use_sfu(station.tile_stage, tiles_[index].whole, finishing_work(core_, *station.group, tile));
  at(done, [=, this, &station] { tile_done(station, index); });
}

void LoneToken::tile_done(const StationPlan& station, std::size_t index) {
  const auto& tile = station.group->tiles[index];
  const CoreId from = (*station.cores)[index];
  if (passage_.first_output == Duration{}) passage_.first_output = now_ - start_;
  if (index == 0) passage_.home_output = now_ - start_;
  if (tile.partial_waits) {
    send(station.tile_stage, from, (*station.cores)[index + 1], 4 * std::int64_t{tile.partial_columns},
         [=, this, &station](Time at) { add_tile_part(station, index + 1, at); });
  }
  if (station.attends) {
    send_head_inputs(tile, from);
    return;
  }
  const CoreId to = station.is_lm_head ? geometry_.host_id()
                                       : plan_.stations()[static_cast<std::size_t>(station_) + 1].home;
  for (const auto& slice : tile.slices)
    send(station.tile_stage, from, to, slice.bytes, [this](Time tail) { next_.add(tail); });
}

// ---- attention
// ------------------------------------------------------------------------------------------------

/// Those of each of its cores, the newest tokens' last.
std::vector<LoneToken::Parts>& LoneToken::inputs_of(int head) {
  auto& inputs = inputs_[static_cast<std::size_t>(head)];
  if (inputs.empty()) {
    const auto cores = kv_->cores_of_head(token_.slot, head, static_cast<int>(token_.position));
    inputs.assign(cores.size(), {plan_.query_senders(head), {}});
    inputs.back().missing = plan_.head_input_senders(head);
    heads_[static_cast<std::size_t>(head)].missing = static_cast<int>(cores.size());
  }
  return inputs;
}

/// @param index  of the head's cores
void LoneToken::send_head_input(int head, std::size_t index, CoreId from, std::int64_t bytes) {
  const bool newest = index + 1 == inputs_of(head).size();
  const int core = kv_->cores_of_head(token_.slot, head, static_cast<int>(token_.position))[index];
  send(Stage::qkv, from, ring()[static_cast<std::size_t>(core)], bytes, [=, this](Time tail) {
    auto& parts = inputs_[static_cast<std::size_t>(head)][index];
    if (parts.add(tail)) attend(head, core, newest, parts.whole);
  });
}

void LoneToken::send_head_inputs(const Tile& tile, CoreId from) {
  for (const auto& slice : tile.slices) {
    const auto cores = inputs_of(slice.consumer).size();
    for (std::size_t i = 0; i < cores; ++i) {
      const int bytes = i + 1 == cores ? slice.bytes : slice.q_bytes;
      if (bytes > 0) send_head_input(slice.consumer, i, from, bytes);
    }
  }
}

/// As DieProcess::attend(), where the head's blocks lie as in an empty core.
void LoneToken::attend(int head, int ring_core, bool newest, Time ready) {
  auto& use = kv_use_[static_cast<std::size_t>(ring_core)];
  const int tokens = kv_->tokens_on_core(token_.slot, head, static_cast<int>(token_.position), ring_core);
  const auto work = undisturbed_.at(plan_.kv_ring().crossbars(ring_core)).work(tokens);
  Time k_start = std::max(ready, use.k);
  if (newest) {
    counts(Stage::qkv)[Component::kv_write] += written_bits(head_);
    k_start += write_k_time(core_, head_);
  }
  use.k = k_start + work.score.time;
  use.sfu = use_sfu(Stage::softmax, std::max(use.k, use.sfu), work.softmax);
  const Duration value_time = work.values.time + (newest ? write_v_time(core_, head_) : Duration{});
  use.v = std::max(use.sfu, use.v) + value_time;
  counts(Stage::score)[Component::mac] += work.score.macs;
  counts(Stage::score)[Component::htree] += work.score.htree_bits;
  counts(Stage::projection)[Component::mac] += work.values.macs;
  counts(Stage::projection)[Component::htree] += work.values.htree_bits;
  busy(Stage::score, work.score.time);
  busy(Stage::projection, value_time);
  if (newest) {
    add_attention_part(head, use.v);
    return;
  }
  at(use.v, [=, this] {
    const int to = kv_->cores_of_head(token_.slot, head, static_cast<int>(token_.position)).back();
    send(Stage::projection, ring()[static_cast<std::size_t>(ring_core)], ring()[static_cast<std::size_t>(to)],
         attention_partial_bytes(head_), [=, this](Time tail) { add_attention_part(head, tail); });
  });
}

void LoneToken::add_attention_part(int head, Time part) {
  auto& parts = heads_[static_cast<std::size_t>(head)];
  if (!parts.add(part)) return;
  const auto cores = kv_->cores_of_head(token_.slot, head, static_cast<int>(token_.position));
  Time done = parts.whole;
  auto& sfu = kv_use_[static_cast<std::size_t>(cores.back())].sfu;
  if (cores.size() > 1) {
    done = sfu = use_sfu(Stage::softmax, std::max(done, sfu),
                         merge_work(core_, head_, static_cast<std::int64_t>(cores.size())));
  }
  at(done, [=, this, core = cores.back()] {
    send(Stage::projection, ring()[static_cast<std::size_t>(core)],
         plan_.stations()[static_cast<std::size_t>(station_) + 1].home, head_output_bytes(head_),
         [this](Time tail) { next_.add(tail); });
  });
}

}  // namespace ouro::llm
