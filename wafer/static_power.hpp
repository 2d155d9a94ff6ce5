#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "engine/time.hpp"

namespace ouro::engine {
class Config;
}

namespace ouro::wafer {

/// What draws power whether it works or not: keys of section [wafer.static_percent].
inline constexpr std::array<std::string_view, 6> kStaticComponents{"crossbars", "htree",   "sfu",
                                                                   "buffers",   "network", "control"};

/// Leakage and clocks, the same at any time.
struct StaticPower {
  double watts = 0;  ///< of all wafers
  std::array<int, kStaticComponents.size()> percent{};

  double joules(engine::Duration time) const { return watts * engine::seconds(time); }
  double joules(std::size_t component, engine::Duration time) const {
    return 0.01 * percent[component] * joules(time);
  }
};

/// Reads wafer.static_power and section [wafer.static_percent].
/// @throws InputError  if the shares are not 100 % together
StaticPower read_static_power(const engine::Config& config, int wafers);

}  // namespace ouro::wafer
