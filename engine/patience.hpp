#pragma once

#include <sched.h>

#include <chrono>
#include <thread>

namespace ouro::engine {

/// Waiting for a message by polling: at first at once, then giving way to other processes, and after a while
/// asleep, so that ranks that have nothing to do leave the processors to those that have.
class Patience {
 public:
  /// Call this after each poll in vain.
  void wait() {
    if (++polls_ <= kEagerPolls) return;
    if (polls_ <= kYieldingPolls) {
      sched_yield();
    } else {
      std::this_thread::sleep_for(kSleep);
    }
  }

 private:
  static constexpr int kEagerPolls = 64;
  static constexpr int kYieldingPolls = 4096;  // about a millisecond
  static constexpr std::chrono::microseconds kSleep{20};
  int polls_ = 0;
};

}  // namespace ouro::engine
