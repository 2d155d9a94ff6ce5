#include "tools/run_summary.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <array>
#include <string>

namespace ouro::tools {
namespace {

double ms(std::int64_t picoseconds) {
  return 1e-9 * static_cast<double>(picoseconds);
}

void print_latency(std::ostream& out, const char* name, const engine::Histogram& histogram) {
  if (histogram.count() == 0) {
    fmt::print(out, "{:<18} none\n", name);
    return;
  }
  fmt::print(out, "{:<18} p50 {:.4g} ms, p99 {:.4g} ms\n", name, ms(histogram.percentile(0.5)),
             ms(histogram.percentile(0.99)));
}

std::string limit(engine::Duration most) {
  return most == engine::Duration::max() ? "any" : fmt::format("{:.4g} ms", ms(most.count()));
}

void print_limits(std::ostream& out, const llm::ServingOptions& options, const llm::ServingTotals& totals,
                  double makespan) {
  const auto none = engine::Duration::max();
  if (options.ttft_limit == none && options.tpot_limit == none) return;
  const auto share = [&](std::int64_t requests) {
    return 100 * static_cast<double>(requests) / static_cast<double>(totals.requests_done);
  };
  fmt::print(out, "{:<18} TTFT {}: {:.4g} %, TPOT {}: {:.4g} %, both: {:.4g} %\n", "within limits",
             limit(options.ttft_limit), share(totals.within_ttft), limit(options.tpot_limit),
             share(totals.within_tpot), share(totals.within_both));
  fmt::print(out, "{:<18} {:.4g} requests/s, {:.4g} output tokens/s of requests within both\n", "goodput",
             static_cast<double>(totals.within_both) / makespan,
             static_cast<double>(totals.output_tokens_within_both) / makespan);
}

void print_energy(std::ostream& out, const llm::Experiment& experiment, const RunStatistics& statistics,
                  double tokens) {
  std::array<double, wafer::kComponentCount> parts{};
  double dynamic = 0;
  for (std::size_t i = 0; i < statistics.energy_femtojoules.size(); ++i) {
    const double joules = 1e-15 * static_cast<double>(statistics.energy_femtojoules[i]);
    parts[i % parts.size()] += joules;
    dynamic += joules;
  }
  const double idle = experiment.wafer.static_joules(statistics.makespan);
  fmt::print(out, "{:<18} {:.4g} mJ: static {:.4g}", "energy an output", 1e3 * (dynamic + idle) / tokens,
             1e3 * idle / tokens);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    fmt::print(out, ", {} {:.4g}", wafer::kComponents[i].name, 1e3 * parts[i] / tokens);
  }
  fmt::print(out, "\n");
}

double mean_core_use(const llm::Experiment& experiment, const RunStatistics& statistics) {
  return static_cast<double>(statistics.crossbars_busy_ps) /
         static_cast<double>(statistics.makespan.count()) / experiment.wafer.geometry.cores();
}

double mean_link_use(const llm::Experiment& experiment, const RunStatistics& statistics) {
  const auto& geometry = experiment.wafer.geometry;
  const double links =
      2.0 * ((geometry.columns() - 1.0) * geometry.rows() + (geometry.rows() - 1.0) * geometry.columns());
  const double busy =
      static_cast<double>(statistics.link_flits) * static_cast<double>(experiment.wafer.noc.cycle.count());
  return links == 0 ? 0 : busy / static_cast<double>(statistics.makespan.count()) / links;
}

}  // namespace

void print_summary(std::ostream& out, const llm::Experiment& experiment,
                   const llm::ServingController& controller, const RunStatistics& statistics,
                   double wall_seconds, int ranks) {
  const auto& totals = controller.totals();
  const double makespan = engine::seconds(statistics.makespan);
  const auto outputs = static_cast<double>(totals.output_tokens);
  const auto processed = static_cast<double>(totals.tokens_retired);
  if (experiment.workload.lengths == llm::LengthMode::trace)
    fmt::print(out, "{:<18} {}\n", "trace", llm::describe(experiment.summary.rows));
  fmt::print(out, "{:<18} {} requests, {} prompt and {} output tokens in {:.4g} ms of simulated time\n",
             "served", totals.requests_done, totals.prompt_tokens, totals.output_tokens, 1e3 * makespan);
  fmt::print(out, "{:<18} {:.4g} output tokens/s, {:.4g} prompt and output tokens/s\n", "throughput",
             outputs / makespan, (outputs + static_cast<double>(totals.prompt_tokens)) / makespan);
  print_latency(out, "TTFT", controller.time_to_first_token());
  print_latency(out, "TPOT", controller.time_per_output_token());
  print_limits(out, experiment.serving, totals, makespan);
  print_energy(out, experiment, statistics, outputs);
  fmt::print(out, "{:<18} cores {:.3g} %, links {:.3g} %\n", "mean use",
             100 * mean_core_use(experiment, statistics), 100 * mean_link_use(experiment, statistics));
  const auto& pages = controller.timelines().kv_pages_used.values();
  const auto most = pages.empty() ? 0 : *std::max_element(pages.begin(), pages.end());
  fmt::print(out, "{:<18} {:.3g} % of the pages at most, {} preemptions, {} tokens recomputed\n",
             "KV occupancy",
             100 * static_cast<double>(most) / static_cast<double>(controller.kv().pages_total()),
             totals.preemptions, totals.tokens_recomputed);
  if (experiment.serving.prefix_cache) {
    fmt::print(out, "{:<18} {} tokens of KV found, {} prompt tokens asked for\n", "prefix cache",
               totals.tokens_cached, totals.prompt_tokens);
  }
  const auto events = static_cast<double>(statistics.events_handled);
  fmt::print(out,
             "{:<18} {:.3g} s wall on {} ranks, {:.3g} M events/s, {:.0f} events a token, {:.0f} simulated "
             "tokens/s, {:.0f} MB a rank\n",
             "simulator", wall_seconds, ranks, events / wall_seconds / 1e6, events / processed,
             processed / wall_seconds, statistics.peak_memory_mb);
  fmt::print(out, "{:<18} {:016x}\n", "digest", statistics.verdict.digest);
}

}  // namespace ouro::tools
