#include "tools/sweep_command.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "engine/error.hpp"
#include "tools/sweep_array.hpp"
#include "tools/sweep_directory.hpp"
#include "tools/sweep_plan.hpp"
#include "tools/sweep_runner.hpp"
#include "tools/sweep_table.hpp"

namespace ouro::tools {
namespace {

std::filesystem::path directory_of(const SweepArguments& arguments) {
  return arguments.out.empty() ? arguments.file.stem() : arguments.out;
}

/// That this process may use, which can be fewer than the machine has.
int usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return ::sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

void check_surroundings() {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) return;
  throw engine::InputError{"ouroboros sweep", "starts mpirun by itself", "call it without mpirun"};
}

/// Those that a sweep still lacks; says how many there are.
std::vector<const SweepRun*> runs_to_do(const SweepPlan& plan, const SweepDirectory& directory, bool force,
                                        spdlog::logger& logger) {
  std::vector<const SweepRun*> to_do;
  int outdated = 0;
  for (const auto& run : plan.runs) {
    const auto state = directory.state_of(run);
    if (state == RunState::done && !force) continue;
    if (state == RunState::outdated) ++outdated;
    to_do.push_back(&run);
  }
  logger.info("{} runs, {} of them done before, in {}", plan.runs.size(), plan.runs.size() - to_do.size(),
              directory.path().string());
  if (outdated > 0) logger.warn("{} results are of another configuration, and are replaced", outdated);
  return to_do;
}

}  // namespace

int sweep(const SweepArguments& arguments, spdlog::logger& logger) {
  constexpr int kSignalled = 128;
  check_surroundings();
  const auto plan = read_sweep(arguments.file);
  const SweepDirectory directory{directory_of(arguments)};
  if (arguments.join) return 0;
  refuse_active_array(directory);
  const auto runs = runs_to_do(plan, directory, arguments.force, logger);
  if (runs.empty()) return 0;
  if (!arguments.script.empty()) {
    const SweepArray array{arguments.script, arguments.file, arguments.jobs};
    logger.info("submitted {}", submit_array(plan, directory, array, runs));
    return 0;
  }
  const int fitting = std::max(1, usable_cores() / plan.ranks);
  SweepRunner runner{plan, directory, arguments.jobs > 0 ? arguments.jobs : fitting, logger};
  const auto signal = runner.run(runs);
  if (!signal) return 0;
  logger.warn("stopped; the same command goes on with what is not done");
  return kSignalled + *signal;
}

int join_sweep(const SweepArguments& arguments, MPI_Comm comm, spdlog::logger& logger) {
  constexpr int kLacksRuns = 1;
  const auto plan = read_sweep(arguments.file);
  const SweepDirectory directory{directory_of(arguments)};
  const auto done = write_sweep_table(plan, directory, comm);
  logger.info("{} of {} runs are in {} and table.csv", done, plan.runs.size(),
              (directory.path() / "table.h5").string());
  return done == plan.runs.size() ? 0 : kLacksRuns;
}

}  // namespace ouro::tools
