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
  explicit PromiseTable(std::size_t targets) : targets_(targets) {}

  /// @param slot      of the event in its queue
  /// @param promises  by target
  void set(std::uint32_t slot, std::span<const Time> promises) {
    for (std::size_t i = 0; i < targets_.size(); ++i) targets_[i].set(slot, promises[i]);
  }

  /// Takes the promises of an event that is about to be handled out of the table.
  void take(std::uint32_t slot, std::span<Time> promises) {
    for (std::size_t i = 0; i < targets_.size(); ++i) promises[i] = targets_[i].take(slot);
  }

  /// kNever if nothing can follow.
  Time least(std::size_t target) const { return targets_[target].least(); }

 private:
  class Column {
   public:
    void set(std::uint32_t slot, Time promise) {
      if (slot >= promises_.size()) grow(slot);
      promises_[slot] = promise;
      auto& block = blocks_[slot / kBlock];
      block = std::min(block, promise);
    }

    Time take(std::uint32_t slot) {
      const Time promise = promises_[slot];
      promises_[slot] = kNever;
      auto& block = blocks_[slot / kBlock];
      if (promise != kNever && promise <= block) block = kUnknown;
      return promise;
    }

    Time least() const {
      Time least = kNever;
      for (std::size_t i = 0; i < blocks_.size(); ++i) {
        auto& block = blocks_[i];
        if (block == kUnknown) {
          const auto first = promises_.begin() + static_cast<std::ptrdiff_t>(i * kBlock);
          block = *std::min_element(first, first + kBlock);
        }
        least = std::min(least, block);
      }
      return least;
    }

   private:
    static constexpr std::size_t kBlock = 32;
    static constexpr Time kUnknown = Time::min();  // set() leaves it so: it is below every promise

    void grow(std::uint32_t slot) {
      const auto blocks = 2 * (slot / kBlock + 1);
      blocks_.resize(blocks, kNever);
      promises_.resize(blocks * kBlock, kNever);
    }

    std::vector<Time> promises_;        // by slot
    mutable std::vector<Time> blocks_;  // the least of each block
  };

  std::vector<Column> targets_;
};

}  // namespace ouro::engine
