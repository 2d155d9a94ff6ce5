#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/time.hpp"

namespace ouro::engine {

/// Rows of times or durations by slot, and the least of each column: what every pending event promises each
/// target of a border.
///
/// The least is asked for once a synchronization, and rows come and go far more often: so it is searched for
/// when it is asked for, over blocks of which only those are read again that lost their least.
template <class T>
class LeastTable {
 public:
  explicit LeastTable(std::size_t columns) : columns_{columns} {}

  /// Of a slot that has no row.
  void set(std::uint32_t slot, std::span<const T> row) {
    if ((slot + 1) * columns_ > rows_.size()) grow(slot);
    T* const own = of(rows_, slot);
    T* const block = of(blocks_, slot / kBlock);
    for (std::size_t i = 0; i < columns_; ++i) {
      own[i] = row[i];
      block[i] = std::min(block[i], row[i]);
    }
  }

  /// Takes a row out of the table.
  void take(std::uint32_t slot, std::span<T> row) {
    T* const own = of(rows_, slot);
    T* const block = of(blocks_, slot / kBlock);
    for (std::size_t i = 0; i < columns_; ++i) {
      row[i] = own[i];
      if (own[i] != T::max() && own[i] <= block[i]) block[i] = kUnknown;
      own[i] = T::max();
    }
  }

  /// T::max() if there are no rows.
  T least(std::size_t column) const {
    T least = T::max();
    for (std::size_t i = column; i < blocks_.size(); i += columns_) {
      if (blocks_[i] == kUnknown) blocks_[i] = least_of_block(i / columns_, column);
      least = std::min(least, blocks_[i]);
    }
    return least;
  }

 private:
  static constexpr std::size_t kBlock = 32;  // slots
  static constexpr T kUnknown = T::min();    // set() leaves it so: it is below every value

  T* of(std::vector<T>& rows, std::size_t index) const { return rows.data() + index * columns_; }

  T least_of_block(std::size_t block, std::size_t column) const {
    T least = T::max();
    const auto first = block * kBlock * columns_ + column;
    for (std::size_t i = 0; i < kBlock; ++i) least = std::min(least, rows_[first + i * columns_]);
    return least;
  }

  void grow(std::uint32_t slot) {
    const auto blocks = 2 * (slot / kBlock + 1);
    blocks_.resize(blocks * columns_, T::max());
    rows_.resize(blocks * kBlock * columns_, T::max());
  }

  std::size_t columns_;
  std::vector<T> rows_;            // by slot
  mutable std::vector<T> blocks_;  // the least of each block of slots, alike
};

}  // namespace ouro::engine
