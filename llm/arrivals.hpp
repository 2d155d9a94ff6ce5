#pragma once

#include <cstdint>

#include "engine/time.hpp"

namespace ouro::llm {

/// The shape k of gamma-distributed gaps: whole numbers, or 1 over one. The squared coefficient of variation
/// of the gaps is 1 / k: 1 is a Poisson process, less comes in bursts, more is regular.
struct GapShape {
  int numerator = 1;
  int denominator = 1;  ///< one of the two is 1
};

/// Arrivals with independent gaps that start at time 0. A mean gap of 0 puts all of them there.
class GeneratedArrivals {
 public:
  GeneratedArrivals(engine::Duration mean_gap, GapShape shape, std::uint64_t seed)
      : mean_gap_{mean_gap}, shape_{shape}, seed_{seed} {}

  /// The arrival of the next request, a function of the seed and the indices of all requests up to it.
  /// @throws engine::InputError  past the 106 days that a run's clock holds
  engine::Time next();

 private:
  engine::Duration gap() const;
  engine::Duration regular_gap() const;
  engine::Duration bursty_gap() const;

  engine::Duration mean_gap_;
  GapShape shape_;
  std::uint64_t seed_;
  std::uint64_t index_ = 0;
  engine::Time last_{};
};

}  // namespace ouro::llm
