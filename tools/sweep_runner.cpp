#include "tools/sweep_runner.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <fstream>

#include "engine/error.hpp"
#include "tools/progress.hpp"

namespace ouro::tools {
namespace {

constexpr double kSecondsBetweenStatus = 1;
constexpr double kSecondsToEnd = 15;  // mpirun kills ranks that do not end 2 s after a SIGTERM

/// Why a run failed, by its log: what the program says as an error, or its last words.
std::string last_words(const std::filesystem::path& log) {
  std::ifstream text{log};
  std::string last, error;
  for (std::string line; std::getline(text, line);) {
    if (std::ranges::any_of(line, [](unsigned char character) { return std::isalpha(character) != 0; }))
      last = line;
    for (const auto* mark : {" error [rank ", " critical [rank "}) {
      if (const auto at = line.find(mark); at != std::string::npos)
        error = line.substr(line.find("] ", at) + 2);
    }
  }
  return error.empty() ? last : error;
}

/// Without --bind-to none, mpirun would bind the ranks of each run to the same first cores.
std::vector<std::string> launcher_for(int ranks) {
  if (ranks == 1) return {};
  if (!find_program("mpirun"))
    throw engine::InputError{"mpirun", "is not in PATH", "runs on several ranks need it"};
  return {"mpirun", "--bind-to", "none", "-n", std::to_string(ranks)};
}

}  // namespace

SweepRunner::SweepRunner(const SweepPlan& plan, const SweepDirectory& directory, int jobs,
                         spdlog::logger& logger)
    : directory_{directory},
      jobs_{static_cast<std::size_t>(jobs)},
      logger_{logger},
      terminal_{isatty(STDERR_FILENO) != 0},
      launcher_{launcher_for(plan.ranks)} {}

std::optional<int> SweepRunner::run(const std::vector<const SweepRun*>& runs) {
  const HeldSignals signals;
  for (std::size_t next = 0; next < runs.size() || !running_.empty();) {
    while (next < runs.size() && running_.size() < jobs_) start(*runs[next++]);
    show_status(runs.size() - next);
    const auto signal = signals.wait(kSecondsBetweenStatus);
    if (signal && *signal != SIGCHLD) {
      end_all(signals);
      return signal;
    }
    collect_ended(runs.size() - next);
  }
  clear_status();
  return std::nullopt;
}

std::vector<std::string> SweepRunner::command_for(const SweepRun& run) const {
  auto command = launcher_;
  command.insert(command.end(), {std::filesystem::read_symlink("/proc/self/exe").string(), "run",
                                 directory_.experiment_of(run).string(), "--out",
                                 directory_.result_of(run).string(), "--force"});
  return command;
}

void SweepRunner::start(const SweepRun& run) {
  directory_.write_experiment(run);
  running_.push_back({&run, wall_seconds(), ChildProcess{command_for(run), directory_.log_of(run)}});
}

void SweepRunner::collect_ended(std::size_t waiting) {
  for (auto it = running_.begin(); it != running_.end();) {
    const auto code = it->process.exit_code();
    if (!code) {
      ++it;
      continue;
    }
    const auto ended = *it;
    it = running_.erase(it);
    report(ended, *code, waiting);
  }
}

void SweepRunner::report(const Running& ended, int code, std::size_t waiting) {
  const double seconds = wall_seconds() - ended.begin;
  seconds_of_ended_ += seconds;
  const bool is_done = code == 0 && directory_.state_of(*ended.run) == RunState::done;
  ++(is_done ? done_ : failed_);
  clear_status();
  if (is_done) {
    logger_.info("{} done in {}; {}", ended.run->name, describe_time(seconds), describe_progress(waiting));
  } else {
    logger_.error("{} failed with code {}: {} (see {})", ended.run->name, code,
                  last_words(directory_.log_of(*ended.run)), directory_.log_of(*ended.run).string());
  }
}

void SweepRunner::end_all(const HeldSignals& signals) {
  clear_status();
  logger_.warn("ending {} runs", running_.size());
  for (const auto& running : running_) running.process.ask_to_end();
  const double begin = wall_seconds();
  while (!running_.empty()) {
    std::erase_if(running_, [](Running& running) { return running.process.exit_code().has_value(); });
    if (running_.empty()) break;
    const auto signal = signals.wait(kSecondsBetweenStatus);
    const bool is_hurried = signal && *signal != SIGCHLD;
    if (!is_hurried && wall_seconds() - begin < kSecondsToEnd) continue;
    for (const auto& running : running_) running.process.kill();
  }
}

std::string SweepRunner::describe_progress(std::size_t waiting) const {
  const auto total = static_cast<std::size_t>(done_ + failed_) + running_.size() + waiting;
  return fmt::format("{} of {} runs done, {} running, {} failed, {} left", done_, total, running_.size(),
                     failed_, time_left(waiting));
}

/// By the mean time of those that have ended.
std::string SweepRunner::time_left(std::size_t waiting) const {
  if (done_ + failed_ == 0) return "? s";
  const double mean = seconds_of_ended_ / (done_ + failed_);
  double left = mean * static_cast<double>(waiting);
  for (const auto& running : running_) left += std::max(0.0, mean - (wall_seconds() - running.begin));
  const auto side_by_side = std::min(jobs_, std::max<std::size_t>(1, running_.size() + waiting));
  return describe_time(left / static_cast<double>(side_by_side));
}

void SweepRunner::show_status(std::size_t waiting) {
  if (!terminal_) return;
  fmt::print(stderr, "\r\x1b[K{}", describe_progress(waiting));
  std::fflush(stderr);
}

void SweepRunner::clear_status() {
  if (!terminal_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace ouro::tools
