#pragma once

#include <vector>

#include "tools/result_writing.hpp"
#include "tools/run_profile.hpp"
#include "tools/run_statistics.hpp"

namespace ouro::tools {

// The groups of a result file; docs/results.md says what is in each. All functions are collective.

// what is known before the run
void write_workload(ResultWriting& out);
/// What is said of the stations whatever they did.
void write_stations_plan(ResultWriting& out);

// lists that grow during the run
void append_requests(ResultWriting& out, const std::vector<llm::RequestRecord>& records);
void append_tokens(ResultWriting& out, const std::vector<llm::TokenRecord>& records);
/// @param local  of the stations of this rank
void append_passages(ResultWriting& out, const std::vector<llm::StationRecord>& local);

// what all came to
void write_cores(ResultWriting& out, const llm::System& system);
/// At `packet` fidelity.
void write_links(ResultWriting& out, const llm::System& system);
/// At `packet` fidelity, those of the dies of this rank.
void write_packets(ResultWriting& out, const llm::System& system);
void write_stages(ResultWriting& out, const llm::System& system, const RunStatistics& statistics);
/// Nothing if the model has none.
void write_experts(ResultWriting& out, const llm::System& system);
/// Nothing if nothing could fail.
void write_failures(ResultWriting& out, const llm::ServingController& controller);
void write_energy(ResultWriting& out, const RunStatistics& statistics);
void write_kv(ResultWriting& out, const llm::ServingController& controller, const RunStatistics& statistics);
void write_timeline(ResultWriting& out, const llm::ServingController& controller,
                    const RunStatistics& statistics);
void write_limits(ResultWriting& out, const llm::ServingTotals& totals);
void write_engine(ResultWriting& out, const EngineReport& report, const engine::Region& region);

}  // namespace ouro::tools
