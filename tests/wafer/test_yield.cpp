#include <gtest/gtest.h>

#include <cmath>

#include "wafer/yield.hpp"

namespace ouro::wafer {
namespace {

Faults draw(double yield, std::uint64_t seed) {
  const Geometry geometry;  // 13,923 cores
  Faults faults{geometry};
  add_dead_cores(faults, geometry, yield, seed);
  return faults;
}

TEST(MurphyYield, OfACoreIsThatOfTheFormula) {
  // AD = 0.0332 cm2 x 0.09 /cm2 = 0.002988; ((1 - e^-AD) / AD)^2 = 1 - AD + 7/12 AD^2 - 1/4 AD^3 + ...
  EXPECT_NEAR(murphy_yield(3.32, 0.09), 1 - 0.002988 + 7.0 / 12 * 0.002988 * 0.002988, 1e-8);
  EXPECT_NEAR(murphy_yield(100, 1), std::pow(1 - std::exp(-1.0), 2), 1e-15);
  EXPECT_EQ(murphy_yield(3.32, 0), 1);
  EXPECT_EQ(murphy_yield(0, 5), 1);
}

TEST(MurphyYield, LeavesAboutFortyTwoDeadCoresOnAWafer) {
  const double dead = 13'923 * (1 - murphy_yield(3.32, 0.09));
  EXPECT_NEAR(dead, 41.5, 0.1);
  double sum = 0;
  constexpr int kWafers = 20;
  for (std::uint64_t seed = 0; seed < kWafers; ++seed) {
    const int drawn = draw(murphy_yield(3.32, 0.09), seed).dead_cores();
    EXPECT_NEAR(drawn, dead, 5 * std::sqrt(dead)) << "seed " << seed;
    sum += drawn;
  }
  EXPECT_NEAR(sum / kWafers, dead, 5 * std::sqrt(dead / kWafers));
}

TEST(MurphyYield, OfOneSeedKillsTheSameCores) {
  const auto first = draw(0.9, 7), again = draw(0.9, 7), other = draw(0.9, 8);
  int different = 0;
  for (CoreId::Value i = 0; i < 13'923; ++i) {
    ASSERT_EQ(first.core_is_dead(CoreId{i}), again.core_is_dead(CoreId{i}));
    if (first.core_is_dead(CoreId{i}) != other.core_is_dead(CoreId{i})) ++different;
  }
  EXPECT_GT(different, 1000);  // 2 x 0.1 x 0.9 of them
  EXPECT_TRUE(first.network_is_whole());
}

TEST(MurphyYield, OfAllOrNothingLeavesAllOrNothing) {
  EXPECT_EQ(draw(1, 1).dead_cores(), 0);
  EXPECT_EQ(draw(0, 1).dead_cores(), 13'923);
}

}  // namespace
}  // namespace ouro::wafer
