#include "tools/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "engine/error.hpp"

namespace ouro::tools {
namespace {

constexpr int kCannotStart = 127;  // what a shell gives

/// In the new process, between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* command, int log, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kCannotStart);  // it died before prctl
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execvp(command[0], command);
  ::_exit(kCannotStart);
}

}  // namespace

HeldSignals::HeldSignals() {
  ::sigemptyset(&held_);
  for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&held_, number);
  ::sigprocmask(SIG_BLOCK, &held_, &before_);
}

HeldSignals::~HeldSignals() {
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> HeldSignals::wait(double seconds) const {
  constexpr double kNanosecondsOfSecond = 1e9;
  const double whole = std::floor(seconds);
  const timespec limit{.tv_sec = static_cast<time_t>(whole),
                       .tv_nsec = static_cast<long>((seconds - whole) * kNanosecondsOfSecond)};
  const int number = ::sigtimedwait(&held_, nullptr, &limit);
  return number > 0 ? std::optional{number} : std::nullopt;
}

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::filesystem::path& log) {
  const int opened = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (opened < 0)
    throw engine::InputError{log.string(), fmt::format("cannot be written: {}", std::strerror(errno))};
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));  // as execvp wants them
  words.push_back(nullptr);
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(words.data(), opened, parent);
  const int reason = errno;
  ::close(opened);
  if (pid_ < 0)
    throw engine::InputError{command.front(), fmt::format("cannot be started: {}", std::strerror(reason))};
}

std::optional<int> ChildProcess::exit_code() {
  constexpr int kSignalled = 128;
  int status = 0;
  if (!exit_code_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    exit_code_ = WIFSIGNALED(status) ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
  return exit_code_;
}

void ChildProcess::ask_to_end() const {
  if (!exit_code_) ::kill(pid_, SIGTERM);
}

void ChildProcess::kill() const {
  if (!exit_code_) ::kill(-pid_, SIGKILL);
}

std::optional<std::filesystem::path> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream directories{path == nullptr ? "" : path};
  for (std::string directory; std::getline(directories, directory, ':');) {
    const auto candidate = std::filesystem::path{directory} / name;
    if (::access(candidate.c_str(), X_OK) == 0 && !std::filesystem::is_directory(candidate)) return candidate;
  }
  return std::nullopt;
}

}  // namespace ouro::tools
