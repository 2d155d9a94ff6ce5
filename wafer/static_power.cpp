#include "wafer/static_power.hpp"

#include <fmt/format.h>

#include <numeric>

#include "engine/config.hpp"

namespace ouro::wafer {

StaticPower read_static_power(const engine::Config& config, int wafers) {
  StaticPower power{.watts = wafers * config.at("wafer.static_power").as_watts()};
  const auto key = [](std::string_view component) {
    return fmt::format("wafer.static_percent.{}", component);
  };
  for (std::size_t i = 0; i < kStaticComponents.size(); ++i)
    power.percent[i] = static_cast<int>(config.at(key(kStaticComponents[i])).as_int(0, 100));
  const int sum = std::accumulate(power.percent.begin(), power.percent.end(), 0);
  if (sum == 100) return power;
  throw config.at(key(kStaticComponents.front()))
      .refusal(fmt::format("the shares of wafer.static_percent are {} % together", sum), "100 % in all");
}

}  // namespace ouro::wafer
