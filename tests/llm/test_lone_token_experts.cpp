#include <gtest/gtest.h>

#include "tests/llm/lone_run.hpp"

// A core for each matrix, on a line of three dies at the default 1 GHz, where a cycle is a nanosecond. Both
// of two experts work for every token:
//
//   host = [ 0 QKV   1 KV   2 O ] = [ 3 router   4 gate, up 0   5 gate, up 1 ] = [ 6 down 0   7 down 1   8 LM
//   head ]
//
// hidden 128, a head of 128, FFN 256 an expert, vocabulary 256, 1 layer; a flit is 32 bytes.

namespace ouro::tests {
namespace {

using wafer::Component;

ToyModel two_experts(int per_token) {
  return {.heads = 1,
          .kv_heads = 1,
          .head_dim = 128,
          .type = "mixtral",
          .more = fmt::format(R"(, "num_local_experts": 2, "num_experts_per_tok": {})", per_token)};
}

std::int64_t lone_token_cycles() {
  std::int64_t t = 537;         // until O has its outputs: the table in docs/design.md, section 6
  t += packet_cycles(1, 4, 1);  // to the router
  t += 9 + 18;                  // residual, norm
  t += packet_cycles(0, 4);     // the router's only tile is at home
  t += 5 + 32 + (5 + 3);        // H(1,024), 128 rows, H(128 sums); the vector goes on meanwhile
  t += packet_cycles(1, 1);     // two logits of 4 bytes
  t += (3 + 2) * 8;             // softmax, and twice the largest

  const std::int64_t up = 5 + 128 + (5 + 15) + 22;  // H, 512 rows, H(512 sums), SiLU of 256
  const auto up_0 = t + packet_cycles(0, 4) + up;
  const auto up_1 = t + 4 + packet_cycles(1, 4) + up;  // its tree goes out behind the other one
  // 256 bytes each to core 6. The first takes the link from core 5 from 4 cycles after up_0 on, for 8 cycles;
  // the second is there 2 cycles after up_1, which is 6 cycles later, and waits for 4 cycles
  t = std::max(up_0 + packet_cycles(2, 8, 1), up_1 + 4 + packet_cycles(1, 8, 1));

  const std::int64_t down = (5 + 1) + 64 + (5 + 3);  // H(2,048), 256 rows, H(128 sums)
  const auto down_0 = t + packet_cycles(0, 8) + down;
  const auto down_1 = t + 8 + packet_cycles(1, 8) + down;
  t = std::max(down_0 + packet_cycles(2, 4), down_1 + packet_cycles(1, 4));

  t += 3 * 9;                // two outputs scaled, one added to the other
  t += 9 + 18;               // residual, norm
  t += packet_cycles(0, 4);  //
  t += 5 + 64 + 12;          // LM head
  t += 18 + 8 + 8 + 4;       // 8 flits over 8 links and 2 die borders, and over the host link
  return t + 100;            // sampling
}

class LoneTokenWithExperts : public ::testing::TestWithParam<const char*> {};

TEST_P(LoneTokenWithExperts, TakesTheTimeAndCountsOfAHandCalculation) {
  const auto run = run_lone_tokens(two_experts(2), three_dies_in_a_line(GetParam()), 1);

  EXPECT_EQ(lone_token_cycles(), 1'272);  // by a pocket calculator
  EXPECT_EQ(run.tokens.at(0).retired - run.tokens.at(0).issued, std::chrono::nanoseconds{1'272});

  const auto& counts = run.counts[static_cast<std::size_t>(llm::Phase::prefill)];
  // QKV, O, router (a strip of 128), experts, LM head, 128 rows each; q x k and s x v
  EXPECT_EQ(counts[Component::mac], 128 * (384 + 128 + 128 + 2 * (512 + 256) + 256) + 2 * 128);
  EXPECT_EQ(counts[Component::htree], kHTreePath * ((1'024 + 12'288) + (1'024 + 4'096) + (1'024 + 4'096) +
                                                    2 * (1'024 + 16'384 + 2'048 + 4'096) + (1'024 + 8'192) +
                                                    (1'024 + 32) + (8 + 4'096)));
  // 3 norms, softmax, router, SiLU of two experts
  EXPECT_EQ(counts[Component::sfu_special], 3 * 2 + 2 + 3 + 2 * 512);
  // 3 norms, 2 residuals, softmax, router, SiLU, and the outputs put together
  EXPECT_EQ(counts[Component::sfu_simple], 3 * 512 + 2 * 128 + 3 + 10 + 2 * 768 + 3 * 128);
  EXPECT_EQ(counts[Component::kv_write], 2'048);
  // flits that a core sends and another one gets: vectors to tiles 4 + 4 + 4 + 2 x 4 + 2 x 8 + 4; what tiles
  // and the head send 12 + 4 + 4 + 1 + 2 x 8 + 2 x 4; the vector to the experts 4; residuals 8; credits 5
  EXPECT_EQ(counts[Component::buffer], 1'024 * (40 + 45 + 4 + 8 + 5) + 512 * (4 + 8 + 1 + 1));
}

TEST_P(LoneTokenWithExperts, WorksInTheChosenExpertOnly) {
  const auto both = run_lone_tokens(two_experts(2), three_dies_in_a_line(GetParam()), 20);
  const auto one = run_lone_tokens(two_experts(1), three_dies_in_a_line(GetParam()), 20);
  const auto all = [](const LoneRun& run, Component component) {
    return run.counts[0][component] + run.counts[1][component];
  };
  EXPECT_EQ(all(both, Component::mac) - all(one, Component::mac), 20 * 128 * (512 + 256));
  EXPECT_EQ(all(both, Component::sfu_special) - all(one, Component::sfu_special), 20 * 512);
}

INSTANTIATE_TEST_SUITE_P(Fidelities, LoneTokenWithExperts, ::testing::Values("packet", "stage"));

TEST(LoneTokenWithBiases, AddsThemToTheSumsOfQkv) {
  const ToyModel without{.heads = 1, .kv_heads = 1, .head_dim = 128};
  auto with = without;
  with.type = "qwen2";
  const auto machine = line_of_cores(2, 3);
  const auto run = run_lone_tokens(with, machine, 1);
  const auto plain = run_lone_tokens(without, machine, 1);
  const auto time = [](const LoneRun& lone) { return lone.tokens.at(0).retired - lone.tokens.at(0).issued; };
  EXPECT_EQ(time(run) - time(plain), std::chrono::nanoseconds{8 + 5});  // 384 sums, 64 a cycle
  EXPECT_EQ(run.counts[0][Component::sfu_simple] - plain.counts[0][Component::sfu_simple], 384);
}

}  // namespace
}  // namespace ouro::tests
