#include <gtest/gtest.h>

#include "llm/system.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::tests {
namespace {

/// One block of 3 heads of 128; a core of 5 crossbars of 32 rows holds two pages of 32 tokens, so that a head
/// goes on from core to core every 64 tokens.
constexpr int kHeads = 3;
constexpr int kHeadDim = 128;
constexpr int kHidden = kHeads * kHeadDim;

/// Multiply-accumulates of attention and O matrix for a prompt that streams through the pipeline.
std::int64_t attention_macs(int prompt) {
  auto assignments = line_of_cores(2, 300);
  for (const char* more : {"wafer.core.crossbars=5", "wafer.core.crossbar_rows=32",
                           "wafer.core.kv_block_rows=32", "wafer.core.kv_block_columns=32",
                           "workload.lengths=fixed", "workload.requests=1", "workload.output_tokens=1"}) {
    assignments.emplace_back(more);
  }
  assignments.push_back(fmt::format("workload.prompt_tokens={}", prompt));
  const auto experiment =
      read_toy({.hidden = kHidden, .heads = kHeads, .kv_heads = kHeads, .head_dim = kHeadDim}, assignments);
  EXPECT_EQ(experiment->plan->pages_of_ring().front(), 2);
  llm::System system{*experiment, 0, 1, {0, 0}};
  system.region().run_before(engine::kNever);
  system.check_finished();
  std::int64_t macs = 0;
  for (const auto* die : system.dies()) {
    for (const auto stage : {llm::Stage::score, llm::Stage::projection}) {
      macs += die->ledger().counts(stage, llm::Phase::prefill)[wafer::Component::mac];
    }
  }
  return macs;
}

/// K and V of each token itself and all before it, and the O matrix.
std::int64_t expected_macs(std::int64_t prompt) {
  return 2 * kHeads * kHeadDim * prompt * (prompt + 1) / 2 + prompt * kHidden * kHidden;
}

TEST(CausalAttention, SeesAllTokensBeforeOnOneCore) {
  EXPECT_EQ(attention_macs(64), expected_macs(64));
}

// A query may reach a head's earlier core before K and V of the tokens just before it are written there.
TEST(CausalAttention, SeesAllTokensBeforeThatAreStillOnTheirWayToAnEarlierCore) {
  EXPECT_EQ(attention_macs(300), expected_macs(300));
}

}  // namespace
}  // namespace ouro::tests
