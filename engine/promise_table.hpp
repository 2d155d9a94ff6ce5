#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/time.hpp"

namespace ouro::engine {

/// The promise of every pending event for every target of a border: the earliest time at which something that
/// follows from it can arrive there.
///
/// Promises are asked for once a synchronization, and events come and go far more often: so the least is
/// searched for when it is asked for, over blocks of which only those are read again that lost their least.
class PromiseTable {
 public:
  explicit PromiseTable(std::size_t targets) : targets_{targets} {}

  /// @param slot      of the event in its queue
  /// @param promises  by target
  void set(std::uint32_t slot, std::span<const Time> promises) {
    if ((slot + 1) * targets_ > promises_.size()) grow(slot);
    Time* const own = of(promises_, slot);
    Time* const block = of(blocks_, slot / kBlock);
    for (std::size_t i = 0; i < targets_; ++i) {
      own[i] = promises[i];
      block[i] = std::min(block[i], promises[i]);
    }
  }

  /// Takes the promises of an event that is about to be handled out of the table.
  void take(std::uint32_t slot, std::span<Time> promises) {
    Time* const own = of(promises_, slot);
    Time* const block = of(blocks_, slot / kBlock);
    for (std::size_t i = 0; i < targets_; ++i) {
      promises[i] = own[i];
      if (own[i] != kNever && own[i] <= block[i]) block[i] = kUnknown;
      own[i] = kNever;
    }
  }

  /// kNever if nothing can follow.
  Time least(std::size_t target) const {
    Time least = kNever;
    for (std::size_t i = target; i < blocks_.size(); i += targets_) {
      if (blocks_[i] == kUnknown) blocks_[i] = least_of_block(i / targets_, target);
      least = std::min(least, blocks_[i]);
    }
    return least;
  }

 private:
  static constexpr std::size_t kBlock = 32;      // slots
  static constexpr Time kUnknown = Time::min();  // set() leaves it so: it is below every promise

  Time* of(std::vector<Time>& rows, std::size_t index) const { return rows.data() + index * targets_; }

  Time least_of_block(std::size_t block, std::size_t target) const {
    Time least = kNever;
    const auto first = block * kBlock * targets_ + target;
    for (std::size_t i = 0; i < kBlock; ++i) least = std::min(least, promises_[first + i * targets_]);
    return least;
  }

  void grow(std::uint32_t slot) {
    const auto blocks = 2 * (slot / kBlock + 1);
    blocks_.resize(blocks * targets_, kNever);
    promises_.resize(blocks * kBlock * targets_, kNever);
  }

  std::size_t targets_;
  std::vector<Time> promises_;        // rows of all targets, by slot
  mutable std::vector<Time> blocks_;  // the least of each block of slots, alike
};

}  // namespace ouro::engine
