#include "tools/prepared_run.hpp"

#include "engine/mpi.hpp"
#include "engine/synchronizer.hpp"
#include "partitions/read_partition.hpp"

namespace ouro::tools {

PreparedRun prepare_run(ConfigurationArguments arguments, const std::vector<std::string>& assignments,
                        MPI_Comm comm) {
  arguments.assignments.insert(arguments.assignments.end(), assignments.begin(), assignments.end());
  const auto config = load_configuration(arguments);
  auto experiment = llm::read_experiment(config);
  auto partition = partitions::read_partition(config, *experiment, engine::mpi_size(comm));
  return {std::move(experiment), std::move(partition), read_run_settings(config)};
}

std::unique_ptr<llm::System> PreparedRun::run(MPI_Comm comm) const {
  auto system = std::make_unique<llm::System>(*experiment, engine::mpi_rank(comm), engine::mpi_size(comm),
                                              partition, settings.lookahead);
  const engine::SynchronizerOptions options{
      .kind = settings.synchronizer, .stall_limit_seconds = settings.stall_limit_seconds, .heartbeat = {}};
  engine::make_synchronizer(comm, system->region(), options)->run_until(engine::kNever);
  system->check_finished();
  return system;
}

}  // namespace ouro::tools
