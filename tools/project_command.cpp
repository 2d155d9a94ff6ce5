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
#include "engine/results_reader.hpp"
#include "engine/units.hpp"
#include "engine/virtual_cluster.hpp"
#include "llm/experiment.hpp"
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

engine::VirtualRun replay(const llm::Experiment& experiment, const partitions::Partition& partition,
                          int ranks, const RunSettings& settings, const engine::VirtualCosts& costs) {
  std::vector<std::unique_ptr<llm::System>> systems;
  std::vector<engine::Region*> regions;
  for (int rank = 0; rank < ranks; ++rank) {
    systems.push_back(std::make_unique<llm::System>(experiment, rank, ranks, partition, settings.lookahead));
    regions.push_back(&systems.back()->region());
  }
  auto run = engine::run_virtual_cluster(regions, settings.synchronizer, costs);
  for (const auto& system : systems) system->check_finished();
  return run;
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
auto losses_of(const engine::VirtualRun& run, double event_seconds) {
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
      Loss{"events that each rank repeats",
           events - event_seconds * static_cast<double>(run.verdict.events)}};
  std::sort(losses.begin(), losses.end(), [](const Loss& a, const Loss& b) { return a.seconds > b.seconds; });
  return losses;
}

/// The two largest, as shares of the time of all ranks.
std::string describe_losses(const engine::VirtualRun& run, double event_seconds) {
  const auto losses = losses_of(run, event_seconds);
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

Row print_row(const engine::VirtualRun& run, double event_seconds) {
  const auto ranks = static_cast<int>(run.costs.size());
  const double alone = event_seconds * static_cast<double>(run.verdict.events);
  const Row row{ranks, run.wall_seconds, alone / run.wall_seconds};
  std::uint64_t stretches = 0;
  for (const auto& cost : run.costs) stretches += cost.windows;
  const double events = sum_over_ranks(run, &SynchronizationCost::events_seconds) / event_seconds;
  fmt::print("{:5}  {:9.4g}  {:8.2f}  {:8.1f} %  {:17.4g}  {}\n", ranks, row.wall_seconds, row.speed_up,
             100 * row.efficiency(), events / static_cast<double>(stretches),
             ranks == 1 ? "none" : describe_losses(run, event_seconds));
  std::fflush(stdout);  // the next row takes a while
  return row;
}

void print_head(const engine::ResultsReader& result, const llm::Experiment& experiment,
                const RunSettings& settings, const Costs& costs) {
  const auto& each = costs.virtual_costs;
  const bool window = settings.synchronizer == engine::SynchronizerKind::window;
  const bool link = llm::usable_lookahead(experiment, settings.lookahead) == engine::Lookahead::link;
  fmt::print("{} replayed with engine.synchronizer = \"{}\", engine.lookahead = \"{}\"\n", result.name(),
             window ? "window" : "null-message", link ? "link" : "promises");
  fmt::print("measured in that run: {:.4g} ns an event\n", 1e9 * each.event_seconds);
  fmt::print(
      "{}: {:.3g} us a look at promises; {:.3g} us and {:.3g} ns a byte for a message, at either end\n",
      costs.assumed ? "assumed, since that run had one rank and no messages" : "measured in that run",
      1e6 * each.promise_seconds, 1e6 * each.message_seconds, 1e9 * each.byte_seconds);
  fmt::print("of the cluster: {:.4g} us latency, {:.4g} GB/s\n\n", 1e6 * each.latency_seconds,
             1e-9 * each.bytes_per_second);
  fmt::print("{:>5}  {:>9}  {:>8}  {:>10}  {:>17}  {}\n", "ranks", "wall s", "speed-up", "efficiency",
             "events a stretch", "largest losses");
}

/// A replay that handles other events than the run did predicts another run.
void check_same_run(const engine::VirtualRun& run, const engine::ResultsReader& result, bool changed) {
  const auto* recorded = result.find_attribute("/", "digest");
  if (changed || !recorded) return;
  if (*recorded == engine::AttributeValue{fmt::format("{:016x}", run.verdict.digest)}) return;
  throw InputError{result.name(), "this program does not repeat the run that made it",
                   "use the version that made it, with the same model and trace files"};
}

}  // namespace

void project(const ProjectArguments& arguments) {
  const auto all_ranks = parse_ranks(arguments.ranks);
  const double latency = parse_latency(arguments.latency);
  const double bandwidth = parse_bandwidth(arguments.bandwidth);
  const engine::ResultsReader result{arguments.result};
  const auto costs = read_costs(result, latency, bandwidth);
  const auto config = configuration_of(result, arguments);
  const auto settings = read_run_settings(config);
  const auto experiment = llm::read_experiment(config);
  std::vector<partitions::Partition> partitions;
  partitions.reserve(all_ranks.size());
  for (const int ranks : all_ranks)
    partitions.push_back(partitions::read_partition(config, *experiment, ranks));

  print_head(result, *experiment, settings, costs);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < all_ranks.size(); ++i) {
    const auto run = replay(*experiment, partitions[i], all_ranks[i], settings, costs.virtual_costs);
    check_same_run(run, result, !arguments.assignments.empty());
    rows.push_back(print_row(run, costs.virtual_costs.event_seconds));
  }
  const auto best = *std::max_element(rows.begin(), rows.end(),
                                      [](const Row& a, const Row& b) { return a.speed_up < b.speed_up; });
  fmt::print("\nof these, {} {} the fastest: {:.4g} s, {:.2f} times as fast as one, at {:.1f} % efficiency\n",
             best.ranks, best.ranks == 1 ? "rank is" : "ranks are", best.wall_seconds, best.speed_up,
             100 * best.efficiency());
}

}  // namespace ouro::tools
