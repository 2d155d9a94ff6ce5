#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"

namespace ouro::engine {

/// A quantity over simulated time, in at most kWindows equal windows.
///
/// Windows are 2^shift ps wide; when time runs past the last one, neighbours are merged in pairs, so that
/// memory is bounded however long the run. Sums are of integers: the order of additions does not matter.
/// Maxima are of a level, which is told in the order of time, when it changes, and stays until then.
class Timeline {
 public:
  enum class Merge { sum, maximum };
  static constexpr std::size_t kWindows = 1024;

  explicit Timeline(Merge merge = Merge::sum) : merge_{merge} {}

  void add(Time time, std::int64_t amount) {
    const auto ticks = static_cast<std::uint64_t>(picoseconds(time));
    while ((ticks >> shift_) >= kWindows) widen();
    const auto window = static_cast<std::size_t>(ticks >> shift_);
    if (window >= values_.size()) values_.resize(window + 1, level_);
    values_[window] = combine(values_[window], amount);
    if (merge_ == Merge::maximum) level_ = amount;
  }

  /// Merges windows until they are at least 2^shift ps wide.
  void widen_to(int shift) {
    while (shift_ < shift) widen();
  }

  int shift() const { return shift_; }
  /// From when on something would be added to a later window than at `time`.
  Time window_end(Time time) const {
    const auto ticks = static_cast<std::uint64_t>(picoseconds(time));
    int shift = shift_;
    while ((ticks >> shift) >= kWindows) ++shift;
    return from_picoseconds(static_cast<std::int64_t>(((ticks >> shift) + 1) << shift));
  }
  const std::vector<std::int64_t>& values() const { return values_; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [merge, shift, values, level] = *this;
    archive_fields(archive, shift, values, level);
  }

 private:
  std::int64_t combine(std::int64_t a, std::int64_t b) const {
    return merge_ == Merge::sum ? a + b : std::max(a, b);
  }
  void widen() {
    ++shift_;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (i % 2 == 0) {
        values_[i / 2] = values_[i];
      } else {
        values_[i / 2] = combine(values_[i / 2], values_[i]);
      }
    }
    values_.resize((values_.size() + 1) / 2);
  }

  Merge merge_;
  int shift_ = 20;  // about a microsecond
  std::vector<std::int64_t> values_;
  std::int64_t level_ = 0;  // of maxima, the last one told
};

}  // namespace ouro::engine
