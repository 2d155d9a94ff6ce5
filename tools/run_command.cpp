#include "tools/run_command.hpp"

#include <iostream>

#include "engine/mpi.hpp"
#include "engine/results_file.hpp"
#include "engine/results_reader.hpp"
#include "engine/synchronizer.hpp"
#include "engine/verification.hpp"
#include "llm/experiment.hpp"
#include "llm/fault_report.hpp"
#include "partitions/partition.hpp"
#include "tools/progress.hpp"
#include "tools/run_figures.hpp"
#include "tools/run_profile.hpp"
#include "tools/run_settings.hpp"
#include "tools/run_statistics.hpp"
#include "tools/run_summary.hpp"
#include "tools/run_writer.hpp"
#include "tools/together.hpp"

namespace ouro::tools {
namespace {

using engine::Time;

constexpr std::int64_t kRequestsBetweenFlushes = 256;
constexpr int kStopsBetweenFlushes = 100;

/// Everything that exists before simulated time begins.
struct Prepared {
  std::string resolved_toml;
  std::unique_ptr<const llm::Experiment> experiment;
  partitions::Partition partition;
  RunSettings settings;
  std::unique_ptr<engine::ResultsFile> file;
};

std::filesystem::path output_path(const RunArguments& arguments) {
  if (!arguments.out.empty()) return arguments.out;
  return arguments.configuration.file.stem().string() + ".h5";
}

Prepared prepare(const RunArguments& arguments, MPI_Comm comm) {
  const auto config = load_configuration(arguments.configuration);
  Prepared prepared;
  prepared.resolved_toml = config.resolved_toml();
  prepared.experiment = llm::read_experiment(config);
  prepared.partition =
      partitions::read_partition(config, prepared.experiment->wafer.geometry, engine::mpi_size(comm));
  prepared.settings = read_run_settings(config);
  return prepared;
}

class Simulation {
 public:
  /// @param path  where the result will be
  Simulation(const Prepared& prepared, std::filesystem::path path, MPI_Comm comm)
      : prepared_{prepared},
        path_{std::move(path)},
        comm_{comm},
        system_{*prepared.experiment, engine::mpi_rank(comm), engine::mpi_size(comm), prepared.partition,
                prepared.settings.lookahead},
        progress_{expected_tokens(), prepared.settings.heartbeat_seconds},
        synchronizer_{engine::make_synchronizer(comm, system_.region(), synchronizer_options())},
        writer_{*prepared.file, comm, *prepared.experiment} {}

  void run(bool profile) {
    const double begin = MPI_Wtime();
    writer_.write_head(prepared_.resolved_toml);
    keep_what_is_written(Time{});
    run_to_the_end();
    progress_.finish();
    const double wall = MPI_Wtime() - begin;
    engine::check_replicas(comm_, system_.region());  // first: a copy that went astray may not have finished
    system_.check_finished();
    const auto statistics = gather_statistics(comm_, *prepared_.experiment, system_);
    writer_.append_finished(system_.controller());
    writer_.write_results(system_, statistics);
    const auto engine_report = report(wall);
    writer_.write_engine(engine_report, prepared_.partition);
    prepared_.file->commit();
    if (engine::mpi_rank(comm_) == 0) print_summary(std::cout, read_figures(engine::ResultsReader{path_}));
    if (profile) print_profile(std::cout, comm_, engine_report);
  }

 private:
  engine::SynchronizerOptions synchronizer_options() {
    return {.kind = prepared_.settings.synchronizer,
            .stall_limit_seconds = prepared_.settings.stall_limit_seconds,
            .heartbeat = [this](Time reached) { show_progress(reached); }};
  }

  std::int64_t expected_tokens() const {
    const auto& summary = prepared_.experiment->summary;
    return summary.prompt.total + summary.output.total - static_cast<std::int64_t>(summary.requests);
  }

  /// Stops at multiples of the interval, where all ranks stand at the same time, to write what has ended.
  void run_to_the_end() {
    const auto interval = prepared_.settings.flush_interval;
    std::int64_t written = 0;
    int stops = 0;
    for (Time next{}; next != engine::kNever;) {
      const Time stop = Time{} + (next.time_since_epoch() / interval + 1) * interval;
      next = synchronizer_->run_until(stop);
      writer_.append_finished(system_.controller());
      const auto done = system_.controller().totals().requests_done;
      if (done - written < kRequestsBetweenFlushes && ++stops < kStopsBetweenFlushes) continue;
      keep_what_is_written(stop);
      engine::check_replicas(comm_, system_.region());
      written = done;
      stops = 0;
    }
  }

  /// A run that is killed later leaves a file that can be read, and says how far it came.
  void keep_what_is_written(Time reached) {
    writer_.write_progress(system_.controller(), reached);
    prepared_.file->flush();
  }

  void show_progress(Time reached) {
    if (engine::mpi_rank(comm_) != 0 || !progress_.is_due()) return;
    progress_.show({reached, system_.controller().totals().tokens_retired, system_.controller().running(),
                    system_.region().events()});
  }

  EngineReport report(double wall) const {
    const auto& region = system_.region();
    return {wall, synchronizer_->cost(), region.events(), region.replication_cost()};
  }

  const Prepared& prepared_;
  std::filesystem::path path_;
  MPI_Comm comm_;
  llm::System system_;
  Progress progress_;
  std::unique_ptr<engine::Synchronizer> synchronizer_;
  RunWriter writer_;
};

}  // namespace

int run(const RunArguments& arguments, MPI_Comm comm, spdlog::logger& logger) {
  constexpr int kInputAtFault = 2;
  Prepared prepared;
  if (!succeed_together(comm, logger, [&] { prepared = prepare(arguments, comm); })) return kInputAtFault;
  const auto path = output_path(arguments);
  const auto overwrite = arguments.force ? engine::Overwrite::allow : engine::Overwrite::refuse;
  const auto open = [&] { prepared.file = std::make_unique<engine::ResultsFile>(path, comm, overwrite); };
  if (!succeed_together(comm, logger, open)) return kInputAtFault;

  const auto& experiment = *prepared.experiment;
  logger.info("{} on {} x {} dies, {} requests, {} ranks", experiment.model.name,
              experiment.wafer.geometry.die_columns, experiment.wafer.geometry.die_rows,
              experiment.summary.requests, engine::mpi_size(comm));
  if (const auto faults = llm::report_faults(*experiment.plan, experiment.mapping); faults.faults() > 0)
    logger.info("{}", llm::describe(faults));
  if (llm::usable_lookahead(experiment, prepared.settings.lookahead) != prepared.settings.lookahead)
    logger.info(
        "engine.lookahead is \"link\": promises do not know ways around dead routers and links, or between "
        "wafers");
  if (experiment.serving.prefix_cache && experiment.summary.prefix_blocks == 0)
    logger.info("serving.prefix_cache has no effect: no request names the blocks of its prompt");
  if (experiment.model.trained_context > 0 &&
      experiment.summary.longest_context > experiment.model.trained_context) {
    logger.info(
        "the longest request has {} tokens, more than the {} that the model was trained for; it is simulated "
        "as it is",
        experiment.summary.longest_context, experiment.model.trained_context);
  }
  Simulation{prepared, path, comm}.run(arguments.profile);
  logger.info("wrote {}", path.string());
  return 0;
}

}  // namespace ouro::tools
