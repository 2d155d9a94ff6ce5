#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "wafer/noc_traffic.hpp"

namespace ouro::tests {
namespace {

using wafer::CoreId;
using wafer::Geometry;
using wafer::TrafficPattern;

constexpr engine::RandomKey kKey{.seed = 7, .purpose = engine::random_purpose("test"), .index = 3};

CoreId send(TrafficPattern pattern, const Geometry& geometry, wafer::Coordinate from) {
  return destination(pattern, geometry, geometry.core_at(from), kKey, 0);
}

TEST(NocTraffic, SendsPatternsAsTheirNamesSay) {
  const Geometry geometry{2, 2, 4, 4};
  const auto to = [&](int x, int y) { return geometry.core_at({x, y}); };
  EXPECT_EQ(send(TrafficPattern::transpose, geometry, {5, 2}), to(2, 5));
  EXPECT_EQ(send(TrafficPattern::bit_complement, geometry, {5, 2}), to(2, 5));
  EXPECT_EQ(send(TrafficPattern::bit_complement, geometry, {1, 0}), to(6, 7));
  EXPECT_EQ(send(TrafficPattern::neighbor, geometry, {7, 2}), to(0, 3));
  EXPECT_EQ(send(TrafficPattern::tornado, geometry, {0, 6}), to(3, 1));  // 8 / 2 - 1 to the side and down
}

TEST(NocTraffic, SpreadsUniformTrafficOverAllCores) {
  const Geometry geometry{1, 1, 4, 4};
  std::vector<int> hits(16);
  constexpr int kDraws = 160'000;
  for (int i = 0; i < kDraws; ++i)
    ++hits[destination(TrafficPattern::uniform, geometry, CoreId{0}, kKey, static_cast<std::uint64_t>(i))
               .value()];
  for (const int count : hits) EXPECT_NEAR(count, kDraws / 16.0, 5 * std::sqrt(kDraws / 16.0));
}

TEST(NocTraffic, SendsMoreToTheFourHotCores) {
  const Geometry geometry{1, 1, 8, 8};  // weight 1 + 64 / 16 against 1: 5 of 80 against 1 of 80
  std::vector<int> hits(64);
  constexpr int kDraws = 800'000;
  for (int i = 0; i < kDraws; ++i)
    ++hits[destination(TrafficPattern::hotspot, geometry, CoreId{9}, kKey, static_cast<std::uint64_t>(i))
               .value()];
  const std::set<int> hot{2 * 8 + 2, 2 * 8 + 6, 6 * 8 + 2, 6 * 8 + 6};
  for (int core = 0; core < 64; ++core) {
    const double expected = kDraws / 80.0 * (hot.contains(core) ? 5 : 1);
    EXPECT_NEAR(hits[static_cast<std::size_t>(core)], expected, 5 * std::sqrt(expected)) << core;
  }
}

/// Counts of the gaps 1, 2, ... against p (1 - p)^(k - 1), five standard deviations each.
void check_geometric(double probability, int longest) {
  const wafer::BernoulliGaps gaps{probability};
  constexpr int kGaps = 200'000;
  std::vector<int> counts(static_cast<std::size_t>(longest) + 1);
  std::uint64_t draw = 0;
  double sum = 0;
  for (int i = 0; i < kGaps; ++i) {
    const auto gap = gaps.next(kKey, draw);
    ASSERT_GE(gap, 1);
    sum += static_cast<double>(gap);
    if (gap <= longest) ++counts[static_cast<std::size_t>(gap)];
  }
  const double deviation = std::sqrt((1 - probability) / (probability * probability) / kGaps);
  EXPECT_NEAR(sum / kGaps, 1 / probability, 5 * deviation + 1e-12);
  for (int k = 1; k <= longest; ++k) {
    const double expected = kGaps * probability * std::pow(1 - probability, k - 1);
    EXPECT_NEAR(counts[static_cast<std::size_t>(k)], expected, 5 * std::sqrt(expected) + 1) << k;
  }
}

TEST(BernoulliGaps, AreGeometric) {
  check_geometric(1, 5);
  check_geometric(0.5, 12);
  check_geometric(0.03, 60);
  check_geometric(0.0005, 600);  // mostly beyond the table
}

}  // namespace
}  // namespace ouro::tests
