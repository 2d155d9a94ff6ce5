#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <set>

#include "engine/random.hpp"

namespace ouro::engine {
namespace {

using namespace std::chrono_literals;

constexpr int kSamples = 200'000;
constexpr RandomKey kKey{.seed = 7, .purpose = random_purpose("test")};

RandomKey sample(int index) {
  return {.seed = kKey.seed, .purpose = kKey.purpose, .index = static_cast<std::uint64_t>(index)};
}

/// Mean of f(sample) over all samples.
template <class Function>
double mean_of(Function f) {
  double sum = 0;
  for (int i = 0; i < kSamples; ++i) sum += f(sample(i));
  return sum / kSamples;
}

/// Five standard errors of a mean of kSamples values with this variance.
double five_sigma(double variance) {
  return 5 * std::sqrt(variance / kSamples);
}

// Published test vector of splitmix64 with seed 1234567: its n-th output mixes seed + n x gamma.
TEST(Random, MixesLikeSplitmix64) {
  EXPECT_EQ(mix_bits(1234567 + kGoldenGamma), 6457827717110365317u);
  EXPECT_EQ(mix_bits(1234567 + 2 * kGoldenGamma), 3203168211198807973u);
  EXPECT_EQ(mix_bits(1234567 + 3 * kGoldenGamma), 9817491932198370423u);
}

TEST(Random, IsAFunctionOfTheKeyWhateverTheOrder) {
  const std::uint64_t forward[] = {random_bits(sample(0)), random_bits(sample(1)), random_bits(sample(2))};
  for (int i = 2; i >= 0; --i) EXPECT_EQ(random_bits(sample(i)), forward[i]);
}

TEST(Random, ChangesWithEachWordOfTheKey) {
  const std::set<std::uint64_t> values{random_bits({1, 2, 3}, 4), random_bits({2, 2, 3}, 4),
                                       random_bits({1, 3, 3}, 4), random_bits({1, 2, 4}, 4),
                                       random_bits({1, 2, 3}, 5), random_bits({2, 1, 3}, 4)};
  EXPECT_EQ(values.size(), 6u);
}

TEST(Random, GivesEachPurposeItsOwnNumber) {
  EXPECT_NE(random_purpose("arrivals"), random_purpose("prompts"));
}

TEST(Random, SetsHalfOfTheBits) {
  EXPECT_NEAR(mean_of([](RandomKey key) { return std::popcount(random_bits(key)); }), 32, five_sigma(16));
}

TEST(Random, FlipsHalfOfTheBitsFromOneDrawToTheNext) {
  const auto flipped = [](RandomKey key) { return std::popcount(random_bits(key, 0) ^ random_bits(key, 1)); };
  EXPECT_NEAR(mean_of(flipped), 32, five_sigma(16));
}

TEST(Random, IsUniformInItsFirstTwoMoments) {
  EXPECT_NEAR(mean_of([](RandomKey key) { return uniform01(key); }), 0.5, five_sigma(1.0 / 12));
  // E[u^2] = 1/3, var(u^2) = 1/5 - 1/9
  EXPECT_NEAR(mean_of([](RandomKey key) { return std::pow(uniform01(key), 2); }), 1.0 / 3,
              five_sigma(4.0 / 45));
}

TEST(Random, HasNoCorrelationBetweenNeighbouringIndices) {
  const auto product = [](RandomKey key) {
    RandomKey next = key;
    ++next.index;
    return (uniform01(key) - 0.5) * (uniform01(next) - 0.5);
  };
  EXPECT_NEAR(mean_of(product), 0, five_sigma(1.0 / 144));
}

TEST(Random, FillsEachValueBelowABoundEquallyOften) {
  constexpr int kValues = 7;
  int counts[kValues] = {};
  for (int i = 0; i < kSamples; ++i) ++counts[uniform_below(kValues, sample(i))];

  const double share = 1.0 / kValues;
  for (const int count : counts) EXPECT_NEAR(count * 1.0 / kSamples, share, five_sigma(share * (1 - share)));
}

TEST(Random, DrawsOnlyZeroBelowOne) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(uniform_below(1, sample(i)), 0u);
}

TEST(Random, DrawsExponentialGapsWithTheRightMoments) {
  const auto gap = [](RandomKey key) { return seconds(exponential(1s, key)); };
  EXPECT_NEAR(mean_of(gap), 1, five_sigma(1));
  // E[x^2] = 2, var(x^2) = 24 - 4
  EXPECT_NEAR(mean_of([&](RandomKey key) { return std::pow(gap(key), 2); }), 2, five_sigma(20));
}

TEST(Random, DrawsExponentialGapsWithTheRightTail) {
  for (const auto limit : {100ms, 500ms, 1000ms, 2500ms, 5000ms}) {
    const double tail = std::exp(-seconds(limit));
    const auto beyond = [&](RandomKey key) { return exponential(1s, key) > limit ? 1.0 : 0.0; };
    EXPECT_NEAR(mean_of(beyond), tail, five_sigma(tail * (1 - tail))) << limit.count() << " ms";
  }
}

}  // namespace
}  // namespace ouro::engine
