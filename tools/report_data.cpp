#include "tools/report_data.hpp"

#include <algorithm>

#include "tools/noc_file.hpp"
#include "tools/passages.hpp"
#include "tools/run_figures.hpp"

namespace ouro::tools {
namespace {

using engine::ElementType;
using engine::ResultsReader;
using nlohmann::ordered_json;

constexpr auto kConfiguration = "/configuration/resolved_toml";
constexpr const char* kGrowing[] = {"/requests/", "/tokens/", "/passages/", "/packets/"};
constexpr int kPercentileSteps = 200;  // of half a percent

ordered_json values_of(const ResultsReader& run, const engine::DatasetInfo& dataset) {
  switch (dataset.type) {
    case ElementType::text:
      return run.read_texts(dataset.path);
    case ElementType::real64:
      return run.read<double>(dataset.path);
    case ElementType::uint8:
    case ElementType::int32:
    case ElementType::uint32:
    case ElementType::int64:
    case ElementType::uint64:
      break;
  }
  return run.read<std::int64_t>(dataset.path);
}

/// Whether its length is that of the workload.
bool grows(const engine::DatasetInfo& dataset) {
  return std::any_of(std::begin(kGrowing), std::end(kGrowing),
                     [&](const char* group) { return dataset.path.starts_with(group); });
}

ordered_json tables(const ResultsReader& run) {
  ordered_json all = ordered_json::object();
  for (const auto& dataset : run.datasets()) {
    if (grows(dataset) || dataset.path == kConfiguration) continue;
    all[dataset.path] = {{"unit", dataset.unit},
                         {"meaning", dataset.meaning},
                         {"shape", dataset.shape},
                         {"values", values_of(run, dataset)}};
  }
  return all;
}

/// Every dataset, also those whose values are left out.
ordered_json datasets(const ResultsReader& run) {
  ordered_json all = ordered_json::array();
  for (const auto& dataset : run.datasets()) {
    all.push_back({{"path", dataset.path},
                   {"shape", dataset.shape},
                   {"unit", dataset.unit},
                   {"meaning", dataset.meaning}});
  }
  return all;
}

/// Means over the recorded tokens, by station, in ns: from the station before to the last part, what the home
/// core does, and waiting. Tokens that have not passed all stations are left out.
ordered_json passages(const ResultsReader& run) {
  const auto all = read_passages(run);
  std::size_t stations = 0;
  for (const auto& at : all) stations = std::max(stations, static_cast<std::size_t>(at.station) + 1);
  std::vector<double> way(stations), work(stations), wait(stations);
  std::size_t tokens = 0;
  for (auto first = all.begin(); first != all.end();) {
    const auto end =
        std::find_if(first, all.end(), [&](const Passage& at) { return at.number != first->number; });
    if (static_cast<std::size_t>(end - first) == stations) {
      ++tokens;
      for (auto at = first; at != end; ++at) {
        const auto station = static_cast<std::size_t>(at->station);
        way[station] += 1e-3 * static_cast<double>(at->gathered - at->begin);
        work[station] += 1e-3 * static_cast<double>(at->ready - at->gathered);
        wait[station] += 1e-3 * static_cast<double>(at->launched - at->ready);
      }
    }
    first = end;
  }
  for (auto* part : {&way, &work, &wait}) {
    for (auto& value : *part) value /= static_cast<double>(std::max<std::size_t>(tokens, 1));
  }
  return {{"tokens", tokens}, {"way_ns", way}, {"work_ns", work}, {"wait_ns", wait}};
}

ordered_json attributes(const ResultsReader& run) {
  ordered_json all = ordered_json::object();
  for (const auto& [group, of_group] : run.attributes()) {
    for (const auto& [name, value] : of_group)
      std::visit([&, &path = group, &key = name](const auto& held) { all[path][key] = held; }, value);
  }
  return all;
}

ordered_json percentiles(const std::vector<double>& sorted) {
  ordered_json all = ordered_json::array();
  if (sorted.empty()) return all;
  for (int step = 0; step <= kPercentileSteps; ++step)
    all.push_back(percentile(sorted, static_cast<double>(step) / kPercentileSteps));
  return all;
}

ordered_json latencies(const ResultsReader& run) {
  if (!run.find("/requests/index")) return ordered_json::object();
  const auto all = read_latencies(run);
  return {{"ttft", percentiles(all.time_to_first_token)},
          {"tpot", percentiles(all.time_per_output_token)},
          {"latency", percentiles(all.whole)},
          {"queued", percentiles(all.queued)}};
}

ordered_json figures(const ResultsReader& run) {
  const auto of_run = read_figures(run);
  ordered_json all;
  for (const auto& figure : of_run.all())
    std::visit([&](const auto& value) { all[figure.key] = value; }, figure.value);
  return all;
}

}  // namespace

ordered_json report_data(const ResultsReader& run) {
  ordered_json data;
  data["name"] = run.name();
  data["kind"] = is_network(run) ? "network" : "run";
  data["figures"] = figures(run);
  data["attributes"] = attributes(run);
  data["configuration"] = run.read_texts(kConfiguration).at(0);
  data["latencies_ms"] = latencies(run);
  data["passages"] = passages(run);
  data["datasets"] = datasets(run);
  data["tables"] = tables(run);
  return data;
}

}  // namespace ouro::tools
