#include "tools/result_groups.hpp"

namespace ouro::tools {

void write_limits(ResultWriting& out, const llm::ServingTotals& totals) {
  const auto write = [&](const char* name, const char* unit, const char* meaning, std::int64_t value) {
    out.write_number({fmt::format("/limits/{}", name), unit, meaning}, value);
  };
  const auto limit = [](engine::Duration most) {
    return most == engine::Duration::max() ? -1 : most.count();
  };
  write("ttft_ps", "ps", "limit on the time to first token; -1 for none",
        limit(out.experiment().serving.ttft_limit));
  write("tpot_ps", "ps", "limit on the time per output token; -1 for none",
        limit(out.experiment().serving.tpot_limit));
  write("requests_within_ttft", "1", "requests within the first", totals.within_ttft);
  write("requests_within_tpot", "1", "requests within the second; one output meets any", totals.within_tpot);
  write("requests_within_both", "1", "over the makespan it is the goodput", totals.within_both);
  write("output_tokens_within_both", "token", "of these requests", totals.output_tokens_within_both);
}

}  // namespace ouro::tools
