#include "tools/sweep_array.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "engine/error.hpp"
#include "tools/child_process.hpp"

namespace ouro::tools {
namespace {

using engine::InputError;

struct Answer {
  int code;
  std::string text;  // without the end of its last line
};

/// Runs a program to its end.
Answer ask(const std::vector<std::string>& command, const std::filesystem::path& log) {
  constexpr double kSecondsBetweenLooks = 1;
  const HeldSignals signals;
  ChildProcess process{command, log};
  while (!process.exit_code()) signals.wait(kSecondsBetweenLooks);
  std::ostringstream text;
  text << std::ifstream{log}.rdbuf();
  auto said = text.str();
  said.erase(said.find_last_not_of(" \n") + 1);
  return {*process.exit_code(), said};
}

std::filesystem::path job_file(const SweepDirectory& directory) {
  return directory.path() / "array.job";
}

void write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out{file};
  out << text;
  out.close();
  if (!out) throw InputError{file.string(), "cannot be written"};
}

/// @return  the number of the job
std::string submit(const SweepDirectory& directory, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{"sbatch", "--parsable"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const auto answer = ask(command, directory.path() / "sbatch.log");
  if (answer.code != 0) throw InputError{"sbatch", answer.text};
  return answer.text.substr(0, answer.text.find(';'));  // a cluster's name may follow
}

/// The name of each run by the number of its array task, for the script.
std::filesystem::path write_names(const SweepDirectory& directory, const std::vector<const SweepRun*>& runs) {
  std::string names;
  for (const auto* run : runs) names += run->name + '\n';
  auto file = directory.path() / "array.txt";
  write_text(file, names);
  return file;
}

}  // namespace

void refuse_active_array(const SweepDirectory& directory) {
  std::string job;
  if (!(std::ifstream{job_file(directory)} >> job) || !find_program("squeue")) return;
  const auto answer = ask({"squeue", "--noheader", "--jobs", job}, directory.path() / "squeue.log");
  if (answer.code != 0 || answer.text.empty()) return;  // SLURM has forgotten it
  throw InputError{directory.path().string(), fmt::format("its array {} is queued or running", job),
                   fmt::format("wait for it, or scancel {}", job)};
}

std::string submit_array(const SweepPlan& plan, const SweepDirectory& directory, const SweepArray& array,
                         const std::vector<const SweepRun*>& runs) {
  if (!find_program("sbatch")) throw InputError{"sbatch", "is not in PATH", "SLURM has it"};
  if (!std::filesystem::exists(array.script))
    throw InputError{array.script.string(), "there is no such file", "--slurm jobs/sweep.sbatch"};
  for (const auto* run : runs) directory.write_experiment(*run);
  const auto names = write_names(directory, runs);
  const auto limit = array.jobs > 0 ? fmt::format("%{}", array.jobs) : "";
  const auto path = directory.path().string();
  const auto job = submit(
      directory, {fmt::format("--array=0-{}{}", runs.size() - 1, limit),
                  fmt::format("--ntasks={}", plan.ranks), array.script.string(), path, names.string()});
  write_text(job_file(directory), job + '\n');
  const auto join = submit(directory, {"--dependency=afterany:" + job, "--ntasks=1", array.script.string(),
                                       path, array.sweep.string()});
  return fmt::format("array {} with {} runs, and job {}, which joins them", job, runs.size(), join);
}

}  // namespace ouro::tools
