#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ouro::engine {

/// How many events the rank that has most of each window handles, in all windows together: no synchronizer
/// that lets ranks meet after each window takes less. And the same if ranks met more rarely, after each 2, 4,
/// 8, ... windows.
class BusiestRanks {
 public:
  static constexpr std::size_t kLevels = 11;  ///< from each window to each 1024

  explicit BusiestRanks(std::size_t ranks);

  /// In the window that is open.
  void add(std::size_t rank, std::uint64_t events) { open_.front()[rank] += events; }
  void end_window();

  /// If ranks met after each 2^level windows, the open ones included.
  std::uint64_t events(std::size_t level) const;

 private:
  void close(std::size_t level);

  std::uint64_t windows_ = 0;
  std::vector<std::vector<std::uint64_t>> open_;  // by level and rank, of what no level below has open
  std::vector<std::uint64_t> closed_;             // by level
};

}  // namespace ouro::engine
