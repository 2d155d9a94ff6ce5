#pragma once

#include <mpi.h>

#include <string>

#include "tools/result_writing.hpp"
#include "tools/run_profile.hpp"
#include "tools/run_statistics.hpp"

namespace ouro::tools {

/// What a file is of: version, seed, configuration. Collective.
void write_origin(ResultWriting& out, const std::string& resolved_toml);

/// Writes the result file of a run, in the order in which it comes about. All member functions are
/// collective.
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
  ResultWriting out_;
};

}  // namespace ouro::tools
