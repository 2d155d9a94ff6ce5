#include <gtest/gtest.h>

#include "tests/engine/phold_oracle.hpp"
#include "tests/engine/phold_run.hpp"
#include "tests/mpi_ranks.hpp"

namespace ouro::tests {
namespace {

using namespace std::chrono_literals;

class PholdOnRanks : public ::testing::TestWithParam<int> {};

void expect_the_oracle(int ranks, const PholdConfig& config, bool scattered = false) {
  const auto comm = first_ranks(ranks);
  if (!comm) return;  // this rank sits the case out
  auto placement = in_blocks(config.objects, ranks);
  if (scattered) {
    for (std::uint32_t i = 0; i < config.objects; ++i)
      placement[i] = static_cast<int>(i * 7 % static_cast<std::uint32_t>(ranks));
  }
  const auto oracle = run_phold_sequentially(config);
  const auto verdict = run_phold(*comm, config, placement);
  EXPECT_EQ(verdict.events, oracle.events);
  EXPECT_EQ(verdict.digest, oracle.digest) << "on " << ranks << " ranks; seed " << config.seed;
}

TEST_P(PholdOnRanks, ReplaysTheSequentialRun) {
  expect_the_oracle(GetParam(), {.objects = 64, .seed = 7});
}

TEST_P(PholdOnRanks, ReplaysItWithManyEqualTimes) {
  // a mean below the tick makes nearly every delay the lookahead itself: the tie order decides all
  expect_the_oracle(GetParam(), {.objects = 32,
                                 .start_events = 4,
                                 .remote = 0.9,
                                 .lookahead = 1000ns,
                                 .mean = engine::Duration{1},
                                 .seed = 3});
}

TEST_P(PholdOnRanks, ReplaysItWithLookaheadFarBelowTheMean) {
  expect_the_oracle(GetParam(), {.objects = 16,
                                 .remote = 0.5,
                                 .lookahead = engine::Duration{1},
                                 .seed = 11,
                                 .end = engine::Time{engine::Duration{20us}}});
}

TEST_P(PholdOnRanks, ReplaysItWithNeighbouringLpsScatteredOverTheRanks) {
  expect_the_oracle(GetParam(), {.objects = 61, .start_events = 2, .remote = 0.7, .seed = 5}, true);
}

INSTANTIATE_TEST_SUITE_P(Ranks, PholdOnRanks, ::testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace ouro::tests
