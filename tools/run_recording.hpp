#pragma once

#include <mpi.h>

#include <filesystem>
#include <string>

#include "engine/recording_file.hpp"
#include "engine/results_file.hpp"
#include "llm/experiment.hpp"
#include "tools/run_profile.hpp"

namespace ouro::tools {

/// The file of `ouroboros run --record`: what `ouroboros project` needs of a run. All member functions are
/// collective.
class RunRecording {
 public:
  /// @throws InputError  if the file cannot be made, or is there and not to be overwritten
  RunRecording(const std::filesystem::path& path, MPI_Comm comm, engine::Overwrite overwrite,
               const llm::Experiment& experiment, const engine::Placement& placement,
               const engine::RecordedStretch& stretch);

  engine::Recorder& recorder() { return recorder_; }

  /// @param reached  every event before is handled, on all ranks
  void append(engine::Time reached) { writer_.append(recorder_, reached); }

  /// The run is over. Nothing can be recorded after.
  /// @return  what is in the file, for people, on rank 0
  std::string finish(const std::string& resolved_toml, const EngineReport& report,
                     const engine::Region& region);

 private:
  std::filesystem::path path_;
  MPI_Comm comm_;
  const llm::Experiment& experiment_;
  engine::ResultsFile file_;
  engine::Recorder recorder_;
  engine::RecordingWriter writer_;
};

}  // namespace ouro::tools
