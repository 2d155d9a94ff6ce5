#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ouro::tools {

/// Keeps signals from acting, so that they are taken where the program waits for them. Children are not
/// affected.
class HeldSignals {
 public:
  /// A child that ends (SIGCHLD), and what asks the program to end: SIGINT, SIGTERM, SIGHUP.
  HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals();

  /// Waits for one of them, so long at most.
  std::optional<int> wait(double seconds) const;

 private:
  sigset_t held_{};
  sigset_t before_{};
};

/// A program that this one started. It gets a process group of its own, so that Ctrl-C reaches it through
/// this program only, and a SIGTERM if this program dies.
class ChildProcess {
 public:
  /// @param command  program and arguments; the program is looked up in PATH
  /// @param log      takes what it prints
  /// @throws InputError  if `log` cannot be written, or no process can be started
  ChildProcess(const std::vector<std::string>& command, const std::filesystem::path& log);

  /// Its exit code once it has ended, 128 + n if signal n ended it; nothing before.
  std::optional<int> exit_code();
  void ask_to_end() const;  ///< SIGTERM: mpirun passes it on to its ranks
  void kill() const;        ///< SIGKILL, to its whole group

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

/// Where a program is, as the shell would find it.
std::optional<std::filesystem::path> find_program(const std::string& name);

}  // namespace ouro::tools
