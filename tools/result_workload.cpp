#include "tools/result_groups.hpp"

namespace ouro::tools {

void write_workload(ResultWriting& out) {
  const auto& summary = out.experiment().summary;
  const auto& rows = summary.rows;
  const auto write = [&](const char* name, const char* unit, const char* meaning, auto value) {
    out.write_number({fmt::format("/workload/{}", name), unit, meaning}, static_cast<std::int64_t>(value));
  };
  write("rows", "1", "rows of the workload that were read", rows.read);
  write("rows_without_tokens", "1", "of them, dropped since they have no prompt or no output",
        rows.without_tokens);
  write("rows_out_of_order", "1", "of them, dropped since they are earlier than the row before",
        rows.out_of_order);
  write("rows_over_context", "1", "of them, dropped since they are longer than the maximum context",
        rows.over_context);
  write("rows_delayed", "1", "of them, earlier than the row before and taken with it", rows.delayed);
  write("rows_truncated", "1", "of them, cut to the maximum context", rows.truncated);
  write("requests", "1", "requests that were made of them", summary.requests);
  write("prompt_tokens", "token", "of all requests", summary.prompt.total);
  write("output_tokens", "token", "of all requests", summary.output.total);
  write("longest_context", "token", "most tokens of prompt and output of one request",
        summary.longest_context);
  write("longest_request", "1", "index of the first request that has so many", summary.longest_index);
}

}  // namespace ouro::tools
