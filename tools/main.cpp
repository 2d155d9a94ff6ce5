#include <fmt/format.h>
#include <mpi.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "tools/calibrate_command.hpp"
#include "tools/check_command.hpp"
#include "tools/diff_command.hpp"
#include "tools/map_command.hpp"
#include "tools/noc_command.hpp"
#include "tools/partition_command.hpp"
#include "tools/project_command.hpp"
#include "tools/report_command.hpp"
#include "tools/run_command.hpp"
#include "tools/signals.hpp"
#include "tools/summary_command.hpp"
#include "tools/sweep_command.hpp"
#include "tools/trace_command.hpp"
#include "tools/validate_command.hpp"
#include "tools/version.hpp"
#include "tools/workload_command.hpp"

namespace {

constexpr int kDifferent = 1;
constexpr int kInputAtFault = 2;
constexpr int kContractBroken = 3;

std::shared_ptr<spdlog::logger> make_logger(int rank) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("ouroboros", std::move(sink));
  logger->set_pattern(fmt::format("%H:%M:%S.%e %^%l%$ [rank {}] %v", rank));
  logger->set_level(rank == 0 ? spdlog::level::info : spdlog::level::warn);
  return logger;
}

/// Calls `command`; whatever it throws is said once and becomes the exit code.
int guarded(spdlog::logger& logger, const std::function<int()>& command) {
  try {
    return command();
  } catch (const ouro::engine::InputError& error) {
    logger.error("{}", error.what());
    return kInputAtFault;
  } catch (const std::exception& error) {
    logger.critical("a contract of this program is broken: {}", error.what());
    return kContractBroken;
  }
}

/// Calls `command` on all ranks of a communicator; a rank that throws ends them all.
int on_all_ranks(int argc, char** argv, const std::function<int(MPI_Comm, spdlog::logger&)>& command) {
  const ouro::engine::MpiSession mpi{argc, argv};
  const auto logger = make_logger(ouro::engine::mpi_rank(MPI_COMM_WORLD));
  bool returned = false;
  const int code = guarded(*logger, [&] {
    const int result = command(MPI_COMM_WORLD, *logger);
    returned = true;
    return result;
  });
  if (!returned) MPI_Abort(MPI_COMM_WORLD, code);  // other ranks wait for this one
  return code;
}

using ouro::tools::ConfigurationArguments;

void add_assignments(CLI::App& command, std::vector<std::string>& assignments) {
  command.add_option("--set", assignments, "section.key=value, over what the file says")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
}

void add_configuration(CLI::App& command, ConfigurationArguments& arguments) {
  command.add_option("FILE.toml", arguments.file, "the experiment")->required();
  add_assignments(command, arguments.assignments);
}

/// @param suffix  of the default name
void add_output(CLI::App& command, std::filesystem::path& out, bool& force, const std::string& suffix) {
  command.add_option("--out", out, "result file; default: the experiment's name with " + suffix + ", here");
  command.add_flag("--force", force, "overwrite the result file");
}

/// As an assignment, so that it is part of the configuration.
void add_partition_from(CLI::App& command, std::vector<std::string>& assignments) {
  command.add_option_function<std::string>(
      "--partition-from",
      [&assignments](const std::string& run) { assignments.push_back("partition.from=" + run); },
      "RUN.h5, an earlier run: its events a die decide, not those expected");
}

/// The command line: each command adds its options, and what to do when it is the one that is called.
class Program {
 public:
  Program(int argc, char** argv) : argc_{argc}, argv_{argv} {
    app_.set_version_flag("--version",
                          fmt::format("ouroboros {} {}", ouro::tools::kVersion, ouro::tools::kRevision));
    app_.require_subcommand(1);
    add_run();
    add_noc();
    add_validate();
    add_calibrate();
    add_map();
    add_partition();
    add_check();
    add_workload();
    add_diff();
    add_summary();
    add_report();
    add_trace();
    add_project();
    add_sweep();
  }

  /// @return the exit code
  int run() {
    try {
      app_.parse(argc_, argv_);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() != 0 && !app_.remaining().empty()) return refuse(app_.remaining().front());
      return app_.exit(error) == 0 ? 0 : kInputAtFault;
    }
    return chosen_();
  }

 private:
  using OnRank = std::function<int(MPI_Comm, spdlog::logger&)>;

  CLI::App& add(const std::string& name, const std::string& description) {
    auto& command = *app_.add_subcommand(name, description);
    command.set_version_flag("--version", app_.version());
    names_.push_back(name);
    return command;
  }

  void on_all_ranks_do(CLI::App& command, OnRank action) {
    command.callback([this, action = std::move(action)] {
      chosen_ = [this, action] { return on_all_ranks(argc_, argv_, action); };
    });
  }

  /// Without MPI.
  void alone_do(CLI::App& command, std::function<int()> action) {
    command.callback([this, action = std::move(action)] {
      chosen_ = [action] { return guarded(*make_logger(0), action); };
    });
  }

  int refuse(const std::string& command) const {
    fmt::print(stderr, "ouroboros: there is no command '{}'; known: {}\n", command, fmt::join(names_, ", "));
    return kInputAtFault;
  }

  void add_run() {
    auto& command = add("run", "Runs an experiment; under mpirun on as many ranks as it gives");
    command.add_option("FILE.toml", run_.configuration.file, "the experiment; not with --restart");
    add_assignments(command, run_.configuration.assignments);
    add_output(command, run_.out, run_.force, ".h5");
    add_partition_from(command, run_.configuration.assignments);
    command.add_flag("--profile", run_.profile, "say where the wall time went, and what limits the run");
    command.add_option("--record", run_.record,
                       "a file for 'ouroboros project': who worked when, and told whom what");
    command.add_option(
        "--record-from", run_.record_from,
        "simulated time from which on that is recorded, such as \"12 ms\"; default: the start");
    command.add_option("--record-until", run_.record_until, "up to which; default: the end");
    command.add_option("--restart", run_.restart,
                       "go on from this checkpoint, on any number of ranks; the configuration is in it, and "
                       "the result has its name");
    command.add_option("--checkpoint-every", run_.checkpoint_minutes,
                       "minutes of wall time between checkpoints, default 10; 0 for none. SIGUSR1 asks for "
                       "one, SIGUSR2 for one and to stop (exit code 4), SIGTERM too");
    command.add_option("--checkpoint-at", run_.checkpoint_at,
                       "simulated time of one more checkpoint, such as \"5 ms\"");
    command.callback([this] {
      chosen_ = [this] {
        ouro::tools::listen_to_signals();  // before MPI is
        return on_all_ranks(argc_, argv_, [this](MPI_Comm comm, spdlog::logger& logger) {
          return ouro::tools::run(run_, comm, logger);
        });
      };
    });
  }

  void add_noc() {
    auto& command = add("noc", "Studies the network alone under synthetic or given traffic");
    add_configuration(command, noc_.configuration);
    add_output(command, noc_.out, noc_.force, ".noc.h5");
    command
        .add_option("--rates", noc_.rates,
                    "injection rates such as 0.1,0.2, one study each, instead of traffic.injection_rate")
        ->delimiter(',');
    on_all_ranks_do(command, [this](MPI_Comm comm, spdlog::logger& logger) {
      return ouro::tools::noc(noc_, comm, logger);
    });
  }

  void add_validate() {
    auto& command = add("validate", "Runs an experiment at two fidelities and prints how they differ");
    add_configuration(command, validate_.configuration);
    command
        .add_option("--fidelities", validate_.fidelities,
                    "two of packet, stage, flit: the second is compared with the first; packet,stage")
        ->delimiter(',');
    command.add_flag("--json", validate_.json, "print JSON instead of a table");
    on_all_ranks_do(command, [this](MPI_Comm comm, spdlog::logger& logger) {
      return ouro::tools::validate(validate_, comm, logger);
    });
  }

  void add_calibrate() {
    auto& command = add("calibrate", "Runs an experiment at packet, and fits fidelity stage to it");
    add_configuration(command, calibrate_.configuration);
    command.add_option("--out", calibrate_.out,
                       "the calibration; default: the experiment's name with .calibration.toml, here");
    command.add_flag("--force", calibrate_.force, "overwrite it");
    on_all_ranks_do(command, [this](MPI_Comm comm, spdlog::logger& logger) {
      return ouro::tools::calibrate(calibrate_, comm, logger);
    });
  }

  void add_map() {
    auto& command = add("map", "Maps a model onto the wafer, and prints what the mapping costs");
    add_configuration(command, map_.configuration);
    command.add_option("-o,--out", map_.out, "store the mapping, to be read by mapping.file");
    command.add_option("--svg", map_.svg, "draw it");
    command.add_flag("--force", map_.force, "overwrite these files");
    command.add_flag("--picture", map_.picture, "print it, a letter for each core");
    command.add_option("--exact", map_.exact_seconds,
                       "look for the optimum for so many seconds, on up to about 15 cores");
    on_all_ranks_do(command, [this](MPI_Comm comm, spdlog::logger& logger) {
      return ouro::tools::map(map_, comm, logger);
    });
  }

  void add_partition() {
    auto& command =
        add("partition", "Says which rank would simulate which die, and what that is expected to cost");
    add_configuration(command, partition_.configuration);
    command.add_option("--ranks", partition_.ranks, "how many; default: 2")->check(CLI::PositiveNumber);
    add_partition_from(command, partition_.configuration.assignments);
    command.add_flag("--json", partition_.json, "print JSON instead of a table");
    alone_do(command, [this] {
      ouro::tools::partition(partition_);
      return 0;
    });
  }

  void add_check() {
    auto& command = add("check", "Prints the resolved configuration with the source of each value");
    add_configuration(command, check_);
    alone_do(command, [this] {
      ouro::tools::check(check_);
      return 0;
    });
  }

  void add_workload() {
    auto& command = add("workload", "Reads a workload through and says what is in it, without a model");
    add_configuration(command, workload_);
    alone_do(command, [this] {
      ouro::tools::workload(workload_);
      return 0;
    });
  }

  void add_diff() {
    auto& command = add("diff", "Says whether two results agree in every simulated quantity");
    command.add_option("A.h5", diff_.a)->required();
    command.add_option("B.h5", diff_.b)->required();
    command
        .add_option("--rtol", diff_.tolerance,
                    "compare the figures of the summary instead of every bit; how far each may be off, such "
                    "as 0.03 for 3 %")
        ->check(CLI::NonNegativeNumber);
    command
        .add_option("--tolerance", diff_.tolerances,
                    "the same for one figure, or each value of a dataset, such as ttft_p99_ms=0.1")
        ->allow_extra_args(false)
        ->type_name("NAME=x");
    alone_do(command, [this] { return ouro::tools::diff(diff_) ? 0 : kDifferent; });
  }

  void add_summary() {
    auto& command = add("summary", "Prints the main figures of a run");
    command.add_option("RUN.h5", summarized_)->required();
    command.add_flag("--json", json_, "all figures as one JSON object, with units in the keys");
    alone_do(command, [this] {
      ouro::tools::summarize(summarized_,
                             json_ ? ouro::tools::SummaryFormat::json : ouro::tools::SummaryFormat::lines);
      return 0;
    });
  }

  void add_report() {
    auto& command = add("report", "Writes a page to look at the results of runs");
    command.add_option("RUN.h5", report_.runs, "shown side by side")->required();
    command.add_option("-o,--out", report_.out, "the page; default: the first run's name with .html, here");
    command.add_flag("--force", report_.force, "overwrite the page");
    alone_do(command, [this] {
      fmt::print("wrote {}\n", ouro::tools::report(report_).string());
      return 0;
    });
  }

  void add_trace() {
    auto& command = add("trace", "Writes what a run recorded over time for Perfetto");
    command.add_option("RUN.h5", trace_.run)->required();
    command.add_option("-o,--out", trace_.out, "the trace; default: the run's name with .trace.json, here");
    command.add_flag("--force", trace_.force, "overwrite the trace");
    command.add_option("--max-mb", trace_.megabytes, "most MB that are written; default: 20")
        ->check(CLI::PositiveNumber);
    auto& chosen = trace_.selection;
    command.add_option("--requests", chosen.requests, "only these, such as 0,3-5; default: all");
    command.add_option("--blocks", chosen.blocks, "only their stations; default: all");
    command.add_option("--dies", chosen.dies, "only their links; default: all");
    command.add_option("--from", chosen.from, "simulated time, such as \"1.5 ms\"");
    command.add_option("--to", chosen.to, "simulated time");
    alone_do(command, [this] {
      fmt::print("{}\n", ouro::tools::trace(trace_));
      return 0;
    });
  }

  void add_project() {
    auto& command = add("project", "Predicts how long a recorded run would take on the ranks of a cluster");
    command
        .add_option("RECORDING.h5", project_.recording, "what 'ouroboros run --record RECORDING.h5' wrote")
        ->required();
    command.add_option("--ranks", project_.ranks, "how many, such as 1,2,4")->required();
    command.add_option("--latency", project_.latency, "of a message of that cluster, such as 1.5us")
        ->required();
    command.add_option("--bandwidth", project_.bandwidth, "of its network, such as 12GB/s")->required();
    command.add_option("--event-time", project_.event_time,
                       "wall time of an event, such as 300ns; default: the mean of the run");
    command.add_option("--synchronizer", project_.synchronizer, "null-message or window; default: the run's");
    command.add_option("--lookahead", project_.lookahead, "promises or link; default: the run's");
    add_assignments(command, project_.assignments);
    alone_do(command, [this] {
      ouro::tools::project(project_);
      return 0;
    });
  }

  void add_sweep() {
    auto& command = add("sweep", "Runs an experiment with many configurations, and joins the results");
    command.add_option("SWEEP.toml", sweep_.file, "the base and what is varied")->required();
    command.add_option("--out", sweep_.out, "directory of all files; default: the sweep's name, here");
    command.add_option("--jobs", sweep_.jobs, "most runs at a time; default: as many as there are cores for")
        ->check(CLI::PositiveNumber);
    command.add_flag("--force", sweep_.force, "run also what is done");
    auto* join = command.add_flag("--join", sweep_.join, "run nothing, only join the results that there are");
    command
        .add_option("--slurm", sweep_.script,
                    "submit a job array with this script, jobs/sweep.sbatch, and end")
        ->excludes(join);
    command.callback([this] { chosen_ = [this] { return sweep_and_join(); }; });
  }

  /// Runs what is lacking, then joins all results, unless a job of SLURM will.
  int sweep_and_join() const {
    const auto logger = make_logger(0);
    const int code = guarded(*logger, [&] { return ouro::tools::sweep(sweep_, *logger); });
    if (code != 0 || !sweep_.script.empty()) return code;
    return on_all_ranks(argc_, argv_, [&](MPI_Comm comm, spdlog::logger& joining) {
      return ouro::tools::join_sweep(sweep_, comm, joining);
    });
  }

  int argc_;
  char** argv_;
  CLI::App app_{
      "Ouroboros simulates a wafer-scale SRAM compute-in-memory chip that serves large language models.",
      "ouroboros"};
  std::vector<std::string> names_;  // of the commands
  std::function<int()> chosen_;     // what the command that was called does

  ouro::tools::RunArguments run_;
  ouro::tools::NocArguments noc_;
  ouro::tools::ValidateArguments validate_;
  ouro::tools::CalibrateArguments calibrate_;
  ouro::tools::MapArguments map_;
  ouro::tools::PartitionArguments partition_;
  ConfigurationArguments check_;
  ConfigurationArguments workload_;
  ouro::tools::DiffArguments diff_;
  std::filesystem::path summarized_;
  bool json_ = false;
  ouro::tools::ReportArguments report_;
  ouro::tools::TraceArguments trace_;
  ouro::tools::ProjectArguments project_;
  ouro::tools::SweepArguments sweep_;
};

}  // namespace

int main(int argc, char** argv) {
  return Program{argc, argv}.run();
}
