#pragma once

#include <mpi.h>

#include <string>
#include <vector>

#include "engine/results_file.hpp"
#include "llm/system.hpp"
#include "tools/run_profile.hpp"
#include "tools/run_statistics.hpp"

namespace ouro::tools {

/// Writes the groups of a result file. All member functions are collective.
class RunWriter {
 public:
  /// Keeps references.
  RunWriter(engine::ResultsFile& file, MPI_Comm comm, const llm::Experiment& experiment);

  /// Before the run: configuration, seed, version.
  void write_head(const std::string& resolved_toml);

  /// Requests and recorded tokens that ended since the last call, which all ranks have, and when recorded
  /// tokens were at stations, which the ranks of these have.
  void append_finished(llm::System& system);

  /// How far the run came, for a file that it leaves when it is killed.
  /// @param reached  all before it is in the file
  void write_progress(const llm::ServingController& controller, engine::Time reached);

  void write_results(const llm::System& system, const RunStatistics& statistics);
  void write_engine(const EngineReport& report, const engine::Region& region);

 private:
  /// Whether cores and links were simulated one by one.
  bool follows_packets() const { return experiment_.wafer.noc.fidelity == wafer::Fidelity::packet; }
  void write_workload();
  void append_requests(const std::vector<llm::RequestRecord>& records);
  void append_tokens(const std::vector<llm::TokenRecord>& records);
  void append_passages(const std::vector<llm::StationRecord>& local);
  void write_cores(const llm::System& system);
  void write_links(const llm::System& system);
  void write_packets(const llm::System& system);
  void write_stages(const llm::System& system, const RunStatistics& statistics);
  void write_failures(const llm::System& system);
  void write_stations(const llm::System& system);
  void write_experts(const llm::System& system);
  void write_energy(const RunStatistics& statistics);
  void write_kv(const llm::ServingController& controller, const RunStatistics& statistics);
  void write_limits(const llm::ServingTotals& totals);
  void write_lp_events(const engine::Region& region);
  void write_timeline(const llm::ServingController& controller, const RunStatistics& statistics);

  template <class T>
  void write_whole(const engine::Column& column, const std::vector<T>& values,
                   const engine::ResultsFile::Shape& inner = {});
  void write_windows(const engine::Column& column, int shift, const std::vector<std::int64_t>& values,
                     const engine::ResultsFile::Shape& inner = {});

  engine::ResultsFile& file_;
  MPI_Comm comm_;
  bool is_root_;
  const llm::Experiment& experiment_;
};

}  // namespace ouro::tools
