#pragma once

#include <bit>
#include <cstdint>
#include <map>

#include "engine/state_archive.hpp"

namespace ouro::engine {

/// Counts of non-negative values in buckets that are less than 0.4 % wide, for percentiles in bounded memory.
///
/// Values below 256 are exact. Above, each power of two is split into 256 equal buckets, as in
/// G. Tene's HdrHistogram.
class Histogram {
 public:
  void add(std::int64_t value, std::int64_t count = 1) {
    buckets_[bucket(static_cast<std::uint64_t>(value))] += count;
    count_ += count;
  }

  /// Calls `visit` with the smallest value of each bucket that is not empty, and its count; to add() these to
  /// another histogram merges the two.
  template <class Visitor>
  void for_each(const Visitor& visit) const {
    for (const auto& [bucket, count] : buckets_) visit(lowest(bucket), count);
  }

  /// Smallest value of the first bucket; 0 if there are none.
  std::int64_t least() const { return buckets_.empty() ? 0 : lowest(buckets_.begin()->first); }

  std::int64_t count() const { return count_; }

  /// @param share  in (0, 1]
  /// @return  smallest value of the bucket in which that share of all values is reached; 0 if there are none
  std::int64_t percentile(double share) const {
    std::int64_t seen = 0;
    for (const auto& [bucket, count] : buckets_) {
      seen += count;
      if (static_cast<double>(seen) >= share * static_cast<double>(count_)) return lowest(bucket);
    }
    return 0;
  }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [buckets, count] = *this;
    archive_fields(archive, buckets, count);
  }

 private:
  static constexpr int kBits = 8;

  static std::uint32_t bucket(std::uint64_t value) {
    if (value < (1U << kBits)) return static_cast<std::uint32_t>(value);
    const int shift = std::bit_width(value) - 1 - kBits;
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(shift) + 1) << kBits) +
           static_cast<std::uint32_t>((value >> shift) - (1U << kBits));
  }
  static std::int64_t lowest(std::uint32_t bucket) {
    if (bucket < (1U << kBits)) return bucket;
    const int shift = static_cast<int>(bucket >> kBits) - 1;
    return static_cast<std::int64_t>(((bucket & ((1U << kBits) - 1)) + (1ULL << kBits)) << shift);
  }

  std::map<std::uint32_t, std::int64_t> buckets_;
  std::int64_t count_ = 0;
};

}  // namespace ouro::engine
