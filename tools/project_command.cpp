#include "tools/project_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>

#include "engine/error.hpp"
#include "engine/recorded_region.hpp"
#include "engine/recording_file.hpp"
#include "engine/results_reader.hpp"
#include "engine/units.hpp"
#include "engine/virtual_cluster.hpp"
#include "llm/experiment.hpp"
#include "llm/foresight.hpp"
#include "llm/system.hpp"
#include "partitions/read_partition.hpp"
#include "tools/configuration.hpp"
#include "tools/run_settings.hpp"

namespace ouro::tools {
namespace {

using engine::InputError;
using engine::SynchronizationCost;

// What a message and a byte of it cost at both ends together, and a look at promises. Measured on 2 ranks of
// a 2-core virtual machine with jobs/llama13b.toml, 4 requests: messages of 38, 67 and 82 bytes on average
// took 0.21, 0.29 and 0.38 us. A run on several ranks gives its own figures; of the first two, it gives only
// what they come to together, and these say in which proportion.
constexpr double kMessageSeconds = 0.1e-6;
constexpr double kByteSeconds = 3e-9;
constexpr double kPromiseSeconds = 0.5e-6;

// ---- what the user says
// ------------------------------------------------------------------------------------

std::vector<int> parse_ranks(const std::string& text) {
  std::vector<int> all;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    int ranks = 0;
    const auto [rest, error] = std::from_chars(text.data() + begin, text.data() + end, ranks);
    if (error != std::errc{} || rest != text.data() + end || ranks < 1) {
      throw InputError{"--ranks",
                       fmt::format("'{}' is not a number of ranks", text.substr(begin, end - begin)),
                       "a list such as 1,2,4 is needed"};
    }
    all.push_back(ranks);
    begin = end + 1;
  }
  return all;
}

double parse_latency(const std::string& text) {
  return engine::seconds(
      engine::Duration{engine::parse_quantity("--latency", text, engine::duration_units())});
}

double parse_bandwidth(const std::string& text) {
  const auto units = engine::bandwidth_units();
  const double bytes_per_second = engine::parse_real_quantity("--bandwidth", text, units);
  if (bytes_per_second > 0) return bytes_per_second;
  throw InputError{"--bandwidth", fmt::format("'{}' carries nothing", text),
                   fmt::format("{} is needed", units.needed)};
}

engine::Config configuration_of(const engine::ResultsReader& result, const ProjectArguments& arguments) {
  for (const auto& assignment : arguments.assignments) {
    if (assignment.starts_with("partition.") || assignment.starts_with("engine.")) continue;
    throw InputError{"--set " + assignment, "what was simulated is recorded",
                     "sections partition and engine can be set"};
  }
  constexpr auto kPath = "/configuration/resolved_toml";
  auto assignments = arguments.assignments;
  if (!arguments.synchronizer.empty()) assignments.push_back("engine.synchronizer=" + arguments.synchronizer);
  if (!arguments.lookahead.empty()) assignments.push_back("engine.lookahead=" + arguments.lookahead);
  return make_configuration({result.name() + kPath, result.read_texts(kPath).at(0)}, assignments);
}

// ---- what the run measured
// ------------------------------------------------------------------------------------

template <class T>
T sum_of(const engine::ResultsReader& result, const std::string& name) {
  const auto values = result.read<T>("/engine/" + name);
  return std::accumulate(values.begin(), values.end(), T{});
}

double sum_of_counts(const engine::ResultsReader& result, const std::string& name) {
  return static_cast<double>(sum_of<std::uint64_t>(result, name));
}

struct Costs {
  engine::VirtualCosts virtual_costs;
  bool assumed = false;  ///< those of messages and promises: the run had none
};

Costs read_costs(const engine::ResultsReader& result, double latency_seconds, double bytes_per_second) {
  const double events = sum_of_counts(result, "events");
  const double windows = sum_of_counts(result, "windows");
  const double messages = sum_of_counts(result, "messages_sent");
  if (events == 0)
    throw InputError{result.name(), "is of a run without events", "there is nothing to predict"};
  const bool assumed = messages == 0 || windows == 0;
  const double expected = kMessageSeconds * messages + kByteSeconds * sum_of_counts(result, "bytes_sent");
  const double scale = assumed ? 1 : sum_of<double>(result, "packing_s") / expected;
  return {{.event_seconds = sum_of<double>(result, "events_s") / events,
           .promise_seconds = assumed ? kPromiseSeconds : sum_of<double>(result, "promising_s") / windows,
           .message_seconds = scale * kMessageSeconds / 2,
           .byte_seconds = scale * kByteSeconds / 2,
           .latency_seconds = latency_seconds,
           .bytes_per_second = bytes_per_second},
          assumed};
}

// ---- the replay
// ------------------------------------------------------------------------------------

/// What is the same for any number of ranks.
struct Replay {
  const llm::Experiment& experiment;
  const engine::Recording& recording;
  const engine::RecordedWays& ways;
  engine::SynchronizerKind synchronizer;
  engine::Lookahead lookahead;
  engine::VirtualCosts costs;
};

engine::VirtualRun run_replay(const Replay& replay, const partitions::Partition& partition, int ranks) {
  const auto placement = llm::place(replay.experiment, partition);
  std::vector<std::unique_ptr<engine::RecordedRegion>> regions;
  std::vector<engine::SynchronizedRegion*> pointers;
  for (int rank = 0; rank < ranks; ++rank) {
    regions.push_back(std::make_unique<engine::RecordedRegion>(rank, ranks, placement, replay.recording,
                                                               replay.ways, replay.lookahead));
    pointers.push_back(regions.back().get());
  }
  return engine::run_virtual_cluster(pointers, replay.synchronizer, replay.costs);
}

/// Of the whole run on one rank, a replicated LP's events counted once.
std::uint64_t events_of(const engine::Recording& recording) {
  std::uint64_t events = 0;
  for (const auto& work : recording.work) events += work.events;
  return events;
}

/// Where the time of all ranks together goes, but for the events of the run itself.
struct Loss {
  const char* name;
  double seconds;
};

double sum_over_ranks(const engine::VirtualRun& run, double SynchronizationCost::*part) {
  return std::accumulate(run.costs.begin(), run.costs.end(), 0.0,
                         [&](double sum, const SynchronizationCost& cost) { return sum + cost.*part; });
}

/// Largest first.
auto losses_of(const engine::VirtualRun& run, double alone_seconds) {
  const auto ranks = static_cast<double>(run.costs.size());
  const double events = sum_over_ranks(run, &SynchronizationCost::events_seconds);
  double busiest = 0;
  for (const auto& cost : run.costs) busiest = std::max(busiest, cost.events_seconds);
  const double imbalance = ranks * busiest - events;
  std::array losses{
      Loss{"load imbalance", imbalance},
      Loss{"waiting for other ranks", sum_over_ranks(run, &SynchronizationCost::waiting_seconds) - imbalance},
      Loss{"packing messages", sum_over_ranks(run, &SynchronizationCost::packing_seconds)},
      Loss{"finding promises", sum_over_ranks(run, &SynchronizationCost::promising_seconds)},
      Loss{"events that each rank repeats", events - alone_seconds}};
  std::sort(losses.begin(), losses.end(), [](const Loss& a, const Loss& b) { return a.seconds > b.seconds; });
  return losses;
}

/// The two largest, as shares of the time of all ranks.
std::string describe_losses(const engine::VirtualRun& run, double alone_seconds) {
  const auto losses = losses_of(run, alone_seconds);
  const double all = run.wall_seconds * static_cast<double>(run.costs.size());
  return fmt::format("{:.0f} % {}, {:.0f} % {}", 100 * losses[0].seconds / all, losses[0].name,
                     100 * losses[1].seconds / all, losses[1].name);
}

/// One line of the table.
struct Row {
  int ranks;
  double wall_seconds;
  double speed_up;
  double efficiency() const { return speed_up / ranks; }
};

/// @param alone  seconds of all events, each once
Row print_row(const engine::VirtualRun& run, double event_seconds, double alone) {
  const auto ranks = static_cast<int>(run.costs.size());
  const Row row{ranks, run.wall_seconds, alone / run.wall_seconds};
  std::uint64_t stretches = 0;
  for (const auto& cost : run.costs) stretches += cost.windows;
  const double events = sum_over_ranks(run, &SynchronizationCost::events_seconds) / event_seconds;
  fmt::print("{:5}  {:9.4g}  {:8.2f}  {:8.1f} %  {:17.4g}  {}\n", ranks, row.wall_seconds, row.speed_up,
             100 * row.efficiency(), events / static_cast<double>(stretches),
             ranks == 1 ? "none" : describe_losses(run, alone));
  std::fflush(stdout);  // the next row takes a while
  return row;
}

void print_head(const engine::ResultsReader& result, const Replay& replay, bool assumed) {
  const auto& each = replay.costs;
  const bool window = replay.synchronizer == engine::SynchronizerKind::window;
  const bool link = replay.lookahead == engine::Lookahead::link;
  fmt::print("{} replayed with engine.synchronizer = \"{}\", engine.lookahead = \"{}\"\n", result.name(),
             window ? "window" : "null-message", link ? "link" : "promises");
  fmt::print("measured in that run: {:.4g} ns an event\n", 1e9 * each.event_seconds);
  fmt::print(
      "{}: {:.3g} us a look at promises; {:.3g} us and {:.3g} ns a byte for a message, at either end\n",
      assumed ? "assumed, since that run had one rank and no messages" : "measured in that run",
      1e6 * each.promise_seconds, 1e6 * each.message_seconds, 1e9 * each.byte_seconds);
  fmt::print("of the cluster: {:.4g} us latency, {:.4g} GB/s\n\n", 1e6 * each.latency_seconds,
             1e-9 * each.bytes_per_second);
  fmt::print("{:>5}  {:>9}  {:>8}  {:>10}  {:>17}  {}\n", "ranks", "wall s", "speed-up", "efficiency",
             "events a stretch", "largest losses");
}

/// What the model cannot promise is not replayed as if it could. A recording knows anyway what waits, so
/// "held" is replayed as "promises".
engine::Lookahead lookahead_of(const llm::Experiment& experiment, engine::Lookahead wanted) {
  if (!llm::is_foreseen(*experiment.plan)) return engine::Lookahead::link;
  const auto usable = llm::usable_lookahead(experiment, wanted);
  return usable == engine::Lookahead::held ? engine::Lookahead::promises : usable;
}

void check_same_wafer(const engine::ResultsReader& result, const engine::Recording& recording,
                      const llm::Experiment& experiment) {
  const auto lps =
      llm::place(experiment, std::vector<int>(static_cast<std::size_t>(experiment.wafer.geometry.dies())))
          .size();
  if (recording.replicated.size() == lps) return;
  throw InputError{
      result.name(),
      fmt::format("has {} logical processes, its configuration {}", recording.replicated.size(), lps),
      "use the version that made it"};
}

}  // namespace

void project(const ProjectArguments& arguments) {
  const auto all_ranks = parse_ranks(arguments.ranks);
  const double latency = parse_latency(arguments.latency);
  const double bandwidth = parse_bandwidth(arguments.bandwidth);
  const engine::ResultsReader result{arguments.recording};
  const auto recording = engine::read_recording(result);
  const auto costs = read_costs(result, latency, bandwidth);
  const auto config = configuration_of(result, arguments);
  const auto settings = read_run_settings(config);
  const auto experiment = llm::read_experiment(config);
  check_same_wafer(result, recording, *experiment);
  std::vector<partitions::Partition> partitions;
  partitions.reserve(all_ranks.size());
  for (const int ranks : all_ranks)
    partitions.push_back(partitions::read_partition(config, *experiment, ranks));

  const engine::RecordedWays ways{recording};
  const Replay replay{*experiment,
                      recording,
                      ways,
                      settings.synchronizer,
                      lookahead_of(*experiment, settings.lookahead),
                      costs.virtual_costs};
  const double event_seconds = replay.costs.event_seconds;
  const double alone = event_seconds * static_cast<double>(events_of(recording));
  print_head(result, replay, costs.assumed);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < all_ranks.size(); ++i)
    rows.push_back(print_row(run_replay(replay, partitions[i], all_ranks[i]), event_seconds, alone));
  const auto best = *std::max_element(rows.begin(), rows.end(),
                                      [](const Row& a, const Row& b) { return a.speed_up < b.speed_up; });
  fmt::print("\nof these, {} {} the fastest: {:.4g} s, {:.2f} times as fast as one, at {:.1f} % efficiency\n",
             best.ranks, best.ranks == 1 ? "rank is" : "ranks are", best.wall_seconds, best.speed_up,
             100 * best.efficiency());
}

}  // namespace ouro::tools
