#include "tools/sweep_figures.hpp"

#include <limits>

#include "engine/error.hpp"
#include "tools/run_figures.hpp"

namespace ouro::tools {

std::vector<SweepFigure> sweep_figures(const engine::ResultsReader& result) {
  const auto figures = read_figures(result);
  if (!is_complete(result))
    throw engine::InputError{result.name(), "is of a run that did not end", "a whole result is needed"};
  std::vector<SweepFigure> table{
      {"requests_done", "1", "requests that ended"},
      {"prompt_tokens", "token", "of the requests that ended"},
      {"output_tokens", "token", "sampled"},
      {"makespan_ms", "ms", "from the first arrival to the last sampled token"},
      {"output_tokens_per_s", "token/s", "output tokens over the makespan"},
      {"prompt_and_output_tokens_per_s", "token/s", "prompt and output tokens over the makespan"},
      {"ttft_p50_ms", "ms", "first token less arrival, median"},
      {"ttft_p99_ms", "ms", "the same, 99th percentile"},
      {"tpot_p50_ms", "ms", "(last token less first) / (outputs - 1), median"},
      {"tpot_p99_ms", "ms", "the same, 99th percentile"},
      {"energy_per_output_token_mj", "mJ", "static and dynamic energy over the output tokens"},
      {"static_energy_j", "J", "static power times makespan"},
      {"dynamic_energy_j", "J", "of all components"},
      {"preemptions", "1", "times that a request lost its KV memory"},
      {"recomputed_tokens", "token", "tokens that entered the pipeline again after a preemption"},
  };
  for (auto& [name, unit, meaning, value] : table)
    value = figures.find(name) ? figures.number(name) : std::numeric_limits<double>::quiet_NaN();
  return table;
}

}  // namespace ouro::tools
