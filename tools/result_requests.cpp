#include <algorithm>

#include "tools/record_table.hpp"
#include "tools/result_groups.hpp"

namespace ouro::tools {

void append_requests(ResultWriting& out, const std::vector<llm::RequestRecord>& records) {
  RecordTable table{out, "requests", records};
  using Record = llm::RequestRecord;
  table.append("index", "1", "number of the request in the workload; rows are in the order of ending",
               [](const Record& r) { return r.request.index; });
  table.append("arrival_ps", "ps", "the request arrives",
               [](const Record& r) { return engine::picoseconds(r.request.arrival); });
  table.append("admitted_ps", "ps", "it first gets KV memory",
               [](const Record& r) { return engine::picoseconds(r.admitted); });
  table.append(
      "first_token_ps", "ps", "its first output token is sampled; -1 without output",
      [](const Record& r) { return r.request.output_tokens > 0 ? engine::picoseconds(r.first_token) : -1; });
  table.append("done_ps", "ps", "its last output token is sampled, or without output its last token has left",
               [](const Record& r) { return engine::picoseconds(r.done); });
  table.append("prompt_tokens", "token", "length of the prompt",
               [](const Record& r) { return r.request.prompt_tokens; });
  table.append("output_tokens", "token", "length of the output",
               [](const Record& r) { return r.request.output_tokens; });
  table.append("priority", "1", "its class; class 0 is served first",
               [](const Record& r) { return r.request.priority; });
  table.append("preemptions", "1", "times that it lost its KV memory",
               [](const Record& r) { return r.preemptions; });
  table.append("recomputed_tokens", "token", "tokens whose KV it lost to preemptions",
               [](const Record& r) { return r.recomputed_tokens; });
  table.append("cached_tokens", "token",
               "tokens whose KV was in the prefix cache, summed over its admissions",
               [](const Record& r) { return r.cached_tokens; });
}

void append_tokens(ResultWriting& out, const std::vector<llm::TokenRecord>& records) {
  RecordTable table{out, "tokens", records};
  using Record = llm::TokenRecord;
  table.append("number", "1", "number of the token in the order of entering the pipeline; a sample of all",
               [](const Record& r) { return r.number; });
  table.append("request", "1", "index of its request", [](const Record& r) { return r.request; });
  table.append("position", "1", "its position in the sequence", [](const Record& r) { return r.position; });
  table.append("decode", "1", "1 if it was generated, 0 if it is computed as part of a prompt",
               [](const Record& r) { return r.phase; });
  table.append("issued_ps", "ps", "the controllers let it go to the host interface",
               [](const Record& r) { return engine::picoseconds(r.issued); });
  table.append("retired_ps", "ps", "it left the last block, or the next token was sampled from it",
               [](const Record& r) { return engine::picoseconds(r.retired); });
}

void append_passages(ResultWriting& out, const std::vector<llm::StationRecord>& local) {
  auto records = engine::mpi_gather_rows(out.comm(), std::span<const llm::StationRecord>{local});
  std::sort(records.begin(), records.end());
  RecordTable table{out, "passages", records};
  using Record = llm::StationRecord;
  table.append("number", "1", "number of the token; rows are in the order of launched_ps",
               [](const Record& r) { return r.number; });
  table.append("request", "1", "index of its request", [](const Record& r) { return r.request; });
  table.append("station", "1", "the station, an index as in /stages/home_tokens",
               [](const Record& r) { return r.station; });
  table.append("entered_ps", "ps", "its first part is at the home core",
               [](const Record& r) { return engine::picoseconds(r.entered); });
  table.append("gathered_ps", "ps", "its last part is there",
               [](const Record& r) { return engine::picoseconds(r.gathered); });
  table.append("ready_ps", "ps", "the home core has normalised it, or what else it does",
               [](const Record& r) { return engine::picoseconds(r.ready); });
  table.append("launched_ps", "ps", "the home core sends it on: it had a credit, and its turn",
               [](const Record& r) { return engine::picoseconds(r.launched); });
}

}  // namespace ouro::tools
