#pragma once

#include <cstdint>

#include "engine/time.hpp"

namespace ouro::llm {

/// Arrivals of a Poisson process that starts at time 0. A mean gap of 0 puts all of them there.
class GeneratedArrivals {
 public:
  GeneratedArrivals(engine::Duration mean_gap, std::uint64_t seed) : mean_gap_{mean_gap}, seed_{seed} {}

  /// The arrival of the next request, a function of the seed and the indices of all requests up to it.
  /// @throws engine::InputError  past the 106 days that a run's clock holds
  engine::Time next();

 private:
  engine::Duration mean_gap_;
  std::uint64_t seed_;
  std::uint64_t index_ = 0;
  engine::Time last_{};
};

}  // namespace ouro::llm
