#pragma once

#include <compare>
#include <cstdint>

#include "engine/error.hpp"

namespace ouro::engine {

/// Energy, in whole femtojoules: its sum over links and ranks is the same in any order.
class Energy {
 public:
  constexpr Energy() = default;
  static constexpr Energy femtojoules(std::int64_t count) { return Energy{count}; }

  constexpr std::int64_t femtojoules() const { return femtojoules_; }
  constexpr double joules() const { return 1e-15 * static_cast<double>(femtojoules_); }

  friend constexpr Energy operator+(Energy a, Energy b) { return Energy{a.femtojoules_ + b.femtojoules_}; }
  friend constexpr auto operator<=>(Energy, Energy) = default;

  /// @throws ContractError  beyond 9.2 kJ, where 64 bits of femtojoules end
  friend Energy operator*(std::int64_t count, Energy each) {
    std::int64_t product = 0;
    if (__builtin_mul_overflow(count, each.femtojoules_, &product)) {
      throw ContractError{"an energy is above the 9.2 kJ that 64 bits of femtojoules hold"};
    }
    return Energy{product};
  }

 private:
  explicit constexpr Energy(std::int64_t count) : femtojoules_{count} {}
  std::int64_t femtojoules_ = 0;
};

}  // namespace ouro::engine
