#include "tools/run_recording.hpp"

#include <fmt/format.h>

#include "engine/mpi.hpp"
#include "llm/message.hpp"
#include "tools/result_groups.hpp"
#include "tools/run_writer.hpp"

namespace ouro::tools {

RunRecording::RunRecording(const std::filesystem::path& path, MPI_Comm comm, engine::Overwrite overwrite,
                           const llm::Experiment& experiment, const engine::Placement& placement,
                           const engine::RecordedStretch& stretch)
    : path_{path},
      comm_{comm},
      experiment_{experiment},
      file_{path, comm, overwrite},
      recorder_{engine::mpi_rank(comm), placement, llm::kind_of, stretch},
      writer_{file_, comm, placement, stretch} {}

std::string RunRecording::finish(const std::string& resolved_toml, const EngineReport& report,
                                 const engine::Region& region) {
  writer_.append(recorder_, engine::kNever);
  writer_.finish();
  ResultWriting out{file_, comm_, experiment_};
  write_origin(out, resolved_toml);
  write_engine(out, report, region);
  file_.commit();
  if (engine::mpi_rank(comm_) != 0) return {};
  return fmt::format("{}, {:.3g} MB: {} events, {} of them from one die, host or controllers to another",
                     path_.string(), 1e-6 * static_cast<double>(std::filesystem::file_size(path_)),
                     writer_.events(), writer_.sends());
}

}  // namespace ouro::tools
