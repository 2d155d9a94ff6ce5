#include "tools/run_summary.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "llm/request.hpp"

namespace ouro::tools {
namespace {

/// Lines with a name and what is said of it.
class Lines {
 public:
  Lines(std::ostream& out, const Figures& figures) : out_{out}, figures_{figures} {}

  template <class... Values>
  void print(std::string_view name, fmt::format_string<Values...> format, Values&&... values) {
    fmt::print(out_, "{:<18} {}\n", name, fmt::format(format, std::forward<Values>(values)...));
  }
  double number(const std::string& key) const { return figures_.number(key); }
  std::string text(const std::string& key) const { return std::get<std::string>(figures_.find(key)->value); }
  bool has(const std::string& key) const { return figures_.find(key); }

  void print_latency(std::string_view name, const std::string& key) {
    if (has(key + "_p50_ms")) {
      print(name, "p50 {:.4g} ms, p99 {:.4g} ms", number(key + "_p50_ms"), number(key + "_p99_ms"));
    } else {
      print(name, "none");
    }
  }

  void print_workload() {
    const auto rows = [&](const char* which) {
      return static_cast<std::uint64_t>(number(fmt::format("workload_rows{}", which)));
    };
    print("workload", "{}",
          llm::describe({.read = rows(""),
                         .without_tokens = rows("_without_tokens"),
                         .out_of_order = rows("_out_of_order"),
                         .over_context = rows("_over_context"),
                         .delayed = rows("_delayed"),
                         .truncated = rows("_truncated")}));
  }

  void print_requests() {
    if (!has("requests_done")) return print("served", "no request ended");
    print("served", "{:.0f} requests, {:.0f} prompt and {:.0f} output tokens in {:.4g} ms of simulated time",
          number("requests_done"), number("prompt_tokens"), number("output_tokens"),
          number(has("makespan_ms") ? "makespan_ms" : "reached_ms"));
    if (has("output_tokens_per_s")) {
      print("throughput", "{:.4g} output tokens/s, {:.4g} prompt and output tokens/s",
            number("output_tokens_per_s"), number("prompt_and_output_tokens_per_s"));
    }
    print_latency("TTFT", "ttft");
    print_latency("TPOT", "tpot");
    print_latency("latency", "latency");
  }

  void print_limits() {
    if (!has("goodput_requests_per_s")) return;
    const auto limit = [&](const std::string& key) {
      return has(key) ? fmt::format("{:.4g} ms", number(key)) : "any";
    };
    print("within limits", "TTFT {}: {:.4g} %, TPOT {}: {:.4g} %, both: {:.4g} %", limit("ttft_limit_ms"),
          number("requests_within_ttft_percent"), limit("tpot_limit_ms"),
          number("requests_within_tpot_percent"), number("requests_within_both_percent"));
    print("goodput", "{:.4g} requests/s, {:.4g} output tokens/s of requests within both",
          number("goodput_requests_per_s"), number("goodput_output_tokens_per_s"));
  }

  void print_energy() {
    const bool generates = has("energy_per_output_token_mj");
    constexpr std::string_view kBegin = "energy_";
    const std::string_view end = generates ? "_per_output_token_mj" : "_per_prompt_token_mj";
    std::string parts;
    for (const auto& figure : figures_.all()) {
      const auto& key = figure.key;
      if (!key.starts_with(kBegin) || !key.ends_with(end) || key.size() <= kBegin.size() + end.size() - 1)
        continue;
      const auto name = key.substr(kBegin.size(), key.size() - kBegin.size() - end.size());
      parts += fmt::format("{} {} {:.4g}", parts.empty() ? ":" : ",", name, number(key));
    }
    print(generates ? "energy an output" : "energy a token", "{:.4g} mJ{}",
          number(fmt::format("energy{}", end)), parts);
    print("mean power", "{:.4g} W", number("mean_power_w"));
  }

  void print_use() {
    std::string links;
    if (has("mean_link_use_percent"))
      links = fmt::format(", links {:.3g} %", number("mean_link_use_percent"));
    print("mean use", "cores {:.3g} %{}", number("mean_core_use_percent"), links);
    print("KV occupancy", "{:.3g} % of the pages at most, {:.0f} preemptions, {:.0f} tokens recomputed",
          number("kv_pages_peak_percent"), number("preemptions"), number("recomputed_tokens"));
    if (has("query_bytes_peak_of_core"))
      print("queries held", "{:.0f} bytes at most on a core", number("query_bytes_peak_of_core"));
  }

  void print_stations() {
    print("stations",
          "passes {:.3g} %, home {:.3g} %; waiting: no token {:.3g} %, network {:.3g} %, sequence {:.3g} %, "
          "KV write {:.3g} %, output buffer {:.3g} %, input buffer {:.3g} %",
          number("station_passes_percent"), number("station_home_percent"),
          number("station_no_token_percent"), number("station_network_percent"),
          number("station_sequence_percent"), number("station_kv_write_percent"),
          number("station_output_buffer_percent"), number("station_input_buffer_percent"));
    print("activations", "{:.4g} MB in the buffers of all stations at most, {:.4g} MB on average",
          number("activation_peak_mb"), number("activation_mean_mb"));
  }

  void print_prefix_cache() {
    if (number("cached_tokens") == 0) return;
    print("prefix cache", "{:.0f} tokens of KV found, {:.0f} prompt tokens asked for",
          number("cached_tokens"), number("prompt_tokens"));
  }

  void print_failures() {
    if (!has("failures")) return;
    print("failures",
          "{:.0f}: {:.0f} rerouted packets, {:.0f} lost KV, {:.0f} moved weights ({:.0f} cores), {:.0f} "
          "changed nothing; the longest remap took {:.4g} ms",
          number("failures"), number("failures_rerouted"), number("failures_kv_lost"),
          number("failures_weights_moved"), number("failures_cores_moved"), number("failures_none"),
          number("remap_longest_ms"));
    print("lost work", "{:.0f} tokens in flight, and {:.0f} tokens of KV of {:.0f} sequences",
          number("failures_tokens_discarded"), number("failures_tokens_lost"),
          number("failures_sequences_lost"));
    const auto rate = [&](const char* when) {
      const auto key = fmt::format("output_tokens_per_s_{}", when);
      return has(key) ? fmt::format("{:.4g}", number(key)) : std::string{"-"};
    };
    print("around failures", "{} output tokens/s before the first, {} until recovered, {} otherwise",
          rate("before_failures"), rate("disturbed"), rate("after_failures"));
    if (has("halt_reason")) {
      print("HALTED", "{}; {:.0f} requests are not done", text("halt_reason"), number("requests_unserved"));
    }
  }

  void print_bottleneck() { print("held back by", "{}", text("bottleneck")); }

  void print_simulator() {
    print("simulator",
          "{:.3g} s wall on {:.0f} ranks, {:.3g} M events/s, {:.0f} events a token, {:.0f} simulated "
          "tokens/s, {:.0f} MB a rank",
          number("wall_s"), number("ranks"), number("events_per_wall_s") / 1e6, number("events_per_token"),
          number("simulated_tokens_per_wall_s"), number("peak_memory_of_a_rank_mb"));
    print("digest", "{}", text("digest"));
  }

 private:
  std::ostream& out_;
  const Figures& figures_;
};

}  // namespace

void print_summary(std::ostream& out, const Figures& figures) {
  Lines lines{out, figures};
  const bool complete = lines.number("complete") == 1;
  if (!complete) {
    lines.print("NOT COMPLETE", "the run did not end; what follows is up to {:.4g} ms of simulated time",
                lines.number("reached_ms"));
  }
  lines.print_workload();
  lines.print_requests();
  if (!complete) return;
  lines.print_limits();
  lines.print_energy();
  lines.print_use();
  lines.print_stations();
  lines.print_prefix_cache();
  lines.print_failures();
  lines.print_bottleneck();
  lines.print_simulator();
}

void print_json(std::ostream& out, const Figures& figures) {
  nlohmann::ordered_json object;
  for (const auto& figure : figures.all())
    std::visit([&](const auto& value) { object[figure.key] = value; }, figure.value);
  out << object.dump(2) << '\n';
}

}  // namespace ouro::tools
