#include "tools/sweep_figures.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/error.hpp"

namespace ouro::tools {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kSecondsOfPs = 1e-12;
constexpr double kMsOfPs = 1e-9;

using Column = std::vector<std::int64_t>;

double attribute(const engine::ResultsReader& result, const std::string& name) {
  const auto found = result.attributes().find(name);
  if (found != result.attributes().end()) {
    if (const auto* value = std::get_if<std::int64_t>(&found->second)) return static_cast<double>(*value);
  }
  throw engine::InputError{result.name(), "has no attribute '" + name + "'", "a whole result is needed"};
}

double sum(const Column& values) {
  return static_cast<double>(std::accumulate(values.begin(), values.end(), std::int64_t{0}));
}

/// Interpolated linearly between the two nearest values, as numpy.percentile has it.
double percentile(std::vector<double>& values, double p) {
  if (values.empty()) return kNone;
  std::ranges::sort(values);
  const double at = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

struct Latencies {
  std::vector<double> first_token_ms;
  std::vector<double> each_token_ms;  // of requests with two outputs or more
};

Latencies latencies(const engine::ResultsReader& result) {
  const auto arrival = result.read<std::int64_t>("/requests/arrival_ps");
  const auto first = result.read<std::int64_t>("/requests/first_token_ps");
  const auto done = result.read<std::int64_t>("/requests/done_ps");
  const auto outputs = result.read<std::int64_t>("/requests/output_tokens");
  Latencies latencies;
  for (std::size_t i = 0; i < arrival.size(); ++i) {
    latencies.first_token_ms.push_back(kMsOfPs * static_cast<double>(first[i] - arrival[i]));
    if (outputs[i] < 2) continue;
    latencies.each_token_ms.push_back(kMsOfPs * static_cast<double>(done[i] - first[i]) /
                                      static_cast<double>(outputs[i] - 1));
  }
  return latencies;
}

}  // namespace

std::vector<Figure> read_figures(const engine::ResultsReader& result) {
  const double makespan = kSecondsOfPs * attribute(result, "makespan_ps");
  const double outputs = attribute(result, "output_tokens");
  const double prompts = sum(result.read<std::int64_t>("/requests/prompt_tokens"));
  const double idle = result.read<double>("/energy/static_j").at(0);
  const double dynamic = 1e-15 * sum(result.read<std::int64_t>("/energy/dynamic_fj"));
  auto [first, each] = latencies(result);
  return {
      {"requests_done", "1", "requests that ended", attribute(result, "requests_done")},
      {"prompt_tokens", "token", "of the requests that ended", prompts},
      {"output_tokens", "token", "sampled", outputs},
      {"makespan_ms", "ms", "from the first arrival to the last sampled token", 1e3 * makespan},
      {"output_tokens_per_s", "token/s", "output tokens over the makespan", outputs / makespan},
      {"prompt_and_output_tokens_per_s", "token/s", "prompt and output tokens over the makespan",
       (prompts + outputs) / makespan},
      {"ttft_p50_ms", "ms", "first token less arrival, median", percentile(first, 0.5)},
      {"ttft_p99_ms", "ms", "the same, 99th percentile", percentile(first, 0.99)},
      {"tpot_p50_ms", "ms", "(last token less first) / (outputs - 1), median", percentile(each, 0.5)},
      {"tpot_p99_ms", "ms", "the same, 99th percentile", percentile(each, 0.99)},
      {"energy_per_output_token_mj", "mJ", "static and dynamic energy over the output tokens",
       1e3 * (idle + dynamic) / outputs},
      {"static_energy_j", "J", "static power times makespan", idle},
      {"dynamic_energy_j", "J", "of all components", dynamic},
      {"preemptions", "1", "times that a request lost its KV memory",
       sum(result.read<std::int64_t>("/requests/preemptions"))},
      {"recomputed_tokens", "token", "tokens that entered the pipeline again after a preemption",
       sum(result.read<std::int64_t>("/requests/recomputed_tokens"))},
  };
}

}  // namespace ouro::tools
