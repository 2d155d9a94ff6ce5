#include <fmt/format.h>
#include <mpi.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "tools/check_command.hpp"
#include "tools/diff_command.hpp"
#include "tools/map_command.hpp"
#include "tools/noc_command.hpp"
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

void add_assignments(CLI::App& command, std::vector<std::string>& assignments) {
  command.add_option("--set", assignments, "section.key=value, over what the file says")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
}

void add_configuration(CLI::App& command, ouro::tools::ConfigurationArguments& arguments) {
  command.add_option("FILE.toml", arguments.file, "the experiment")->required();
  add_assignments(command, arguments.assignments);
}

/// @param suffix  of the default name
void add_output(CLI::App& command, std::filesystem::path& out, bool& force, const std::string& suffix) {
  command.add_option("--out", out, "result file; default: the experiment's name with " + suffix + ", here");
  command.add_flag("--force", force, "overwrite the result file");
}

void add_run(CLI::App& command, ouro::tools::RunArguments& arguments) {
  command.add_option("FILE.toml", arguments.configuration.file, "the experiment; not with --restart");
  add_assignments(command, arguments.configuration.assignments);
  add_output(command, arguments.out, arguments.force, ".h5");
  command.add_flag("--profile", arguments.profile, "say where the wall time went, and what limits the run");
  command.add_option(
      "--restart", arguments.restart,
      "go on from this checkpoint, on any number of ranks; the configuration is in it, and the "
      "result has its name");
  command.add_option(
      "--checkpoint-every", arguments.checkpoint_minutes,
      "minutes of wall time between checkpoints, default 10; 0 for none. SIGUSR1 asks for one, "
      "SIGUSR2 for one and to stop (exit code 4), SIGTERM too");
  command.add_option("--checkpoint-at", arguments.checkpoint_at,
                     "simulated time of one more checkpoint, such as \"5 ms\"");
}

void add_noc(CLI::App& command, ouro::tools::NocArguments& arguments) {
  add_configuration(command, arguments.configuration);
  add_output(command, arguments.out, arguments.force, ".noc.h5");
  command
      .add_option("--rates", arguments.rates,
                  "injection rates such as 0.1,0.2, one study each, instead of traffic.injection_rate")
      ->delimiter(',');
}

void add_map(CLI::App& command, ouro::tools::MapArguments& arguments) {
  add_configuration(command, arguments.configuration);
  command.add_option("-o,--out", arguments.out, "store the mapping, to be read by mapping.file");
  command.add_option("--svg", arguments.svg, "draw it");
  command.add_flag("--force", arguments.force, "overwrite these files");
  command.add_flag("--picture", arguments.picture, "print it, a letter for each core");
  command.add_option("--exact", arguments.exact_seconds,
                     "look for the optimum for so many seconds, on up to about 15 cores");
}

void add_projection(CLI::App& command, ouro::tools::ProjectArguments& arguments) {
  command.add_option("RUN.h5", arguments.result, "the run, with what it measured of itself")->required();
  command.add_option("--ranks", arguments.ranks, "how many, such as 1,2,4")->required();
  command.add_option("--latency", arguments.latency, "of a message of that cluster, such as 1.5us")
      ->required();
  command.add_option("--bandwidth", arguments.bandwidth, "of its network, such as 12GB/s")->required();
  command.add_option("--synchronizer", arguments.synchronizer, "null-message or window; default: the run's");
  command.add_option("--lookahead", arguments.lookahead, "promises or link; default: the run's");
  add_assignments(command, arguments.assignments);
}

void add_validation(CLI::App& command, ouro::tools::ValidateArguments& arguments) {
  add_configuration(command, arguments.configuration);
  command
      .add_option("--fidelities", arguments.fidelities, "the second is compared with the first; packet,stage")
      ->delimiter(',');
  command.add_flag("--json", arguments.json, "print JSON instead of a table");
}

void add_sweep(CLI::App& command, ouro::tools::SweepArguments& arguments) {
  command.add_option("SWEEP.toml", arguments.file, "the base and what is varied")->required();
  command.add_option("--out", arguments.out, "directory of all files; default: the sweep's name, here");
  command
      .add_option("--jobs", arguments.jobs, "most runs at a time; default: as many as there are cores for")
      ->check(CLI::PositiveNumber);
  command.add_flag("--force", arguments.force, "run also what is done");
  auto* join =
      command.add_flag("--join", arguments.join, "run nothing, only join the results that there are");
  command
      .add_option("--slurm", arguments.script,
                  "submit a job array with this script, jobs/sweep.sbatch, and end")
      ->excludes(join);
}

/// Runs what is lacking, then joins all results, unless a job of SLURM will.
int sweep_and_join(int argc, char** argv, const ouro::tools::SweepArguments& arguments) {
  const auto logger = make_logger(0);
  const int code = guarded(*logger, [&] { return ouro::tools::sweep(arguments, *logger); });
  if (code != 0 || !arguments.script.empty()) return code;
  return on_all_ranks(argc, argv, [&](MPI_Comm comm, spdlog::logger& joining) {
    return ouro::tools::join_sweep(arguments, comm, joining);
  });
}

void add_report(CLI::App& command, ouro::tools::ReportArguments& arguments) {
  command.add_option("RUN.h5", arguments.runs, "shown side by side")->required();
  command.add_option("-o,--out", arguments.out, "the page; default: the first run's name with .html, here");
  command.add_flag("--force", arguments.force, "overwrite the page");
}

void add_trace(CLI::App& command, ouro::tools::TraceArguments& arguments) {
  command.add_option("RUN.h5", arguments.run)->required();
  command.add_option("-o,--out", arguments.out, "the trace; default: the run's name with .trace.json, here");
  command.add_flag("--force", arguments.force, "overwrite the trace");
  command.add_option("--max-mb", arguments.megabytes, "most MB that are written; default: 20")
      ->check(CLI::PositiveNumber);
}

void add_diff(CLI::App& command, ouro::tools::DiffArguments& arguments) {
  command.add_option("A.h5", arguments.a)->required();
  command.add_option("B.h5", arguments.b)->required();
  command
      .add_option("--rtol", arguments.tolerance,
                  "compare the figures of the summary instead of every bit; how far each may be off, such as "
                  "0.03 for 3 %")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--tolerance", arguments.tolerances,
                  "the same for one figure, or each value of a dataset, such as ttft_p99_ms=0.1")
      ->allow_extra_args(false)
      ->type_name("NAME=x");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Ouroboros simulates a wafer-scale SRAM compute-in-memory chip that serves large language models.",
      "ouroboros"};
  app.set_version_flag("--version",
                       fmt::format("ouroboros {} {}", ouro::tools::kVersion, ouro::tools::kRevision));
  app.require_subcommand(1);

  ouro::tools::RunArguments run_arguments;
  auto* run_app = app.add_subcommand("run", "Runs an experiment; under mpirun on as many ranks as it gives");
  add_run(*run_app, run_arguments);

  ouro::tools::NocArguments noc_arguments;
  auto* noc_app = app.add_subcommand("noc", "Studies the network alone under synthetic or given traffic");
  add_noc(*noc_app, noc_arguments);

  ouro::tools::ValidateArguments validate_arguments;
  auto* validate_app =
      app.add_subcommand("validate", "Runs an experiment at two fidelities and prints how they differ");
  add_validation(*validate_app, validate_arguments);

  ouro::tools::MapArguments map_arguments;
  auto* map_app = app.add_subcommand("map", "Maps a model onto the wafer, and prints what the mapping costs");
  add_map(*map_app, map_arguments);

  ouro::tools::ConfigurationArguments check_arguments;
  auto* check_app =
      app.add_subcommand("check", "Prints the resolved configuration with the source of each value");
  add_configuration(*check_app, check_arguments);

  ouro::tools::ConfigurationArguments workload_arguments;
  auto* workload_app =
      app.add_subcommand("workload", "Reads a workload through and says what is in it, without a model");
  add_configuration(*workload_app, workload_arguments);

  ouro::tools::DiffArguments diff_arguments;
  auto* diff_app = app.add_subcommand("diff", "Says whether two results agree in every simulated quantity");
  add_diff(*diff_app, diff_arguments);

  std::filesystem::path summarized;
  bool json = false;
  auto* summary_app = app.add_subcommand("summary", "Prints the main figures of a run");
  summary_app->add_option("RUN.h5", summarized)->required();
  summary_app->add_flag("--json", json, "all figures as one JSON object, with units in the keys");

  ouro::tools::ReportArguments report_arguments;
  auto* report_app = app.add_subcommand("report", "Writes a page to look at the results of runs");
  add_report(*report_app, report_arguments);

  ouro::tools::TraceArguments trace_arguments;
  auto* trace_app = app.add_subcommand("trace", "Writes what a run recorded over time for Perfetto");
  add_trace(*trace_app, trace_arguments);

  ouro::tools::ProjectArguments project_arguments;
  auto* project_app =
      app.add_subcommand("project", "Predicts how long a run would take on the ranks of a cluster");
  add_projection(*project_app, project_arguments);

  ouro::tools::SweepArguments sweep_arguments;
  auto* sweep_app =
      app.add_subcommand("sweep", "Runs an experiment with many configurations, and joins the results");
  add_sweep(*sweep_app, sweep_arguments);

  std::vector<std::string> commands;
  for (auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command->set_version_flag("--version", app.version());
    commands.push_back(command->get_name());
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0 && !app.remaining().empty()) {
      fmt::print(stderr, "ouroboros: there is no command '{}'; known: {}\n", app.remaining().front(),
                 fmt::join(commands, ", "));
      return kInputAtFault;
    }
    return app.exit(error) == 0 ? 0 : kInputAtFault;
  }
  if (run_app->parsed()) {
    ouro::tools::listen_to_signals();
    return on_all_ranks(argc, argv, [&](MPI_Comm comm, spdlog::logger& logger) {
      return ouro::tools::run(run_arguments, comm, logger);
    });
  }
  if (noc_app->parsed()) {
    return on_all_ranks(argc, argv, [&](MPI_Comm comm, spdlog::logger& logger) {
      return ouro::tools::noc(noc_arguments, comm, logger);
    });
  }
  if (validate_app->parsed()) {
    return on_all_ranks(argc, argv, [&](MPI_Comm comm, spdlog::logger& logger) {
      return ouro::tools::validate(validate_arguments, comm, logger);
    });
  }
  if (sweep_app->parsed()) return sweep_and_join(argc, argv, sweep_arguments);
  if (map_app->parsed()) {
    return on_all_ranks(argc, argv, [&](MPI_Comm comm, spdlog::logger& logger) {
      return ouro::tools::map(map_arguments, comm, logger);
    });
  }
  const auto logger = make_logger(0);
  return guarded(*logger, [&] {
    if (diff_app->parsed()) return ouro::tools::diff(diff_arguments) ? 0 : kDifferent;
    if (summary_app->parsed()) {
      ouro::tools::summarize(summarized,
                             json ? ouro::tools::SummaryFormat::json : ouro::tools::SummaryFormat::lines);
    } else if (report_app->parsed()) {
      fmt::print("wrote {}\n", ouro::tools::report(report_arguments).string());
    } else if (trace_app->parsed()) {
      fmt::print("{}\n", ouro::tools::trace(trace_arguments));
    } else if (project_app->parsed()) {
      ouro::tools::project(project_arguments);
    } else if (workload_app->parsed()) {
      ouro::tools::workload(workload_arguments);
    } else {
      ouro::tools::check(check_arguments);
    }
    return 0;
  });
}
