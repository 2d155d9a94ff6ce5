#include "tools/project_command.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
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
#include "tools/projection.hpp"
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

/// In seconds.
double parse_event_time(const std::string& text) {
  const auto units = engine::duration_units();
  const engine::Duration time{engine::parse_quantity("--event-time", text, units)};
  if (time > engine::Duration::zero()) return engine::seconds(time);
  throw InputError{"--event-time", fmt::format("'{}' is no time", text), "\"300 ns\" or the like"};
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

Costs read_costs(const engine::ResultsReader& result, const ProjectArguments& arguments) {
  const double events = sum_of_counts(result, "events");
  const double windows = sum_of_counts(result, "windows");
  const double messages = sum_of_counts(result, "messages_sent");
  if (events == 0)
    throw InputError{result.name(), "is of a run without events", "there is nothing to predict"};
  const bool assumed = messages == 0 || windows == 0;
  const double expected = kMessageSeconds * messages + kByteSeconds * sum_of_counts(result, "bytes_sent");
  const double scale = assumed ? 1 : sum_of<double>(result, "packing_s") / expected;
  const double measured = sum_of<double>(result, "events_s") / events;
  const bool is_stated = !arguments.event_time.empty();
  return {{.event_seconds = is_stated ? parse_event_time(arguments.event_time) : measured,
           .promise_seconds = assumed ? kPromiseSeconds : sum_of<double>(result, "promising_s") / windows,
           .message_seconds = scale * kMessageSeconds / 2,
           .byte_seconds = scale * kByteSeconds / 2,
           .latency_seconds = parse_latency(arguments.latency),
           .bytes_per_second = parse_bandwidth(arguments.bandwidth)},
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

std::string describe_stretch(const engine::RecordedStretch& stretch) {
  const auto milliseconds = [](engine::Time time) { return 1e3 * engine::seconds(time.time_since_epoch()); };
  const auto from = fmt::format("from {:.6g} ms", milliseconds(stretch.from));
  if (stretch.until == engine::kNever) return from + " on";
  return fmt::format("{} until {:.6g} ms", from, milliseconds(stretch.until));
}

void print_head(const engine::ResultsReader& result, const Replay& replay, bool assumed,
                bool event_time_is_stated) {
  const auto& each = replay.costs;
  const bool window = replay.synchronizer == engine::SynchronizerKind::window;
  const bool link = replay.lookahead == engine::Lookahead::link;
  fmt::print("{} replayed with engine.synchronizer = \"{}\", engine.lookahead = \"{}\"\n", result.name(),
             window ? "window" : "null-message", link ? "link" : "promises");
  if (!replay.recording.stretch.is_whole_run())
    fmt::print("of that run what was recorded, {}\n", describe_stretch(replay.recording.stretch));
  fmt::print("{}: {:.4g} ns an event\n", event_time_is_stated ? "stated" : "measured in that run",
             1e9 * each.event_seconds);
  fmt::print(
      "{}: {:.3g} us a look at promises; {:.3g} us and {:.3g} ns a byte for a message, at either end\n",
      assumed ? "assumed, since that run had one rank and no messages" : "measured in that run",
      1e6 * each.promise_seconds, 1e6 * each.message_seconds, 1e9 * each.byte_seconds);
  fmt::print("of the cluster: {:.4g} us latency, {:.4g} GB/s\n\n", 1e6 * each.latency_seconds,
             1e-9 * each.bytes_per_second);
  print_head_of_projections();
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
  const engine::ResultsReader result{arguments.recording};
  const auto recording = engine::read_recording(result);
  const auto costs = read_costs(result, arguments);
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
  print_head(result, replay, costs.assumed, !arguments.event_time.empty());
  std::vector<Projection> projections;
  for (std::size_t i = 0; i < all_ranks.size(); ++i) {
    const auto run = run_replay(replay, partitions[i], all_ranks[i]);
    print_row(projections.emplace_back(make_projection(run, event_seconds, alone)));
  }
  print_conclusions(projections);
}

}  // namespace ouro::tools
