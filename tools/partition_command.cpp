#include "tools/partition_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/error.hpp"
#include "partitions/read_partition.hpp"

namespace ouro::tools {
namespace {

using partitions::Candidate;
using partitions::Partition;

std::string name_of(const Candidate& candidate) {
  return candidate.runs == 1 ? candidate.method
                             : fmt::format("{}, runs = {}", candidate.method, candidate.runs);
}

/// A line for each row of dies, a rank for each die.
std::string draw(const Partition& partition, const wafer::Geometry& geometry) {
  const auto width = fmt::formatted_size("{}", *std::max_element(partition.begin(), partition.end()));
  std::string text;
  for (int die = 0; die < geometry.dies(); ++die) {
    const bool ends_row = (die + 1) % geometry.die_columns == 0;
    text += fmt::format("{:>{}}{}", partition[static_cast<std::size_t>(die)], width, ends_row ? '\n' : ' ');
  }
  return text;
}

struct Comparison {
  std::vector<Candidate> candidates;
  std::size_t chosen = 0;
};

/// What a run takes comes last if it is none of the plain methods.
Comparison compare(const engine::Config& config, const llm::Experiment& experiment, int ranks) {
  const auto chosen = partitions::read_partition(config, experiment, ranks);
  const auto load = partitions::read_load(config, experiment);
  Comparison comparison{partitions::candidates(experiment.wafer.geometry, load, ranks)};
  auto& all = comparison.candidates;
  const auto method = config.at("partition.method").as_string();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Candidate& candidate) {
    return candidate.method == method && candidate.partition == chosen;
  });
  comparison.chosen = static_cast<std::size_t>(found - all.begin());
  if (found == all.end()) {
    const auto runs = method == "pipeline" ? config.at("partition.runs").as_int() : 1;
    all.push_back({method, static_cast<int>(runs), chosen, partitions::CostModel{load}.predict(chosen)});
  }
  return comparison;
}

void print_table(const Comparison& comparison, const wafer::Geometry& geometry, int ranks) {
  fmt::print("{:<22} {:>8} {:>8} {:>10} {:>9} {:>9}\n", "method", "balance", "in time", "crossings",
             "distance", "speed-up");
  for (std::size_t i = 0; i < comparison.candidates.size(); ++i) {
    const auto& candidate = comparison.candidates[i];
    const auto& predicted = candidate.prediction;
    fmt::print("{:<22} {:>8.3f} {:>8.3f} {:>10.1f} {:>9.1f} {:>9.2f}{}\n", name_of(candidate),
               predicted.balance, predicted.balance_in_time, predicted.crossings, predicted.promise_distance,
               predicted.speed_up, i == comparison.chosen ? "  chosen" : "");
  }
  fmt::print(
      "\nbalance: work of the busiest rank over the mean, of all tokens, and of those that are under way at "
      "a "
      "time\ncrossings: packets a token over borders between ranks; distance: stations ahead before one that "
      "sends over a border\nspeed-up: expected of {} ranks with the window synchronizer\n\n{}",
      ranks, draw(comparison.candidates[comparison.chosen].partition, geometry));
}

void print_json(const Comparison& comparison, int ranks) {
  auto methods = nlohmann::json::array();
  for (const auto& candidate : comparison.candidates) {
    const auto& predicted = candidate.prediction;
    methods.push_back({{"method", candidate.method},
                       {"runs", candidate.runs},
                       {"balance", predicted.balance},
                       {"balance_in_time", predicted.balance_in_time},
                       {"crossings_packets_a_token", predicted.crossings},
                       {"promise_distance_stations", predicted.promise_distance},
                       {"cost_events_a_token", predicted.cost},
                       {"speed_up", predicted.speed_up},
                       {"rank_of_die", candidate.partition}});
  }
  const nlohmann::json whole{{"ranks", ranks}, {"chosen", comparison.chosen}, {"methods", methods}};
  fmt::print("{}\n", whole.dump(2));
}

}  // namespace

void partition(const PartitionArguments& arguments) {
  const auto config = load_configuration(arguments.configuration);
  const auto experiment = llm::read_experiment(config);
  const auto comparison = compare(config, *experiment, arguments.ranks);
  if (arguments.json) {
    print_json(comparison, arguments.ranks);
  } else {
    print_table(comparison, experiment->wafer.geometry, arguments.ranks);
  }
}

}  // namespace ouro::tools
