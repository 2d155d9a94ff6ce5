#include "tools/run_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <stdexcept>

#include "engine/error.hpp"
#include "tools/bottleneck.hpp"
#include "tools/noc_file.hpp"

namespace ouro::tools {

using engine::ResultsReader;

namespace {

using Column = std::vector<std::int64_t>;

constexpr double kMsPerPs = 1e-9;

double sum(const Column& values) {
  return static_cast<double>(std::accumulate(values.begin(), values.end(), std::int64_t{0}));
}

/// minuend - subtrahend of each row, in ms, sorted.
std::vector<double> sorted_differences(const Column& minuend, const Column& subtrahend) {
  std::vector<double> values(minuend.size());
  std::transform(minuend.begin(), minuend.end(), subtrahend.begin(), values.begin(),
                 [](auto a, auto b) { return kMsPerPs * static_cast<double>(a - b); });
  std::sort(values.begin(), values.end());
  return values;
}

void add_latency(Figures& figures, const std::string& name, const std::vector<double>& sorted) {
  if (sorted.empty()) return;
  const double total = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  figures.add(name + "_mean_ms", total / static_cast<double>(sorted.size()));
  for (const int percent : {50, 90, 95, 99})
    figures.add(fmt::format("{}_p{}_ms", name, percent), percentile(sorted, 0.01 * percent));
  figures.add(name + "_max_ms", sorted.back());
}

void add_requests(Figures& figures, const ResultsReader& run) {
  const auto integer = [&](const char* name) {
    return run.read<std::int64_t>(fmt::format("/requests/{}", name));
  };
  const auto total = [](const Column& values) {
    return std::accumulate(values.begin(), values.end(), std::int64_t{0});
  };
  const auto prompts = integer("prompt_tokens");
  figures.add("requests_done", static_cast<std::int64_t>(prompts.size()));
  figures.add("prompt_tokens", total(prompts));
  figures.add("output_tokens", total(integer("output_tokens")));
  figures.add("preemptions", total(integer("preemptions")));
  figures.add("recomputed_tokens", total(integer("recomputed_tokens")));
  figures.add("cached_tokens", total(integer("cached_tokens")));
}

/// Rows of the workload, and of them those that were left out or changed.
void add_workload(Figures& figures, const ResultsReader& run) {
  for (const auto* name : {"rows", "rows_without_tokens", "rows_out_of_order", "rows_over_context",
                           "rows_delayed", "rows_truncated"}) {
    figures.add(fmt::format("workload_{}", name),
                run.read<std::int64_t>(fmt::format("/workload/{}", name)).at(0));
  }
}

void add_latencies(Figures& figures, const ResultsReader& run) {
  const auto latencies = read_latencies(run);
  add_latency(figures, "ttft", latencies.time_to_first_token);
  add_latency(figures, "tpot", latencies.time_per_output_token);
  add_latency(figures, "latency", latencies.whole);
  add_latency(figures, "queued", latencies.queued);
}

void add_throughput(Figures& figures, double makespan) {
  const double outputs = figures.number("output_tokens");
  figures.add("output_tokens_per_s", outputs / makespan);
  figures.add("prompt_and_output_tokens_per_s", (outputs + figures.number("prompt_tokens")) / makespan);
  figures.add("requests_per_s", figures.number("requests_done") / makespan);
}

/// Which part of the requests kept the limits, if there are any.
void add_limits(Figures& figures, const ResultsReader& run, double makespan) {
  const auto read = [&](const char* name) {
    return run.read<std::int64_t>(fmt::format("/limits/{}", name)).at(0);
  };
  const auto add_limit = [&](const char* name) {
    const auto limit = read(fmt::format("{}_ps", name).c_str());
    if (limit >= 0) figures.add(fmt::format("{}_limit_ms", name), kMsPerPs * static_cast<double>(limit));
  };
  add_limit("ttft");
  add_limit("tpot");
  if (!figures.find("ttft_limit_ms") && !figures.find("tpot_limit_ms")) return;
  for (const auto* which : {"ttft", "tpot", "both"}) {
    const auto within = read(fmt::format("requests_within_{}", which).c_str());
    figures.add(fmt::format("requests_within_{}_percent", which),
                100 * static_cast<double>(within) / figures.number("requests_done"));
  }
  figures.add("goodput_requests_per_s", static_cast<double>(read("requests_within_both")) / makespan);
  figures.add("goodput_output_tokens_per_s",
              static_cast<double>(read("output_tokens_within_both")) / makespan);
}

void add_energy(Figures& figures, const ResultsReader& run, double makespan) {
  const auto names = run.read_texts("/energy/component_names");
  const auto femtojoules = run.read<std::int64_t>("/energy/dynamic_fj");
  const double idle = run.read<double>("/energy/static_j").at(0);
  std::vector<double> parts(names.size());
  for (std::size_t i = 0; i < femtojoules.size(); ++i)
    parts[i % parts.size()] += 1e-15 * static_cast<double>(femtojoules[i]);
  const double dynamic = std::accumulate(parts.begin(), parts.end(), 0.0);
  const bool generates = figures.number("output_tokens") > 0;
  const auto* of = generates ? "output" : "prompt";
  const double tokens = figures.number(fmt::format("{}_tokens", of));
  figures.add(fmt::format("energy_per_{}_token_mj", of), 1e3 * (idle + dynamic) / tokens);
  figures.add(fmt::format("energy_static_per_{}_token_mj", of), 1e3 * idle / tokens);
  const auto idle_names = run.read_texts("/energy/static_component_names");
  const auto idle_parts = run.read<double>("/energy/static_component_j");
  for (std::size_t i = 0; i < idle_names.size(); ++i)
    figures.add(fmt::format("static_energy_{}_per_{}_token_mj", idle_names[i], of),
                1e3 * idle_parts[i] / tokens);
  for (std::size_t i = 0; i < parts.size(); ++i)
    figures.add(fmt::format("energy_{}_per_{}_token_mj", names[i], of), 1e3 * parts[i] / tokens);
  figures.add("static_energy_j", idle);
  figures.add("dynamic_energy_j", dynamic);
  figures.add("mean_power_w", (idle + dynamic) / makespan);
}

/// Links between routers of a wafer take a flit a cycle; hops are counted in bits.
void add_use(Figures& figures, const ResultsReader& run, double makespan_ps) {
  const auto columns = static_cast<double>(run.attribute("/cores", "columns"));
  const auto rows = static_cast<double>(run.attribute("/cores", "rows"));
  const double cores = columns * rows;
  const double busy = sum(run.read<std::int64_t>("/stages/busy_core_ps"));
  figures.add("mean_core_use_percent", 100 * busy / makespan_ps / cores);

  const auto wafers = static_cast<double>(run.attribute("/cores", "wafers"));
  const double links = 2 * ((columns - 1) * rows + (rows - wafers) * columns);
  if (links == 0) return;
  const auto names = run.read_texts("/energy/component_names");
  const auto counts = run.read<std::int64_t>("/energy/counts");
  const auto hop = static_cast<std::size_t>(std::find(names.begin(), names.end(), "hop") - names.begin());
  double bits = 0;
  for (std::size_t i = hop; i < counts.size(); i += names.size()) bits += static_cast<double>(counts[i]);
  const double flits = bits / static_cast<double>(run.attribute("/cores", "flit_bits"));
  const auto cycle = static_cast<double>(run.attribute("/cores", "cycle_ps"));
  figures.add("mean_link_use_percent", 100 * flits * cycle / makespan_ps / links);
}

/// Of all home cores: what they are doing, and what lies in their buffers.
void add_stations(Figures& figures, const ResultsReader& run, double makespan_ps) {
  const auto states = run.read_texts("/stages/state_names");
  const auto times = run.read<std::int64_t>("/stages/home_state_ps");
  const auto bytes = run.read<std::int64_t>("/stages/home_token_bytes");
  const auto peak = run.read<std::int64_t>("/stages/home_tokens_peak");
  const auto held = run.read<std::int64_t>("/stages/home_tokens_held_ps");
  const auto stations = static_cast<double>(bytes.size());
  for (std::size_t state = 0; state < states.size(); ++state) {
    double time = 0;
    for (std::size_t i = state; i < times.size(); i += states.size()) time += static_cast<double>(times[i]);
    figures.add(fmt::format("station_{}_percent", states[state]), 100 * time / stations / makespan_ps);
  }
  double most = 0, mean = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    most += static_cast<double>(peak[i]) * static_cast<double>(bytes[i]);
    mean += static_cast<double>(held[i]) * static_cast<double>(bytes[i]);
  }
  figures.add("activation_peak_mb", 1e-6 * most);
  figures.add("activation_mean_mb", 1e-6 * mean / makespan_ps);
}

void add_kv(Figures& figures, const ResultsReader& run) {
  const auto used = run.read<std::int64_t>("/kv/pages_used");
  const auto most = used.empty() ? 0 : *std::max_element(used.begin(), used.end());
  const auto total = run.attribute("/kv", "pages_total");
  figures.add("kv_pages_peak_percent", 100 * static_cast<double>(most) / static_cast<double>(total));
  const auto queries = run.attribute("/kv", "query_bytes_peak_of_core");
  if (queries > 0) figures.add("query_bytes_peak_of_core", queries);
}

/// Stretches of the run from a failure until what was lost was made up for.
struct Disturbed {
  double seconds = 0;
  double outputs = 0;
};

/// Failures that came before the last one was made up for disturb together.
Disturbed read_disturbed(const ResultsReader& run, const Column& stopped, double end_ps, double outputs) {
  const auto read = [&](const char* name) {
    return run.read<std::int64_t>(fmt::format("/failures/{}", name));
  };
  const auto effect = read("effect"), recovered = read("recovered_ps"), before = read("outputs_before"),
             after = read("outputs_recovered");
  Disturbed disturbed;
  double until = -1, outputs_until = 0;
  for (std::size_t i = 0; i < stopped.size(); ++i) {
    if (effect[i] == 0) continue;
    const double from = std::max(until, static_cast<double>(stopped[i]));
    const double outputs_from = std::max(outputs_until, static_cast<double>(before[i]));
    const bool ended = recovered[i] < 0;
    until = std::max(until, ended ? end_ps : static_cast<double>(recovered[i]));
    outputs_until = std::max(outputs_until, ended ? outputs : static_cast<double>(after[i]));
    disturbed.seconds += 1e-12 * std::max(until - from, 0.0);
    disturbed.outputs += std::max(outputs_until - outputs_from, 0.0);
  }
  return disturbed;
}

void add_failures(Figures& figures, const ResultsReader& run, double makespan) {
  if (!run.find("/failures/kind")) return;
  const auto read = [&](const char* name) {
    return run.read<std::int64_t>(fmt::format("/failures/{}", name));
  };
  const auto effect = read("effect"), stopped = read("stopped_ps"), resumed = read("resumed_ps");
  const auto names = run.read_texts("/failures/effect_names");
  figures.add("failures", static_cast<std::int64_t>(effect.size()));
  for (std::size_t i = 0; i < names.size(); ++i) {
    figures.add(fmt::format("failures_{}", names[i]),
                std::count(effect.begin(), effect.end(), static_cast<std::int64_t>(i)));
  }
  double longest = 0, all = 0;
  for (std::size_t i = 0; i < effect.size(); ++i) {
    if (resumed[i] < 0) continue;
    const double remap = kMsPerPs * static_cast<double>(resumed[i] - read("failed_ps")[i]);
    longest = std::max(longest, remap);
    all += remap;
  }
  figures.add("remap_longest_ms", longest);
  figures.add("remap_total_ms", all);
  for (const auto* name : {"cores_moved", "tokens_discarded", "sequences_lost", "tokens_lost"})
    figures.add(fmt::format("failures_{}", name), static_cast<std::int64_t>(sum(read(name))));
  figures.add("requests_unserved", run.attribute("/failures", "requests_unserved"));
  if (run.attribute("/failures", "halted") != 0) {
    const auto* reason = run.find_attribute("/failures", "halt_reason");
    figures.add("halt_reason", std::get<std::string>(*reason));
  }

  const auto first = std::find_if(effect.begin(), effect.end(), [](auto e) { return e != 0; });
  if (first == effect.end()) return;
  const auto index = static_cast<std::size_t>(first - effect.begin());
  const double end = static_cast<double>(run.attribute("/", "reached_ps"));
  const double before_seconds = makespan - 1e-12 * (end - static_cast<double>(stopped[index]));
  const auto before_outputs = static_cast<double>(read("outputs_before")[index]);
  const auto outputs = static_cast<double>(run.attribute("/", "output_tokens"));
  const auto disturbed = read_disturbed(run, stopped, end, outputs);
  const auto add_rate = [&](const char* name, double tokens, double seconds) {
    if (seconds > 0) figures.add(fmt::format("output_tokens_per_s_{}", name), tokens / seconds);
  };
  add_rate("before_failures", before_outputs, before_seconds);
  add_rate("disturbed", disturbed.outputs, disturbed.seconds);
  add_rate("after_failures", outputs - before_outputs - disturbed.outputs,
           makespan - before_seconds - disturbed.seconds);
}

void add_simulator(Figures& figures, const ResultsReader& run) {
  const auto* wall = run.find_attribute("/engine", "wall_s");
  const double seconds = wall ? std::get<double>(*wall) : 0;
  const auto events = run.read<std::uint64_t>("/engine/events");
  const auto handled = static_cast<double>(std::accumulate(events.begin(), events.end(), std::uint64_t{0}));
  const auto memory = run.read<double>("/engine/peak_memory_mb");
  const auto processed = static_cast<double>(run.attribute("/engine", "tokens_processed"));
  const auto add = [&](const char* key, auto value) { figures.add(key, value, Figure::Of::simulator); };
  add("ranks", run.attribute("/engine", "ranks"));
  add("wall_s", seconds);
  add("events_per_wall_s", handled / seconds);
  add("events_per_token", handled / processed);
  add("simulated_tokens_per_wall_s", processed / seconds);
  add("peak_memory_of_a_rank_mb", *std::max_element(memory.begin(), memory.end()));
}

std::string text(const ResultsReader& run, const char* name) {
  const auto* value = run.find_attribute("/", name);
  const auto* held = value ? std::get_if<std::string>(value) : nullptr;
  return held ? *held : "";
}

}  // namespace

const Figure* Figures::find(const std::string& key) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const Figure& f) { return f.key == key; });
  return found == all_.end() ? nullptr : &*found;
}

double Figures::number(const std::string& key) const {
  const auto* figure = find(key);
  if (figure) {
    if (const auto* integer = std::get_if<std::int64_t>(&figure->value)) return static_cast<double>(*integer);
    if (const auto* real = std::get_if<double>(&figure->value)) return *real;
  }
  throw std::out_of_range{fmt::format("no number '{}' among the figures", key)};
}

double percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Latencies read_latencies(const ResultsReader& run) {
  const auto arrival = run.read<std::int64_t>("/requests/arrival_ps");
  const auto first = run.read<std::int64_t>("/requests/first_token_ps");
  const auto done = run.read<std::int64_t>("/requests/done_ps");
  const auto outputs = run.read<std::int64_t>("/requests/output_tokens");
  Latencies latencies{.queued = sorted_differences(run.read<std::int64_t>("/requests/admitted_ps"), arrival),
                      .time_to_first_token = {},
                      .time_per_output_token = {},
                      .whole = sorted_differences(done, arrival)};
  auto& each = latencies.time_per_output_token;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] > 0)
      latencies.time_to_first_token.push_back(kMsPerPs * static_cast<double>(first[i] - arrival[i]));
    if (outputs[i] < 2) continue;
    each.push_back(kMsPerPs * static_cast<double>(done[i] - first[i]) / static_cast<double>(outputs[i] - 1));
  }
  std::sort(each.begin(), each.end());
  std::sort(latencies.time_to_first_token.begin(), latencies.time_to_first_token.end());
  return latencies;
}

void check_is_run(const ResultsReader& file) {
  if (file.find_attribute("/", "complete") && file.find("/configuration/resolved_toml")) return;
  throw engine::InputError{
      file.name(),
      is_network(file) ? "is of the network alone, without a model" : "is not of a run of a model",
      "a result of `ouroboros run` is needed"};
}

bool is_complete(const ResultsReader& run) {
  return run.attribute("/", "complete") == 1;
}

Figures read_figures(const ResultsReader& run) {
  if (is_network(run)) return read_network_figures(run);
  check_is_run(run);
  Figures figures;
  figures.add("complete", run.attribute("/", "complete"));
  figures.add("reached_ms", kMsPerPs * static_cast<double>(run.attribute("/", "reached_ps")));
  figures.add("tokens_processed", run.attribute("/", "tokens_processed"));
  add_workload(figures, run);
  if (run.find("/requests/index")) {
    add_requests(figures, run);
    add_latencies(figures, run);
  }
  if (is_complete(run)) {
    const auto makespan_ps = static_cast<double>(run.attribute("/", "makespan_ps"));
    figures.add("makespan_ms", kMsPerPs * makespan_ps);
    add_throughput(figures, 1e-12 * makespan_ps);
    add_limits(figures, run, 1e-12 * makespan_ps);
    add_energy(figures, run, 1e-12 * makespan_ps);
    add_use(figures, run, makespan_ps);
    add_stations(figures, run, makespan_ps);
    add_kv(figures, run);
    add_failures(figures, run, 1e-12 * makespan_ps);
    figures.add("bottleneck", find_bottleneck(run));
    add_simulator(figures, run);
    figures.add("digest", text(run, "digest"), Figure::Of::simulator);
  }
  figures.add("code_version", text(run, "code_version"), Figure::Of::simulator);
  return figures;
}

}  // namespace ouro::tools
