#include "llm/foresight_builder.hpp"

#include <algorithm>

#include "llm/undisturbed_head.hpp"
#include "wafer/die_network.hpp"

namespace ouro::llm {

using engine::Duration;
using wafer::CoreId;

ForesightBuilder::ForesightBuilder(Foresight& foresight)
    : foresight_{foresight},
      plan_{foresight.plan_},
      wafer_{plan_.wafer()},
      control_latency_{foresight.control_latency_},
      columns_{foresight.targets_.size()},
      host_is_here_{is_here(wafer_.geometry.core_at(wafer_.noc.host))},
      cores_(static_cast<std::size_t>(wafer_.geometry.cores())),
      segments_(plan_.stations().size()),
      multicasts_(plan_.stations().size(), never()),
      launches_(plan_.stations().size(), never()),
      host_(Foresight::kHostEvents, never()),
      from_elsewhere_(never()) {}

void ForesightBuilder::build() {
  for (std::size_t station = 0; station < plan_.stations().size(); ++station) {
    const auto& plan = plan_.stations()[station];
    if (plan.attends) follow_attention(station);
    follow_tiles(station);
    follow_trees(station);
  }
  relax_stations();
  finish();
  find_arrivals();
}

// ---- what leads to which packets: the same as in DieProcess and HostProcess
// ----------------------------------------------------------------

CoreId ForesightBuilder::host() const {
  return wafer_.geometry.host_id();
}

void ForesightBuilder::outputs_of_tile(std::size_t station, std::size_t index, const Visit& visit) const {
  const auto& plan = plan_.stations()[station];
  const auto& tile = plan.group->tiles[index];
  const CoreId from = (*plan.cores)[index];
  if (tile.partial_waits) sums_of_tile(station, index, visit);
  for (const auto& slice : tile.slices) {
    if (plan.is_lm_head) {
      visit({from, host(), Cargo::candidates, wafer_.noc.flits(slice.bytes)});
    } else if (!plan.attends) {
      visit({from, plan_.stations()[station + 1].home, Cargo::activations, wafer_.noc.flits(slice.bytes)});
    } else {  // to any KV core; one that does not hold the newest tokens gets the queries only
      const int bytes = slice.q_bytes > 0 ? slice.q_bytes : slice.bytes;
      for (const auto core : plan_.ring(plan.block))
        visit({from, core, Cargo::head_input, wafer_.noc.flits(bytes)});
    }
  }
}

void ForesightBuilder::sums_of_tile(std::size_t station, std::size_t index, const Visit& visit) const {
  const auto& plan = plan_.stations()[station];
  const auto& tile = plan.group->tiles[index];
  if (tile.partial_columns == 0) return;
  const auto flits = wafer_.noc.flits(4 * std::int64_t{tile.partial_columns});
  visit({(*plan.cores)[index], (*plan.cores)[index + 1], Cargo::partial_sum, flits});
}

void ForesightBuilder::outputs_of_head(std::size_t station, CoreId core, const Visit& visit) const {
  const auto outputs = wafer_.noc.flits(head_output_bytes(plan_.head()));
  visit({core, plan_.stations()[station + 1].home, Cargo::activations, outputs});
  if (lies_in_one_region(station)) return;  // by way of another KV core is further
  const int flits = wafer_.noc.flits(attention_partial_bytes(plan_.head()));
  for (const auto other : plan_.ring(plan_.stations()[station].block)) {
    if (other != core) visit({core, other, Cargo::attention_partial, flits});
  }
}

void ForesightBuilder::launched_by(std::size_t station, const Visit& visit) const {
  const auto& plan = plan_.stations()[station];
  const auto send_vector = [&](Cargo cargo, int ahead, std::int64_t bytes) {
    const auto& to = plan_.stations()[station + static_cast<std::size_t>(ahead)];
    visit({plan.home, to.home, cargo, wafer_.noc.flits(bytes)});
  };
  if (plan.latent > 0 && plan.attends) {
    for (const auto core : plan_.ring(plan.block))
      visit({plan.home, core, Cargo::head_input, wafer_.noc.flits(plan.latent)});
  }
  if (plan.passes_on > 0) send_vector(Cargo::activations, 1, plan.passes_on);
  if (plan.residual_to > 0) send_vector(Cargo::residual, plan.residual_to, plan.group->rows);
  visit({plan.home, station == 0 ? host() : plan_.stations()[station - 1].home, Cargo::credit, 1});
}

void ForesightBuilder::sent_by_host(Cargo cargo, const Visit& visit) const {
  const auto from = wafer_.geometry.core_at(wafer_.noc.host);
  if (cargo == Cargo::activations) {
    visit({from, plan_.stations().front().home, cargo, wafer_.noc.flits(plan_.model().hidden_size)});
  } else {
    visit({from, plan_.stations().back().home, cargo, 1});
  }
}

// ---- times
// ---------------------------------------------------------------------------------------------------

bool ForesightBuilder::lower(Times& times, const Times& other, Duration delay) {
  bool lowered = false;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto time = engine::sum(other[i], delay);
    lowered = lowered || time < times[i];
    times[i] = std::min(times[i], time);
  }
  return lowered;
}

void ForesightBuilder::lower_at_rank(Times& times, int rank, Duration time) const {
  for (std::size_t i = 0; i < columns_; ++i) {
    if (foresight_.targets_[i] == rank) times[i] = std::min(times[i], time);
  }
}

void ForesightBuilder::lower_by_flow(Times& times, const Flow& flow, const Times& there,
                                     Duration before) const {
  const bool to_host = flow.to == host();
  const auto& geometry = wafer_.geometry;
  const auto to = to_host ? wafer_.noc.host : geometry.coordinate(flow.to);
  const auto [rank, time] = foresight_.way(geometry.coordinate(flow.from), to);
  if (rank != foresight_.rank_) return lower_at_rank(times, rank, before + time);
  const Duration tail = (flow.flits - 1) * wafer_.noc.cycle;
  const Duration end = to_host ? foresight_.hop_ + foresight_.crossing_ : foresight_.ejection_;
  lower(times, there, before + time + end + tail);
}

/// What a credit leads to, of what the token that it is for leads to: nothing, but for a token that is held.
ForesightBuilder::Times ForesightBuilder::of_credit(Times times) const {
  if (!foresight_.knows_what_waits()) return times;
  const auto first = times.begin() + static_cast<std::ptrdiff_t>(columns_ / 2);
  std::fill(first, first + static_cast<std::ptrdiff_t>(columns_ / 2), engine::kForever);
  return times;
}

bool ForesightBuilder::is_here(CoreId core) const {
  return foresight_.rank_of_die_[wafer_.geometry.die_of(core).value()] == foresight_.rank_;
}

/// Whether all routes of a block's attention, up to the home core of O, stay in one region.
bool ForesightBuilder::lies_in_one_region(std::size_t station) const {
  const auto& geometry = wafer_.geometry;
  auto first = geometry.coordinate(plan_.stations()[station + 1].home), last = first;
  const auto include = [&](const std::vector<CoreId>& cores) {
    for (const auto core : cores) {
      const auto at = geometry.coordinate(core);
      first = {std::min(first.x, at.x), std::min(first.y, at.y)};
      last = {std::max(last.x, at.x), std::max(last.y, at.y)};
    }
  };
  include(plan_.ring(plan_.stations()[station].block));
  include(*plan_.stations()[station].cores);
  const int rank = foresight_.rank_of_die_[geometry.die_of(first).value()];
  for (int y = first.y / geometry.core_rows; y <= last.y / geometry.core_rows; ++y) {
    for (int x = first.x / geometry.core_columns; x <= last.x / geometry.core_columns; ++x) {
      if (foresight_.rank_at(x, y) != rank) return false;
    }
  }
  return true;
}

ForesightBuilder::Times& ForesightBuilder::at(CoreId core, Foresight::CoreEvent event) {
  auto& times = cores_[core.value()].of;
  if (times.empty()) times.assign(Foresight::kCoreEvents, never());
  return times[event];
}

/// From a token's vector at a tile to its sums at the root of the H-tree.
Duration ForesightBuilder::tile_time(std::size_t station, std::size_t index) const {
  const auto& plan = plan_.stations()[station];
  const auto& tile = plan.group->tiles[index];
  return wafer_.core.htree(8 * plan.group->rows) + wafer_.core.crossbar_pass(tile.busiest_rows) +
         wafer_.core.htree(32 * std::int64_t{tile.finished_columns + tile.partial_columns});
}

/// From all its sums to a tile's outputs.
Duration ForesightBuilder::finishing_time(std::size_t station, std::size_t index) const {
  const auto& group = *plan_.stations()[station].group;
  return finishing_work(wafer_.core, group, group.tiles[index]).time;
}

/// From a query to the output of its head: one token, nothing to write.
Duration ForesightBuilder::attention_time() const {
  const auto work = UndisturbedHead{wafer_.core, plan_.kv_ring().crossbars(0), plan_.head()}.work(1);
  return work.score.time + work.softmax.time + work.values.time;
}

/// From the last part of a token's vector to the token's being ready.
Duration ForesightBuilder::station_time(std::size_t station) const {
  return plan_.home_work(plan_.stations()[station]).time;
}

// ---- between two stations
// ---------------------------------------------------------------------------------------

void ForesightBuilder::follow_tiles(std::size_t station) {
  const auto& plan = plan_.stations()[station];
  auto next = never();
  next.back() = Duration::zero();
  for (std::size_t i = plan.cores->size(); i-- > 0;) {  // sums go from a tile to the one after it
    const auto core = (*plan.cores)[i];
    if (!is_here(core)) continue;
    cores_[core.value()].tile_of = static_cast<int>(station);
    const auto& tile = plan.group->tiles[i];
    const auto follow = [&](Times& times) {
      return [&](const Flow& flow) {
        const bool leaves = flow.cargo == Cargo::activations || flow.cargo == Cargo::candidates;
        const auto event = flow.cargo == Cargo::partial_sum ? Foresight::partial_sum : Foresight::head_input;
        lower_by_flow(times, flow, leaves ? next : at(flow.to, event), wafer_.noc.wire_latency);
      };
    };
    auto done = never(), pass_end = never(), sums = never(), arrival = never();
    outputs_of_tile(station, i, follow(done));
    if (!tile.partial_waits) sums_of_tile(station, i, follow(pass_end));
    lower(sums, done, finishing_time(station, i));
    lower(arrival, sums, tile_time(station, i));
    lower(arrival, pass_end, tile_time(station, i));
    at(core, Foresight::tile_done) = done;
    at(core, Foresight::tile_pass_end) = pass_end;
    at(core, Foresight::partial_sum) = sums;
    at(core, Foresight::tile_arrival) = arrival;
  }
}

void ForesightBuilder::follow_attention(std::size_t station) {
  const auto& ring = plan_.ring(plan_.stations()[station].block);
  auto next = never();
  next.back() = Duration::zero();
  const auto merging = merge_work(wafer_.core, plan_.head(), 2).time;
  const auto attending = attention_time();
  for (bool lowered = true; lowered;) {
    lowered = false;
    for (const auto core : ring) {
      if (!is_here(core)) continue;
      cores_[core.value()].kv_of = static_cast<int>(station);
      auto done = never();
      outputs_of_head(station, core, [&](const Flow& flow) {
        const bool whole = flow.cargo == Cargo::activations;
        lower_by_flow(done, flow, whole ? next : at(flow.to, Foresight::attention_partial),
                      wafer_.noc.wire_latency);
      });
      lowered = lower(at(core, Foresight::head_done), done) || lowered;
      lower(at(core, Foresight::attention_partial), done, merging);
      lower(at(core, Foresight::head_input), done, attending);
    }
  }
}

void ForesightBuilder::follow_trees(std::size_t station) {
  const auto& plan = plan_.stations()[station];
  const int flits = wafer_.noc.flits(plan.group->rows);
  for (const auto& tree : plan.trees) {
    std::vector<Times> segments(tree.segments());
    for (auto i = static_cast<std::uint32_t>(tree.segments());
         i-- > 0;) {  // a segment comes before its branches
      segments[i] = follow_segment(tree, segments, i, flits);
    }
    if (is_here(plan.home)) lower(multicasts_[station], segments.front(), wafer_.noc.wire_latency);
    segments_[station].insert(segments_[station].end(), segments.begin(), segments.end());
  }
}

ForesightBuilder::Times ForesightBuilder::follow_segment(const wafer::MulticastTree& tree,
                                                         const std::vector<Times>& later, std::uint32_t index,
                                                         int flits) {
  auto times = never();
  const auto& segment = tree.segment(index);
  if (foresight_.rank_of_die_[segment.die.value()] != foresight_.rank_) return times;
  const auto& noc = wafer_.noc;
  std::vector<Duration> heads(segment.steps.size());
  for (std::size_t i = 0; i < segment.steps.size(); ++i) {
    const auto& step = segment.steps[i];
    const auto start =
        (step.parent < 0 ? Duration{} : heads[static_cast<std::size_t>(step.parent)]) + noc.router_latency();
    heads[i] = start + noc.wire_latency;
    if (step.end == wafer::MulticastStep::End::core) {
      lower(times, at(CoreId{step.target}, Foresight::tile_arrival),
            start + noc.wire_latency + flits * noc.cycle);
    } else if (step.end == wafer::MulticastStep::End::crossing) {
      const auto rank = foresight_.rank_of_die_[tree.segment(step.target).die.value()];
      const auto time = heads[i] + noc.die_crossing_latency;
      if (rank == foresight_.rank_) {
        lower(times, later[step.target], time);
      } else {
        lower_at_rank(times, rank, time);
      }
    }
  }
  return times;
}

// ---- along the chain
// --------------------------------------------------------------------------------------------

/// Replaces the way to the next station by what it can lead to from there.
ForesightBuilder::Times ForesightBuilder::beyond(std::size_t station, const Times& times) const {
  auto result = times;
  const bool last = station + 1 == launches_.size();
  lower(result, last ? host_[Foresight::candidates] : from_arrival(station + 1), times.back());
  result.back() = engine::kForever;
  return result;
}

/// What the last part of a token's vector can lead to.
ForesightBuilder::Times ForesightBuilder::from_arrival(std::size_t station) const {
  auto times = never();
  lower(times, launches_[station], station_time(station));
  return times;
}

void ForesightBuilder::relax_stations() {
  for (bool lowered = true; lowered;) {
    lowered = host_is_here_ && relax_host();
    for (std::size_t i = 0; i < launches_.size(); ++i) lowered = relax_station(i) || lowered;
    for (std::size_t i = launches_.size(); i-- > 0;) lowered = relax_station(i) || lowered;
  }
}

bool ForesightBuilder::relax_station(std::size_t station) {
  const auto& plan = plan_.stations()[station];
  if (!is_here(plan.home)) return false;
  auto times = beyond(station, multicasts_[station]);
  launched_by(station, [&](const Flow& flow) {
    if (flow.cargo == Cargo::head_input) {  // what attention leads to is known from before
      const auto attends = is_here(flow.to) ? beyond(station, at(flow.to, Foresight::head_input)) : never();
      lower_by_flow(times, flow, attends, wafer_.noc.wire_latency);
    } else if (flow.cargo != Cargo::credit) {
      const auto to = static_cast<std::size_t>(plan_.role(flow.to).home_of);
      lower_by_flow(times, flow, from_arrival(to), wafer_.noc.wire_latency);
    } else {
      lower_by_flow(times, flow, station == 0 ? host_[Foresight::credit] : of_credit(launches_[station - 1]),
                    wafer_.noc.wire_latency);
    }
  });
  if (plan.is_lm_head) {  // a token that is not sampled leaves: the controllers hear of it
    lower_at_rank(times, engine::kEveryRank, control_latency_);
    lower(times, host_[Foresight::issue], control_latency_);
  }
  return lower(launches_[station], times);
}

bool ForesightBuilder::relax_host() {
  const auto before = wafer_.noc.wire_latency + wafer_.noc.die_crossing_latency;
  bool lowered = false;
  for (const auto event : {Foresight::inject, Foresight::sample}) {
    auto times = never();
    const bool injects = event == Foresight::inject;
    sent_by_host(injects ? Cargo::activations : Cargo::credit, [&](const Flow& flow) {
      lower_by_flow(times, flow, injects ? from_arrival(0) : of_credit(launches_.back()), before);
    });
    lower_at_rank(times, engine::kEveryRank, control_latency_);
    lower(times, host_[Foresight::issue], control_latency_);
    lowered = lower(host_[event], times) || lowered;
  }
  const auto looked_up = wafer_.host.embedding_latency;
  lowered = lower(host_[Foresight::issue], host_[Foresight::inject], looked_up) || lowered;
  lowered = lower(host_[Foresight::credit], of_credit(host_[Foresight::inject]), looked_up) || lowered;
  return lower(host_[Foresight::candidates], host_[Foresight::sample], wafer_.host.sampling_latency) ||
         lowered;
}

void ForesightBuilder::store(std::vector<std::uint32_t>& table, const Times& times) const {
  constexpr auto kMost = Foresight::kNotAtAll - 1;
  for (std::size_t i = 0; i < columns_; ++i) {
    const auto time = times[i];
    table.push_back(time == engine::kForever
                        ? Foresight::kNotAtAll
                        : static_cast<std::uint32_t>(std::min<std::int64_t>(time.count(), kMost)));
  }
}

void ForesightBuilder::finish() {
  for (auto& core : cores_) {
    for (std::size_t event = 0; event < Foresight::kCoreEvents; ++event) {
      const int station = event < Foresight::head_input ? core.tile_of : core.kv_of;
      store(foresight_.cores_,
            station < 0 ? never() : beyond(static_cast<std::size_t>(station), core.of[event]));
    }
  }
  std::size_t segments = 0;
  for (std::size_t station = 0; station < launches_.size(); ++station) {
    store(foresight_.arrivals_, from_arrival(station));
    store(foresight_.launches_, launches_[station]);
    store(foresight_.credits_, of_credit(launches_[station]));
    foresight_.first_tree_.push_back(foresight_.first_segment_.size());
    for (const auto& tree : plan_.stations()[station].trees) {
      foresight_.first_segment_.push_back(segments);
      segments += tree.segments();
    }
    for (const auto& times : segments_[station]) store(foresight_.segments_, beyond(station, times));
  }
  for (const auto& times : host_) store(foresight_.host_, times);
  store(foresight_.controllers_, host_[Foresight::issue]);
}

// ---- what can come from elsewhere
// ---------------------------------------------------------------------------------

void ForesightBuilder::find_arrivals() {
  const Visit enter = [this](const Flow& flow) { find_entries(flow); };
  for (std::size_t station = 0; station < launches_.size(); ++station) {
    const auto& plan = plan_.stations()[station];
    launched_by(station, enter);
    find_tree_entries(station);
    if (plan.attends && lies_in_one_region(station)) continue;
    for (std::size_t i = 0; i < plan.cores->size(); ++i) {
      outputs_of_tile(station, i, enter);
      sums_of_tile(station, i, enter);
    }
    if (!plan.attends) continue;
    for (const auto core : plan_.ring(plan.block)) outputs_of_head(station, core, enter);
  }
  sent_by_host(Cargo::activations, enter);
  sent_by_host(Cargo::credit, enter);
  lower(from_elsewhere_, host_[Foresight::issue]);  // through the controllers
  store(foresight_.from_elsewhere_, from_elsewhere_);
}

/// Each time that a packet's route comes into this region.
void ForesightBuilder::find_entries(const Flow& flow) {
  const auto& geometry = wafer_.geometry;
  const auto to = flow.to == host() ? wafer_.noc.host : geometry.coordinate(flow.to);
  auto at = geometry.coordinate(flow.from);
  bool here = is_here(flow.from);
  std::vector<Duration> least(columns_);
  const auto to_next_die = [](int& at_core, int to_core, int width) {  // or to the end, if that comes before
    at_core = to_core > at_core ? std::min(to_core, (at_core / width + 1) * width)
                                : std::max(to_core, at_core / width * width - 1);
  };
  while (at != to) {
    if (at.x != to.x) {
      to_next_die(at.x, to.x, geometry.core_columns);
    } else {
      to_next_die(at.y, to.y, geometry.core_rows);
    }
    const bool was_here = here;
    here = is_here(geometry.core_at(at));
    if (was_here || !here) continue;
    Message message{.kind = MessageKind::packet, .cargo = flow.cargo};
    message.at = geometry.core_at(at).value();
    message.target = flow.to.value();
    message.flits = static_cast<std::uint16_t>(flow.flits);
    foresight_.foresee(message, least);
    for (std::size_t i = 0; i < columns_; ++i) from_elsewhere_[i] = std::min(from_elsewhere_[i], least[i]);
  }
}

void ForesightBuilder::find_tree_entries(std::size_t station) {
  const auto rank_of = [&](const wafer::MulticastSegment& segment) {
    return foresight_.rank_of_die_[segment.die.value()];
  };
  auto times = segments_[station].begin();
  for (const auto& tree : plan_.stations()[station].trees) {
    for (std::uint32_t i = 0; i < tree.segments(); ++i) {
      if (rank_of(tree.segment(i)) == foresight_.rank_) continue;
      for (const auto& step : tree.segment(i).steps) {
        if (step.end != wafer::MulticastStep::End::crossing) continue;
        if (rank_of(tree.segment(step.target)) != foresight_.rank_) continue;
        lower(from_elsewhere_, beyond(station, times[step.target]));
      }
    }
    times += static_cast<std::ptrdiff_t>(tree.segments());
  }
}

}  // namespace ouro::llm
