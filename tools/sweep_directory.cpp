#include "tools/sweep_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "engine/error.hpp"
#include "engine/file_lock.hpp"
#include "engine/results_reader.hpp"
#include "tools/configuration.hpp"

namespace ouro::tools {

using engine::InputError;

SweepDirectory::SweepDirectory(const std::filesystem::path& path) : path_{path} {
  std::error_code failure;
  std::filesystem::create_directories(path_ / "runs", failure);
  if (failure) throw InputError{path_.string(), fmt::format("cannot be a directory: {}", failure.message())};
  lock_ = ::open((path_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0) throw InputError{path_.string(), fmt::format("cannot be written: {}", std::strerror(errno))};
  if (engine::try_lock(lock_)) return;
  ::close(lock_);
  throw InputError{path_.string(), "another sweep works there", "wait for it, or name another by --out"};
}

SweepDirectory::~SweepDirectory() {
  ::close(lock_);
}

std::filesystem::path SweepDirectory::file_of(const SweepRun& run, const char* suffix) const {
  return path_ / "runs" / (run.name + suffix);
}

RunState SweepDirectory::state_of(const SweepRun& run) const {
  try {
    const engine::ResultsReader result{result_of(run)};
    const auto* complete = result.find_attribute("/", "complete");
    if (complete == nullptr || *complete != engine::AttributeValue{std::int64_t{1}}) return RunState::missing;
    const auto text = result.read_texts("/configuration/resolved_toml").at(0);
    const auto config = make_configuration({result.name(), text}, {});
    return config.values_toml() == run.config.values_toml() ? RunState::done : RunState::outdated;
  } catch (const InputError&) {
    return std::filesystem::exists(result_of(run)) ? RunState::outdated : RunState::missing;
  }
}

void SweepDirectory::write_experiment(const SweepRun& run) const {
  const auto file = experiment_of(run);
  std::ofstream out{file};
  out << fmt::format("# A run of a sweep; everything else is as in the defaults.\n{}",
                     run.config.changes_toml());
  out.close();
  if (!out) throw InputError{file.string(), fmt::format("cannot be written: {}", std::strerror(errno))};
}

}  // namespace ouro::tools
