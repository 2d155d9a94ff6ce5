#include <gtest/gtest.h>

#include "tests/llm/lone_run.hpp"

// Latent attention, with a core for each matrix on a line of three dies at the default 1 GHz, where a cycle
// is a nanosecond:
//
//   host = [ 0 QKV   1 query   2 head key ] = [ 3 KV   4 head value   5 O ] = [ 6 gate, up   7 down   8 LM
//   head ]
//
// hidden 128, 2 heads of 96 + 32 and values of 64; queries compressed to 64, keys and values to 160 + 32; FFN
// 256, vocabulary 256, 1 layer, which is dense; a flit is 32 bytes. So K of a token is 192 rows, in blocks of
// 128 and 64, and V is a row of 160 in two blocks.

namespace ouro::tests {
namespace {

using wafer::Component;

ToyModel latent_model(int layers = 1, const std::string& query_rank = "64") {
  return {.layers = layers,
          .type = "deepseek_v3",
          .more = R"(, "kv_lora_rank": 160, "qk_nope_head_dim": 96, "qk_rope_head_dim": 32, "v_head_dim": 64,
                     "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1,
                     "moe_intermediate_size": 128, "first_k_dense_replace": 1, "q_lora_rank": )" +
                  query_rank};
}

std::int64_t lone_token_cycles() {
  std::int64_t t = 111;  // the embedding is there: the table in docs/design.md, section 6
  t += 18;               // norm of 128
  t += packet_cycles(0, 4);
  t += 5 + 64 + 12;              // H(1,024), 256 rows: 2 strips of 128; H(256 sums)
  t += packet_cycles(1, 8);      // 64 + 192 bytes
  t += 2 * 8;                    // norm of the 64
  t += packet_cycles(0, 2);      // the 192 go to the next station behind them, and are there long before
  t += 5 + 32 + 12;              // H(512), 128 rows: 2 strips of 64; H(256 sums)
  t += packet_cycles(1, 8);      // 2 x 128 bytes
  t += 2 * (8 + 2);              // norm of the 160
  t += packet_cycles(0, 8);      // the 192 go to the KV core behind them
  t += 6 + 96 + 20;              // H(2,048), 384 rows: 2 strips of 96 for each head; H(512 sums)
  t += packet_cycles(1, 12, 1);  // 2 x (160 + 32) bytes

  t += 192;                   // write K
  t += 2 * (32 + 5);          // score: P(128), beside it 64 rows in another crossbar; H(32)
  t += 2 * 3 * 8;             // softmax
  t += 2 + 2 * (8 + 5 + 4);   // write V; P(1), H(5,120)
  t += packet_cycles(1, 10);  // 2 x 160 bytes

  t += packet_cycles(0, 10);
  t += 7 + 80 + 12;  // H(2,560), 320 rows: a strip of 160 for each head; H(256 sums)
  t += packet_cycles(1, 4);
  t += packet_cycles(0, 4);
  t += 5 + 32 + 8;              // O
  t += packet_cycles(1, 4, 1);  //
  t += 9 + 18;                  // residual, norm
  t += packet_cycles(0, 4);
  t += 153 + 22;             // gate and up, SiLU
  t += packet_cycles(1, 8);  //
  t += packet_cycles(0, 8) + 78 + packet_cycles(1, 4);
  t += 9 + 18 + packet_cycles(0, 4) + 81;  // LM head
  t += 18 + 8 + 8 + 4;                     // 8 flits over 8 links and 2 die borders, and over the host link
  return t + 100;                          // sampling
}

class LoneTokenOfLatentAttention : public ::testing::TestWithParam<const char*> {};

TEST_P(LoneTokenOfLatentAttention, TakesTheTimeOfAHandCalculation) {
  const auto run = run_lone_tokens(latent_model(), three_dies_in_a_line(GetParam()), 1);
  EXPECT_EQ(lone_token_cycles(), 1'611);  // by a pocket calculator
  EXPECT_EQ(run.tokens.at(0).retired - run.tokens.at(0).issued, std::chrono::nanoseconds{1'611});
}

TEST_P(LoneTokenOfLatentAttention, CostsTheEnergyOfAHandCalculation) {
  const auto run = run_lone_tokens(latent_model(), three_dies_in_a_line(GetParam()), 1);
  const auto& counts = run.counts[static_cast<std::size_t>(llm::Phase::prefill)];

  // strips of 128 columns: QKV 2 x 128 rows, queries 2 x 64, head keys 4 x 96, head values 2 x 160, O, gate
  // and up, down, LM head; scores and values of two heads
  const std::int64_t macs = 128 * (256 + 128 + 384 + 320 + 128 + 512 + 256 + 256) + 2 * (192 + 160);
  EXPECT_EQ(counts[Component::mac], macs);
  const std::int64_t htree = (1'024 + 8'192) + (512 + 8'192) + (2'048 + 16'384) + (2'560 + 8'192) +
                             (1'024 + 4'096) + (1'024 + 16'384) + (2'048 + 4'096) + (1'024 + 8'192) +
                             2 * (8 * 192 + 32) + 2 * (8 + 32 * 160);
  EXPECT_EQ(counts[Component::htree], kHTreePath * htree);
  const std::int64_t special = 5 * 2 + 2 * 2 + 512;  // norms, softmax, SiLU
  EXPECT_EQ(counts[Component::sfu_special], special);
  const std::int64_t simple = 4 * (3 * 128 + 64 + 160) + 2 * 128 + 2 * 3 + 768;  // residuals, too
  EXPECT_EQ(counts[Component::sfu_simple], simple);
  EXPECT_EQ(counts[Component::kv_write], 8 * (192 + 160));

  // flits that a core sends and another one gets: vectors to tiles, what tiles send, the head's output, the
  // latent vector twice, residuals, credits; then those of the host
  const std::int64_t sent = (4 + 2 + 8 + 10 + 4 + 4 + 8 + 4) + (8 + 8 + 12 + 4 + 4 + 8 + 4) + 10 + 12 + 8 + 7;
  const std::int64_t buffer = 1'024 * sent + 512 * (4 + 8 + 1 + 1);
  EXPECT_EQ(counts[Component::buffer], buffer);
  // flits over links: to the next core but for residuals (6 and 2 links), credits, candidates
  const std::int64_t hops = 256 * ((8 + 8 + 6 + 6 + 12 + 10 + 4 + 4 + 8 + 4) + 4 * (6 + 2) +
                                   (1 + 1 + 1 + 2 + 1 + 1 + 1 + 1 + 8) + 8 * (8 + 1));
  EXPECT_EQ(counts[Component::hop], hops);
  // between cores 2 and 3: latent vector, queries, a residual, a credit; between 5 and 6: O's output, a
  // residual, a credit; to the host a credit and candidates, which cross all three as does the last credit
  // two
  const std::int64_t crossings = 256 * ((6 + 12 + 4 + 1) + (4 + 4 + 1) + 1 + 3 * 8 + 2);
  EXPECT_EQ(counts[Component::die_crossing], crossings);

  const std::int64_t femtojoules = 50 * macs + 17 * kHTreePath * htree + 370 * hops + 250 * crossings +
                                   150 * buffer + 100 * 2'816 + 1'000 * special + 200 * simple;
  EXPECT_EQ(run.energy[0], engine::Energy::femtojoules(femtojoules));
}

TEST_P(LoneTokenOfLatentAttention, NeedsNoStationForQueriesThatAreNotCompressed) {
  const auto run = run_lone_tokens(latent_model(1, "null"), three_dies_in_a_line(GetParam()), 1);
  // 448 columns of QKV in 4 strips: P(512) and H(512 sums) for P(256) and H(256 sums), 14 flits for 8; no
  // station of queries; the latent vector goes on behind the queries as before. A core less: the LM head is
  // 7 links from the host, with a die border less between head key and KV, where a spare core is now
  EXPECT_EQ(
      run.counts[0][Component::mac] -
          run_lone_tokens(latent_model(), three_dies_in_a_line(GetParam()), 1).counts[0][Component::mac],
      128 * (512 - 256 - 128));
  EXPECT_EQ(run.counts[0][Component::sfu_special], 4 * 2 + 2 * 2 + 512);
}

INSTANTIATE_TEST_SUITE_P(Fidelities, LoneTokenOfLatentAttention, ::testing::Values("packet", "stage"));

TEST(LatentAttention, HasDenseBlocksBeforeThoseWithExperts) {
  auto machine = line_of_cores(9, 3);
  const auto experiment = read_toy(latent_model(2), machine);
  const auto& stations = experiment->plan->stations();
  // 7 a dense block, 8 with the router, the LM head
  ASSERT_EQ(stations.size(), 7U + 8U + 1U);
  EXPECT_EQ(stations[5].matrix, llm::Matrix::gate_up);
  EXPECT_EQ(stations[5].group->experts, 0);
  EXPECT_FALSE(stations[7].combines);
  EXPECT_EQ(stations[12].matrix, llm::Matrix::router);
  EXPECT_TRUE(stations[15].combines);
  EXPECT_EQ(stations[13].group->experts, 4 + 1);
  EXPECT_EQ(experiment->plan->mapping().blocks[0].tiles[static_cast<std::size_t>(llm::Matrix::router)].size(),
            0U);
}

TEST(LatentAttention, KeepsTheVectorTwiceInCrossbarsAndOnceInTheModel) {
  const auto experiment = read_toy(latent_model(2), line_of_cores(9, 3));
  EXPECT_EQ(llm::kv_bytes_per_token(experiment->model), 2 * 192);
  EXPECT_EQ(llm::kv_bytes_stored_per_token(experiment->model), 2 * (192 + 160));
  // a page is 2 K blocks of 128 in a half that has 16 x 8
  EXPECT_EQ(experiment->plan->pages_of_ring().front(), 64);
}

}  // namespace
}  // namespace ouro::tests
