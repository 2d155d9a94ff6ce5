#include "tools/run_command.hpp"

#include <fmt/format.h>

#include <iostream>
#include <optional>

#include "engine/mpi.hpp"
#include "engine/rank_0.hpp"
#include "engine/results_file.hpp"
#include "engine/results_reader.hpp"
#include "engine/synchronizer.hpp"
#include "engine/units.hpp"
#include "engine/verification.hpp"
#include "llm/experiment.hpp"
#include "llm/fault_report.hpp"
#include "partitions/read_partition.hpp"
#include "tools/checkpoint.hpp"
#include "tools/checkpoint_timetable.hpp"
#include "tools/pace.hpp"
#include "tools/progress.hpp"
#include "tools/run_figures.hpp"
#include "tools/run_profile.hpp"
#include "tools/run_recording.hpp"
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

/// Everything that exists before simulated time begins or goes on.
struct Prepared {
  std::unique_ptr<Restart> restart;  // of a run that goes on
  std::string resolved_toml;
  std::vector<InputFile> inputs;
  std::optional<Time> checkpoint_at;
  engine::RecordedStretch recorded_stretch;
  std::unique_ptr<const llm::Experiment> experiment;
  partitions::Partition partition;
  RunSettings settings;
  std::unique_ptr<engine::ResultsFile> file;
  std::unique_ptr<RunRecording> recording;  // if one is wanted
};

std::filesystem::path output_path(const RunArguments& arguments) {
  if (!arguments.out.empty()) return arguments.out;
  if (arguments.restart.empty()) return arguments.configuration.file.stem().string() + ".h5";
  auto result = CheckpointFiles::result_of(arguments.restart);
  if (!result.empty()) return result;
  throw engine::InputError{"--restart", "the name of the checkpoint does not say that of the result",
                           "name it with --out"};
}

void check_arguments(const RunArguments& arguments) {
  const bool has_file = !arguments.configuration.file.empty();
  if (!has_file && arguments.restart.empty())
    throw engine::InputError{"FILE.toml", "is required", "an experiment, or --restart with a checkpoint"};
  if (has_file && !arguments.restart.empty()) {
    throw engine::InputError{arguments.configuration.file.string(),
                             "a run that goes on has its configuration from the checkpoint",
                             "leave the file out"};
  }
  if (!arguments.record.empty() && !arguments.restart.empty()) {
    throw engine::InputError{"--record", "a run that goes on has not recorded what was before",
                             "record a run from its start"};
  }
  if (!(arguments.checkpoint_minutes >= 0)) {
    throw engine::InputError{
        "--checkpoint-every",
        fmt::format("{} is not a time between checkpoints", arguments.checkpoint_minutes),
        "minutes such as 10 or 0.5; 0 for none"};
  }
}

/// @param otherwise  if the text is empty
Time parse_time(const std::string& option, const std::string& text, Time otherwise) {
  if (text.empty()) return otherwise;
  return Time{engine::Duration{engine::parse_quantity(option, text, engine::duration_units())}};
}

std::optional<Time> read_checkpoint_at(const std::string& text, Time begin) {
  if (text.empty()) return std::nullopt;
  const Time at = parse_time("--checkpoint-at", text, {});
  if (at > begin) return at;
  throw engine::InputError{"--checkpoint-at",
                           fmt::format("the run stands at {} ps already", engine::picoseconds(begin)),
                           "a later time"};
}

engine::RecordedStretch read_recorded_stretch(const RunArguments& arguments) {
  const bool is_stated = !arguments.record_from.empty() || !arguments.record_until.empty();
  if (arguments.record.empty() && is_stated)
    throw engine::InputError{"--record-from, --record-until", "nothing is recorded", "--record with a file"};
  const engine::RecordedStretch stretch{parse_time("--record-from", arguments.record_from, Time{}),
                                        parse_time("--record-until", arguments.record_until, engine::kNever)};
  if (stretch.from < stretch.until) return stretch;
  throw engine::InputError{"--record-until",
                           fmt::format("{} ps is not after {} ps, where recording begins",
                                       engine::picoseconds(stretch.until), engine::picoseconds(stretch.from)),
                           "a later time"};
}

engine::Config read_configuration(const RunArguments& arguments, const Restart* restart) {
  if (restart == nullptr) return load_configuration(arguments.configuration);
  return restart->configuration(arguments.configuration.assignments);
}

Prepared prepare(const RunArguments& arguments, MPI_Comm comm) {
  check_arguments(arguments);
  Prepared prepared;
  prepared.recorded_stretch = read_recorded_stretch(arguments);
  if (!arguments.restart.empty()) prepared.restart = std::make_unique<Restart>(arguments.restart, comm);
  const auto config = read_configuration(arguments, prepared.restart.get());
  prepared.resolved_toml = config.resolved_toml();
  prepared.experiment = llm::read_experiment(config);
  if (prepared.restart) prepared.restart->check_inputs(config);
  prepared.inputs = read_input_files(config);
  prepared.checkpoint_at =
      read_checkpoint_at(arguments.checkpoint_at, prepared.restart ? prepared.restart->reached() : Time{});
  prepared.partition = partitions::read_partition(config, *prepared.experiment, engine::mpi_size(comm));
  prepared.settings = read_run_settings(config);
  return prepared;
}

/// A run that begins would take a stranger's checkpoint for its own.
/// @throws InputError  if there is one, but for that to go on from
void refuse_checkpoints_of_another_run(const CheckpointFiles& files, const RunArguments& arguments) {
  if (arguments.force || !files.any_exists()) return;
  std::error_code ignored;
  for (const auto& own : {files.newest(), files.previous()}) {
    if (!arguments.restart.empty() && std::filesystem::equivalent(own, arguments.restart, ignored)) return;
  }
  throw engine::InputError{files.newest().string(), "an earlier run has left its checkpoint",
                           "--restart goes on from it, --force begins anew"};
}

engine::Overwrite overwrite_of(const RunArguments& arguments) {
  return arguments.force ? engine::Overwrite::allow : engine::Overwrite::refuse;
}

std::unique_ptr<RunRecording> open_recording(const Prepared& prepared, const RunArguments& arguments,
                                             const std::filesystem::path& result, MPI_Comm comm) {
  if (arguments.record.empty()) return nullptr;
  if (arguments.record.lexically_normal() == result.lexically_normal())
    throw engine::InputError{"--record", "is the result itself", "a file of its own"};
  return std::make_unique<RunRecording>(arguments.record, comm, overwrite_of(arguments), *prepared.experiment,
                                        llm::place(*prepared.experiment, prepared.partition),
                                        prepared.recorded_stretch);
}

std::unique_ptr<engine::ResultsFile> open_result(const std::filesystem::path& path,
                                                 const RunArguments& arguments, MPI_Comm comm) {
  const CheckpointFiles checkpoints{path};
  engine::on_rank_0(comm, [&] { refuse_checkpoints_of_another_run(checkpoints, arguments); });
  auto file = std::make_unique<engine::ResultsFile>(path, comm, overwrite_of(arguments));
  if (arguments.restart.empty()) engine::on_rank_0(comm, [&] { checkpoints.remove(); });
  return file;
}

class Simulation {
 public:
  Simulation(Prepared& prepared, const RunArguments& arguments, const std::filesystem::path& result,
             MPI_Comm comm, spdlog::logger& logger)
      : prepared_{prepared},
        path_{result},
        comm_{comm},
        logger_{logger},
        system_{*prepared.experiment,
                engine::mpi_rank(comm),
                engine::mpi_size(comm),
                prepared.partition,
                prepared.settings.lookahead,
                prepared.restart ? prepared.restart->states() : engine::SavedState{},
                prepared.recording ? &prepared.recording->recorder() : nullptr},
        begin_{prepared.restart ? prepared.restart->reached() : Time{}},
        tokens_at_start_{system_.controller().totals().tokens_retired},
        progress_{prepared_.experiment->tokens_to_process(), tokens_at_start_,
                  prepared.settings.heartbeat_seconds},
        synchronizer_{engine::make_synchronizer(comm, system_.region(), synchronizer_options())},
        writer_{*prepared.file, comm, *prepared.experiment},
        checkpoints_{
            CheckpointFiles{result}, comm, {prepared.resolved_toml, prepared.inputs}, arguments.restart},
        timetable_{arguments.checkpoint_minutes, prepared.checkpoint_at, comm},
        newest_checkpoint_{CheckpointFiles{result}.newest()} {}

  /// @return  the program's exit code
  int run(bool profile) {
    const double begin = MPI_Wtime();
    write_what_was();
    keep_what_is_written(begin_);
    const bool is_over = run_to_the_end();
    progress_.finish();
    if (!is_over) return stopped();
    if (timetable_.waits_for_time() && engine::mpi_rank(comm_) == 0)
      logger_.warn("--checkpoint-at: the run was over before that time, so there is no checkpoint of it");
    const double wall = MPI_Wtime() - begin;
    engine::check_replicas(comm_, system_.region());  // first: a copy that went astray may not have finished
    system_.check_finished();
    const auto statistics = gather_statistics(comm_, *prepared_.experiment, system_);
    writer_.append_finished(system_);
    writer_.write_results(system_, statistics);
    const auto engine_report = report(wall);
    writer_.write_engine(engine_report, system_.region());
    prepared_.file->commit();
    if (prepared_.recording) finish_recording(engine_report);
    if (engine::mpi_rank(comm_) == 0) print_summary(std::cout, read_figures(engine::ResultsReader{path_}));
    if (profile) print_profile(std::cout, comm_, engine_report);
    return 0;
  }

 private:
  engine::SynchronizerOptions synchronizer_options() {
    return {.kind = prepared_.settings.synchronizer,
            .stall_limit_seconds = prepared_.settings.stall_limit_seconds,
            .heartbeat = [this](Time reached) { show_progress(reached); }};
  }

  /// The head of the result, and what a run that goes on had written.
  void write_what_was() {
    writer_.write_head(prepared_.resolved_toml);
    if (!prepared_.restart) return;
    writer_.append_finished(system_);
    prepared_.restart->restore_lists(*prepared_.file);
    prepared_.restart.reset();
  }

  /// Stops now and then, where all ranks stand at the same time, to write what has ended, and checkpoints.
  /// @return  false if it was asked to stop before the end
  bool run_to_the_end() {
    Pace pace{prepared_.settings.flush_interval};
    std::int64_t written = 0;
    int stops = 0;
    for (Time next = begin_; next != engine::kNever;) {
      const double begin = MPI_Wtime();
      const Time stop = timetable_.not_after_checkpoint(pace.stop_after(next));
      next = synchronizer_->run_until(stop);
      writer_.append_finished(system_);
      if (prepared_.recording) prepared_.recording->append(stop);
      const auto agreed = timetable_.agree(stop, next, MPI_Wtime() - begin);
      pace.adapt(agreed.wall_seconds);
      if (next != engine::kNever && stops_for(agreed.wish, stop)) return false;
      const auto done = system_.controller().totals().requests_done;
      if (done - written < kRequestsBetweenFlushes && ++stops < kStopsBetweenFlushes) continue;
      keep_what_is_written(stop);
      engine::check_replicas(comm_, system_.region());
      written = done;
      stops = 0;
    }
    return true;
  }

  /// Writes a checkpoint if one is wanted.
  /// @param reached  every event before this has been handled
  bool stops_for(Wish wish, Time reached) {
    if (wish == Wish::go_on) return false;
    const auto failure = checkpoints_.write(reached, system_.region(), *prepared_.file);
    timetable_.checkpoint_was_tried();
    if (!failure.empty()) {
      if (wish == Wish::stop) throw engine::InputError{"", failure, "the run ends without this checkpoint"};
      if (engine::mpi_rank(comm_) == 0) logger_.error("{}; the run goes on without this checkpoint", failure);
      return false;
    }
    const bool stops = wish >= Wish::checkpoint_and_stop;
    logger_.info("wrote {} at {:.6g} ms of simulated time{}", newest_checkpoint_.string(),
                 1e3 * engine::seconds(reached.time_since_epoch()),
                 stops ? "; stopped, to go on with --restart" : "");
    return stops;
  }

  int stopped() const {
    if (prepared_.recording && engine::mpi_rank(comm_) == 0)
      logger_.warn("--record: the run stopped before its end, so there is no recording of it");
    return kStopped;
  }

  void finish_recording(const EngineReport& engine_report) {
    const auto content =
        prepared_.recording->finish(prepared_.resolved_toml, engine_report, system_.region());
    logger_.info("recorded {}", content);
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
    return {.wall_seconds = wall,
            .cost = synchronizer_->cost(),
            .events = system_.region().events(),
            .replication = system_.region().replication_cost(),
            .restarted_at = begin_,
            .tokens = system_.controller().totals().tokens_retired - tokens_at_start_,
            .checkpoints = checkpoints_.written(),
            .checkpoint_seconds = checkpoints_.seconds()};
  }

  Prepared& prepared_;
  std::filesystem::path path_;
  MPI_Comm comm_;
  spdlog::logger& logger_;
  llm::System system_;
  Time begin_;
  std::int64_t tokens_at_start_;
  Progress progress_;
  std::unique_ptr<engine::Synchronizer> synchronizer_;
  RunWriter writer_;
  CheckpointKeeper checkpoints_;
  CheckpointTimetable timetable_;
  std::filesystem::path newest_checkpoint_;
};

}  // namespace

int run(const RunArguments& arguments, MPI_Comm comm, spdlog::logger& logger) {
  constexpr int kInputAtFault = 2;
  Prepared prepared;
  if (!succeed_together(comm, logger, [&] { prepared = prepare(arguments, comm); })) return kInputAtFault;
  partitions::take_from_rank_0(prepared.partition, comm);
  std::filesystem::path path;
  const auto open = [&] {
    path = output_path(arguments);
    prepared.file = open_result(path, arguments, comm);
    prepared.recording = open_recording(prepared, arguments, path, comm);
  };
  if (!succeed_together(comm, logger, open)) return kInputAtFault;

  const auto& experiment = *prepared.experiment;
  logger.info("{} on {} x {} dies, {} requests, {} ranks", experiment.model.name,
              experiment.wafer.geometry.die_columns, experiment.wafer.geometry.die_rows,
              experiment.summary.requests, engine::mpi_size(comm));
  if (const auto faults = llm::report_faults(*experiment.plan, experiment.mapping); faults.faults() > 0)
    logger.info("{}", llm::describe(faults));
  if (const auto& failures = experiment.wafer.failures; !failures.empty())
    logger.info("{}", llm::describe(failures));
  if (llm::usable_lookahead(experiment, prepared.settings.lookahead) != prepared.settings.lookahead)
    logger.info(
        "engine.lookahead is \"link\": promises do not know ways around dead routers and links, or between "
        "wafers, nor what fails");
  if (experiment.serving.prefix_cache && experiment.summary.prefix_blocks == 0)
    logger.info("serving.prefix_cache has no effect: no request names the blocks of its prompt");
  if (experiment.model.trained_context > 0 &&
      experiment.summary.longest_context > experiment.model.trained_context) {
    logger.info(
        "the longest request has {} tokens, more than the {} that the model was trained for; it is simulated "
        "as it is",
        experiment.summary.longest_context, experiment.model.trained_context);
  }
  const int code = Simulation{prepared, arguments, path, comm, logger}.run(arguments.profile);
  if (code == 0) logger.info("wrote {}", path.string());
  return code;
}

}  // namespace ouro::tools
