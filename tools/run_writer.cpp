#include "tools/run_writer.hpp"

#include <fmt/format.h>

#include "tools/result_groups.hpp"
#include "tools/version.hpp"

namespace ouro::tools {

void write_origin(ResultWriting& out, const std::string& resolved_toml) {
  auto& file = out.file();
  file.set_attribute("/", "code_version", fmt::format("{} {}", kVersion, kRevision));
  file.set_attribute("/", "seed", static_cast<std::int64_t>(out.experiment().workload.seed));
  file.write_string({"/configuration/resolved_toml", "1",
                     "the configuration of the run; as an experiment file it gives the same result"},
                    resolved_toml);
}

RunWriter::RunWriter(engine::ResultsFile& file, MPI_Comm comm, const llm::Experiment& experiment)
    : out_{file, comm, experiment} {}

void RunWriter::write_head(const std::string& resolved_toml) {
  write_origin(out_, resolved_toml);
  out_.file().set_attribute("/", "complete", std::int64_t{0});
  write_workload(out_);
  write_stations_plan(out_);
}

void RunWriter::append_finished(llm::System& system) {
  append_requests(out_, system.controller().take_finished());
  append_tokens(out_, system.controller().take_token_records());
  append_passages(out_, system.take_station_records());
}

void RunWriter::write_progress(const llm::ServingController& controller, engine::Time reached) {
  auto& file = out_.file();
  const auto& totals = controller.totals();
  file.set_attribute("/", "reached_ps", engine::picoseconds(reached));
  file.set_attribute("/", "output_tokens", totals.output_tokens);
  file.set_attribute("/", "tokens_processed", totals.tokens_retired);
  file.set_attribute("/", "requests_done", totals.requests_done);
}

void RunWriter::write_results(const llm::System& system, const RunStatistics& statistics) {
  const auto& controller = system.controller();
  write_cores(out_, system);
  write_links(out_, system);
  write_packets(out_, system);
  write_stages(out_, system, statistics);
  write_experts(out_, system);
  write_failures(out_, controller);
  write_energy(out_, statistics);
  write_kv(out_, controller, statistics);
  write_timeline(out_, controller, statistics);
  write_limits(out_, controller.totals());
  write_progress(controller, controller.totals().last_done);
  auto& file = out_.file();
  file.set_attribute("/", "digest", fmt::format("{:016x}", statistics.verdict.digest));
  file.set_attribute("/", "events", static_cast<std::int64_t>(statistics.verdict.events));
  file.set_attribute("/", "makespan_ps", statistics.makespan.count());
  file.set_attribute("/", "complete", std::int64_t{1});
}

void RunWriter::write_engine(const EngineReport& report, const engine::Region& region) {
  tools::write_engine(out_, report, region);
}

}  // namespace ouro::tools
