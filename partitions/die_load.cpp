#include "partitions/die_load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "engine/error.hpp"
#include "llm/core_work.hpp"
#include "llm/message.hpp"

namespace ouro::partitions {
namespace {

using llm::StationPlan;
using wafer::CoreId;
using wafer::MulticastStep;
using wafer::MulticastTree;

/// Counts what a token causes, station by station.
class LoadCounter {
 public:
  explicit LoadCounter(const llm::PipelinePlan& plan)
      : plan_{plan},
        geometry_{plan.wafer().geometry},
        host_die_{die_of(geometry_.core_at(plan.wafer().noc.host))} {
    load_.dies = geometry_.dies();
  }

  DieLoad count_packets() {
    for (std::size_t s = 0; s < plan_.stations().size(); ++s) {
      begin_stretch();
      const auto& station = plan_.stations()[s];
      count_home(s, station);
      count_trees(station);
      for (std::size_t tile = 0; tile < station.group->tiles.size(); ++tile) count_tile(s, station, tile);
      if (station.attends) count_attention(s, station);
    }
    count_host();
    return std::move(load_);
  }

  /// A token goes from home core to home core; credits come back.
  DieLoad count_tokens() {
    for (std::size_t s = 0; s < plan_.stations().size(); ++s) {
      begin_stretch();
      const int here = die_of(plan_.stations()[s].home);
      const int before = die_before(s);
      happen(here, 1);
      if (before == here) continue;
      travel(before, here, 1);  // it comes
      travel(here, before, 1);  // its credit goes back
    }
    return std::move(load_);
  }

 private:
  int die_of(CoreId core) const { return static_cast<int>(geometry_.die_of(core).value()); }

  /// Of what sends to a station.
  int die_before(std::size_t s) const {
    return plan_.stations()[s].begins_chain ? host_die_ : die_of(plan_.stations()[s - 1].home);
  }

  void begin_stretch() {
    load_.stretches.push_back({std::vector<double>(static_cast<std::size_t>(load_.dies)), {}});
  }

  void happen(int die, double times) {
    load_.stretches.back().events[static_cast<std::size_t>(die)] += times;
  }

  void cross(int from, int to, double times) {
    load_.stretches.back().packets[{std::min(from, to), std::max(from, to)}] += times;
    happen(to, times);
  }

  /// One event for each die that a packet enters, along x, then along y.
  void travel(int from, int to, double times) {
    const int columns = geometry_.die_columns;
    while (from != to) {
      const bool along_x = from % columns != to % columns;
      const int step = along_x ? (from % columns < to % columns ? 1 : -1) : (from < to ? columns : -columns);
      cross(from, from + step, times);
      from += step;
    }
  }

  /// How often a tile, or a tree, of a group works for a token.
  static double share_of(const llm::TiledGroup& group) {
    return group.experts > 0 ? static_cast<double>(group.active) / group.experts : 1;
  }

  /// The token is ready, and goes on; credits come back.
  void count_home(std::size_t s, const StationPlan& station) {
    const int home = die_of(station.home);
    const auto home_ahead = [&](int ahead) {
      return die_of(plan_.stations()[s + static_cast<std::size_t>(ahead)].home);
    };
    happen(home, 1);
    if (station.passes_on > 0) travel(home, home_ahead(1), 1);
    if (station.attends && station.latent > 0) {
      for (const auto& [die, part] : dies_of_ring(station.block)) travel(home, die, part);
    }
    if (station.residual_to > 0) travel(home, home_ahead(station.residual_to), 1);
    const int before = die_before(s);
    travel(home, before, 1);
    happen(before, 1);  // the credit itself
  }

  void count_trees(const StationPlan& station) {
    const double share = share_of(*station.group);
    for (const auto& tree : station.trees) {
      for (std::uint32_t i = 0; i < tree.segments(); ++i) count_segment(tree, i, share);
    }
  }

  void count_segment(const MulticastTree& tree, std::uint32_t index, double share) {
    const auto& segment = tree.segment(index);
    for (const auto& step : segment.steps) {
      if (step.end != MulticastStep::End::crossing && step.end != MulticastStep::End::wafer) continue;
      cross(static_cast<int>(segment.die.value()), static_cast<int>(tree.segment(step.target).die.value()),
            share);
    }
  }

  void count_tile(std::size_t s, const StationPlan& station, std::size_t index) {
    const auto& tile = station.group->tiles[index];
    const double share = share_of(*station.group);
    const int here = die_of((*station.cores)[index]);
    if (tile.partial_columns > 0) {
      if (!tile.partial_waits) happen(here, share);  // the end of its pass
      travel(here, die_of((*station.cores)[index + 1]), share);
    }
    if (!tile.slices.empty() || tile.partial_waits) {
      const bool has_work = llm::finishing_work(plan_.wafer().core, *station.group, tile).time.count() > 0;
      if (has_work && plan_.role((*station.cores)[index]).is_home()) happen(here, share);  // it needs the SFU
      happen(here, share);                                                                 // it is done
    }
    for (std::size_t slice = 0; slice < tile.slices.size(); ++slice) send_slice(s, station, here, share);
  }

  void send_slice(std::size_t s, const StationPlan& station, int from, double share) {
    if (station.is_lm_head) {
      travel(from, host_die_, share);
      happen(host_die_, share);
    } else if (station.attends) {  // announcements, a few beside the heads, are left out
      for (const auto& [die, part] : dies_of_ring(station.block)) travel(from, die, part * share);
    } else {
      travel(from, die_of(plan_.stations()[s + 1].home), share);
    }
  }

  /// Each head's output, from where it lies to the home core of O.
  void count_attention(std::size_t s, const StationPlan& station) {
    if (station.matrix == llm::Matrix::cross_kv) return;  // K and V are written, and nothing comes of them
    const int heads = plan_.kv_heads();
    for (const auto& [die, part] : dies_of_ring(station.block)) {
      happen(die, part * heads);
      travel(die, die_of(plan_.stations()[s + 1].home), part * heads);
    }
  }

  /// The shares of a block's KV cores that have room for a head.
  const std::map<int, double>& dies_of_ring(int block) {
    if (block != block_of_ring_) {
      block_of_ring_ = block;
      ring_.clear();
      const auto pages = plan_.pages_of_ring();
      const auto cores = std::count_if(pages.begin(), pages.end(), [](int held) { return held > 0; });
      for (std::size_t place = 0; place < pages.size(); ++place) {
        if (pages[place] > 0) ring_[die_of(plan_.ring(block)[place])] += 1.0 / static_cast<double>(cores);
      }
    }
    return ring_;
  }

  /// Its token is issued, looked up, and on its way to the first station; it is sampled at the end.
  void count_host() {
    load_.stretches.front().events[static_cast<std::size_t>(host_die_)] +=
        3;                 // issued, looked up, and the packet enters the wafer
    happen(host_die_, 2);  // sampled, and the credit for the LM head enters the wafer
    const auto of_last_home = die_of(plan_.stations().back().home);
    for (const auto& station : plan_.stations()) {
      if (station.begins_chain) travel(host_die_, die_of(station.home), 1);
    }
    travel(host_die_, of_last_home, 1);
    happen(of_last_home, 1);
  }

  const llm::PipelinePlan& plan_;
  const wafer::Geometry& geometry_;
  int host_die_;
  DieLoad load_;
  int block_of_ring_ = -1;
  std::map<int, double> ring_;
};

/// A sequence that decodes has one token under way, and stations hold one each where the pipeline is full.
double tokens_under_way(const llm::Experiment& experiment) {
  const auto most = std::min({static_cast<double>(experiment.summary.requests),
                              static_cast<double>(experiment.serving.max_running),
                              static_cast<double>(experiment.plan->stations().size())});
  return std::max(most, 1.0);
}

}  // namespace

std::vector<double> DieLoad::events_of_dies() const {
  std::vector<double> sums(static_cast<std::size_t>(dies), 0.0);
  for (const auto& stretch : stretches) {
    for (std::size_t die = 0; die < sums.size(); ++die) sums[die] += stretch.events[die];
  }
  return sums;
}

std::map<DieLoad::Border, double> DieLoad::packets() const {
  std::map<Border, double> sums;
  for (const auto& stretch : stretches) {
    for (const auto& [border, times] : stretch.packets) sums[border] += times;
  }
  return sums;
}

double DieLoad::events_of_token() const {
  const auto sums = events_of_dies();
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

DieLoad expected_load(const llm::Experiment& experiment) {
  LoadCounter counter{*experiment.plan};
  const bool packets = experiment.wafer.noc.fidelity != wafer::Fidelity::stage;
  auto load = packets ? counter.count_packets() : counter.count_tokens();
  load.tokens_under_way = tokens_under_way(experiment);
  return load;
}

DieLoad measured_load(DieLoad expected, const engine::ResultsReader& result) {
  const auto counts = result.read<std::uint64_t>("/engine/lp_events");
  const auto others = static_cast<std::size_t>(llm::kFirstDieLp);
  if (counts.size() != others + static_cast<std::size_t>(expected.dies)) {
    throw engine::InputError{
        result.name(),
        fmt::format("is of a wafer with {} dies", counts.size() - std::min(counts.size(), others)),
        fmt::format("a run on {} is needed", expected.dies)};
  }
  const double all = std::accumulate(counts.begin() + others, counts.end(), 0.0);
  if (all == 0)
    throw engine::InputError{result.name(), "is of a run without events", "another one is needed"};
  const double of_token = expected.events_of_token();
  const auto dies = expected.events_of_dies();
  for (std::size_t die = 0; die < dies.size(); ++die) {
    const double measured = of_token * static_cast<double>(counts[others + die]) / all;
    if (dies[die] == 0) {
      expected.stretches.front().events[die] = measured;
      continue;
    }
    for (auto& stretch : expected.stretches) stretch.events[die] *= measured / dies[die];
  }
  return expected;
}

}  // namespace ouro::partitions
