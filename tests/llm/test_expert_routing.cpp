#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/error.hpp"
#include "llm/expert_routing.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::llm {
namespace {

ModelDescription with_experts(int routed, int per_token, int shared = 0) {
  return {.layers = 3, .experts = {.routed = routed, .per_token = per_token, .shared = shared}};
}

/// How many of these tokens each expert of a block gets.
std::vector<int> use_of(const ExpertRouting& routing, int routed, int block, int tokens) {
  std::vector<int> use(static_cast<std::size_t>(routed));
  for (int token = 0; token < tokens; ++token) {
    const auto request = static_cast<std::uint64_t>(token / 100);
    for (const int expert : routing.choose(request, static_cast<std::uint32_t>(token % 100), block))
      ++use[static_cast<std::size_t>(expert)];
  }
  return use;
}

TEST(ExpertRouting, ChoosesDifferentExpertsAndAllSharedOnes) {
  const ExpertRouting routing{with_experts(8, 3, 2), {.skew = 1, .seed = 1}};
  for (std::uint32_t position = 0; position < 500; ++position) {
    const auto chosen = routing.choose(7, position, 1);
    ASSERT_EQ(chosen.size(), 5U);
    for (std::size_t i = 0; i + 1 < chosen.size(); ++i) ASSERT_LT(chosen[i], chosen[i + 1]);
    ASSERT_LT(chosen[2], 8);
    ASSERT_EQ(chosen[3], 8);
    ASSERT_EQ(chosen[4], 9);
  }
}

TEST(ExpertRouting, DependsOnSeedRequestPositionAndBlockOnly) {
  const ExpertRouting routing{with_experts(64, 4), {.skew = 0.5, .seed = 1}};
  const ExpertRouting same{with_experts(64, 4), {.skew = 0.5, .seed = 1}};
  const ExpertRouting other{with_experts(64, 4), {.skew = 0.5, .seed = 2}};
  const auto chosen = routing.choose(5, 9, 1);
  EXPECT_EQ(same.choose(5, 9, 1), chosen);
  EXPECT_NE(other.choose(5, 9, 1), chosen);
  EXPECT_NE(routing.choose(6, 9, 1), chosen);
  EXPECT_NE(routing.choose(5, 10, 1), chosen);
  EXPECT_NE(routing.choose(5, 9, 2), chosen);
}

TEST(ExpertRouting, FollowsAZipfLaw) {
  constexpr int kTokens = 20'000;
  for (const double skew : {0.0, 1.0}) {
    auto use = use_of({with_experts(4, 1), {.skew = skew, .seed = 3}}, 4, 0, kTokens);
    std::sort(use.rbegin(), use.rend());
    double sum = 0;
    for (int rank = 1; rank <= 4; ++rank) sum += std::pow(rank, -skew);
    for (int rank = 1; rank <= 4; ++rank) {
      const double share = std::pow(rank, -skew) / sum;
      const double deviation = std::sqrt(kTokens * share * (1 - share));
      EXPECT_NEAR(use[static_cast<std::size_t>(rank - 1)], kTokens * share, 4 * deviation) << "rank " << rank;
    }
  }
}

TEST(ExpertRouting, MakesOtherExpertsPopularInOtherBlocks) {
  const ExpertRouting routing{with_experts(16, 1), {.skew = 2, .seed = 1}};
  const auto most = [&](int block) {
    const auto use = use_of(routing, 16, block, 2'000);
    return std::max_element(use.begin(), use.end()) - use.begin();
  };
  EXPECT_FALSE(most(0) == most(1) && most(1) == most(2));
}

std::string weights_file(int last_of_block_two) {
  std::string text = "block,expert,weight\n";
  for (int block = 0; block < 3; ++block) text += fmt::format("{0},0,1\n{0},1,3\n", block);
  return text + fmt::format("2,1,{}\n", last_of_block_two);
}

TEST(ExpertRouting, TakesWeightsFromAFile) {
  const tests::TemporaryFile file{"weights.csv", weights_file(3)};
  const auto use = use_of({with_experts(3, 1), {.weights = file.path(), .seed = 1}}, 3, 1, 10'000);
  EXPECT_NEAR(use[0], 2'500, 4 * std::sqrt(10'000 * 0.25 * 0.75));
  EXPECT_EQ(use[0] + use[1], 10'000);  // expert 2 is not in the file
}

TEST(ExpertRouting, RefusesAFileWithTooFewExperts) {
  const tests::TemporaryFile file{"weights.csv", weights_file(0)};
  try {
    const ExpertRouting routing{with_experts(3, 2), {.weights = file.path(), .seed = 1}};
    FAIL() << "accepted";
  } catch (const engine::InputError& error) {
    EXPECT_EQ(std::string{error.what()}, file.path() +
                                             ": block 2 has 1 experts with a weight above 0; a token "
                                             "needs 2 in each of 3 blocks");
  }
}

}  // namespace
}  // namespace ouro::llm
