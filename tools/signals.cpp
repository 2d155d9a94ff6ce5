#include "tools/signals.hpp"

#include <csignal>

namespace ouro::tools {
namespace {

// a signal handler has nothing else that it could tell
volatile std::sig_atomic_t usr1 = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t usr2 = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t term = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void note(int signal) {
  if (signal == SIGUSR1) usr1 = 1;
  if (signal == SIGUSR2) usr2 = 1;
  if (signal == SIGTERM) term = 1;
}

bool take(volatile std::sig_atomic_t& flag) {
  const bool was_set = flag != 0;
  if (was_set) flag = 0;
  return was_set;
}

}  // namespace

void listen_to_signals() {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGUSR2, &action, nullptr);
  action.sa_flags |= static_cast<int>(SA_RESETHAND);
  sigaction(SIGTERM, &action, nullptr);
}

Wish take_wish() {
  const bool wants_checkpoint = take(usr1), wants_both = take(usr2), wants_stop = take(term);
  if (wants_stop) return Wish::stop;
  if (wants_both) return Wish::checkpoint_and_stop;
  return wants_checkpoint ? Wish::checkpoint : Wish::go_on;
}

}  // namespace ouro::tools
