#include "tools/run_quantities.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tools/run_figures.hpp"

namespace ouro::tools {
namespace {

/// Grows by one quantity a call.
class List {
 public:
  void add(std::string name, std::string unit, std::optional<double> value) {
    quantities_.push_back({std::move(name), std::move(unit), value});
  }
  void count(std::string name, std::string unit, std::int64_t value) {
    add(std::move(name), std::move(unit), static_cast<double>(value));
  }
  std::vector<Quantity> take() { return std::move(quantities_); }

 private:
  std::vector<Quantity> quantities_;
};

void add_throughput(List& list, const llm::ServingTotals& totals, engine::Duration makespan) {
  const double seconds = engine::seconds(makespan);
  const auto outputs = static_cast<double>(totals.output_tokens);
  list.add("throughput", "output tokens/s", outputs / seconds);
  list.add("throughput, prompts included", "tokens/s",
           (outputs + static_cast<double>(totals.prompt_tokens)) / seconds);
  list.count("makespan", "ps", makespan.count());
}

void add_latency(List& list, const char* name, std::vector<double> picoseconds) {
  std::sort(picoseconds.begin(), picoseconds.end());
  for (const int percent : {50, 95, 99}) {
    std::optional<double> value;
    if (!picoseconds.empty()) value = percentile(picoseconds, 0.01 * percent);
    list.add(fmt::format("{} p{}", name, percent), "ps", value);
  }
}

void add_latencies(List& list, const std::vector<llm::RequestRecord>& requests) {
  std::vector<double> first, each;
  first.reserve(requests.size());
  each.reserve(requests.size());
  for (const auto& record : requests) {
    const auto outputs = record.request.output_tokens;
    if (outputs > 0)
      first.push_back(static_cast<double>((record.first_token - record.request.arrival).count()));
    if (outputs > 1)
      each.push_back(static_cast<double>((record.done - record.first_token).count()) / (outputs - 1));
  }
  add_latency(list, "TTFT", std::move(first));
  add_latency(list, "TPOT", std::move(each));
}

void add_serving(List& list, const llm::ServingController& controller) {
  const auto& totals = controller.totals();
  list.count("requests done", "1", totals.requests_done);
  list.count("prompt tokens", "token", totals.prompt_tokens);
  list.count("output tokens", "token", totals.output_tokens);
  list.count("tokens processed", "token", totals.tokens_retired);
  list.count("tokens recomputed", "token", totals.tokens_recomputed);
  list.count("preemptions", "1", totals.preemptions);
  const auto most = [](const engine::Timeline& line) {
    const auto& values = line.values();
    return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  };
  list.count("KV pages at most", "1", most(controller.timelines().kv_pages_used));
  list.count("KV tokens at most", "token", most(controller.timelines().kv_tokens_held));
}

void add_energy(List& list, const llm::Experiment& experiment, const RunStatistics& statistics) {
  for (std::size_t component = 0; component < wafer::kComponentCount; ++component) {
    std::int64_t counts = 0, femtojoules = 0;
    for (std::size_t i = component; i < statistics.energy_counts.size(); i += wafer::kComponentCount) {
      counts += statistics.energy_counts[i];
      femtojoules += statistics.energy_femtojoules[i];
    }
    const auto& info = wafer::kComponents[component];
    list.count(fmt::format("count {}", info.name), std::string{info.counted}, counts);
    list.count(fmt::format("energy {}", info.name), "fJ", femtojoules);
  }
  list.add("energy static", "J", experiment.wafer.static_power.joules(statistics.makespan));
}

void add_use(List& list, const RunStatistics& statistics) {
  for (std::size_t stage = 0; stage < llm::kStageCount; ++stage) {
    std::int64_t busy = 0;
    for (std::size_t i = stage; i < statistics.stage_busy.size(); i += llm::kStageCount)
      busy += statistics.stage_busy[i];
    list.count(fmt::format("busy {}", llm::kStageNames[stage]), "core-ps", busy);
  }
  list.count("packets", "1", statistics.traffic.packets_sent);
  list.count("flits", "flit", statistics.traffic.flits_sent);
}

}  // namespace

std::vector<Quantity> quantities_of(const llm::Experiment& experiment, llm::ServingController& controller,
                                    const RunStatistics& statistics) {
  List list;
  add_throughput(list, controller.totals(), statistics.makespan);
  add_latencies(list, controller.take_finished());
  add_serving(list, controller);
  add_energy(list, experiment, statistics);
  add_use(list, statistics);
  return list.take();
}

}  // namespace ouro::tools
