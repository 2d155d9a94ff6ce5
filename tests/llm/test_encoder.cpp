#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/error.hpp"
#include "llm/model_import.hpp"
#include "tests/llm/lone_run.hpp"

// An encoder on a core for each matrix, on a line of two dies at the default 1 GHz, where a cycle is a
// nanosecond:
//
//   host = [ 0 QKV   1 KV   2 O ] = [ 3 up   4 down   5 end ]
//
// hidden 128, 2 heads of 64, FFN 256, 1 layer, biases everywhere, LayerNorm; a flit is 32 bytes.

namespace ouro::tests {
namespace {

using engine::Time;
using wafer::Component;

std::string config_of_encoder(int layers = 1) {
  return fmt::format(
      R"({{"model_type": "bert", "_name_or_path": "toy", "num_hidden_layers": {}, "hidden_size": 128,
           "intermediate_size": 256, "num_attention_heads": 2, "vocab_size": 256, "hidden_act": "gelu",
           "max_position_embeddings": 2048, "type_vocab_size": 2}})",
      layers);
}

/// One sequence, all of whose tokens the controllers let go at once.
std::vector<std::string> one_sequence(int tokens) {
  auto assignments = line_of_cores(2, 3);
  for (const char* more : {"workload.lengths=fixed", "workload.requests=1", "output.record_token_every=1"})
    assignments.emplace_back(more);
  assignments.push_back(fmt::format("workload.prompt_tokens={}", tokens));
  return assignments;
}

LoneRun run_encoder(std::vector<std::string> assignments) {
  return run_to_the_end(*read_model(config_of_encoder(), std::move(assignments)));
}

Time nanoseconds(std::int64_t count) {
  return Time{std::chrono::nanoseconds{count}};
}

constexpr std::int64_t kNorm = 3 * 9;  // three SFU operations on 128 elements, 8 + 128 / 64 - 1 cycles each
constexpr std::int64_t kResidual = 9;  // one
constexpr std::int64_t kBiasesOfQkv = 13;      // on 384
constexpr std::int64_t kQkvPass = 12 * 8;      // 384 rows
constexpr std::int64_t kWriteK = 64;           // row by row
constexpr std::int64_t kScore = 2 * 8 + 5;     // 64 rows; H-tree, 2 x 32 bits
constexpr std::int64_t kSoftmax = 3 * 8;       // of 2 scores
constexpr std::int64_t kValues = 8 + (5 + 1);  // 2 rows; H-tree, 64 x 32 bits
constexpr std::int64_t kOut =
    packet_cycles(0, 4) + 5 + 32 + 8 + 9;    // O: to itself, in, 128 rows, out, biases
constexpr std::int64_t kGelu = 11 + 2 * 11;  // biases, exponential, division on 256

/// From the O station's launch to the end of the block, if nothing waits.
constexpr std::int64_t kBehindAttention = kOut + packet_cycles(1, 4, 1) + kResidual + kNorm  // to 3
                                          + packet_cycles(0, 4) + 5 + 64 + 12 + kGelu  // 256 rows, 256 sums
                                          + packet_cycles(1, 8)                        // to 4
                                          + packet_cycles(0, 8) + 6 + 64 + 8 + 9       // 256 rows, 128 sums
                                          + packet_cycles(1, 4) + kResidual + kNorm;   // to 5

TEST(Encoder, TakesTheTimeOfAHandCalculationForTwoTokens) {
  const auto run = run_encoder(one_sequence(2));
  ASSERT_EQ(run.tokens.size(), 2U);

  // the first token's vector is at core 0 as in test_lone_token.cpp, the second one's 4 flits behind it
  const std::int64_t normed[] = {111 + kNorm, 111 + 2 * kNorm};
  const std::int64_t pass[] = {normed[0] + packet_cycles(0, 4) + 5,
                               normed[0] + packet_cycles(0, 4) + 5 + kQkvPass};
  std::int64_t made[2];  // the sums on their way through the H-tree, 384 of 32 bits; and their biases
  for (int t = 0; t < 2; ++t) made[t] = pass[t] + kQkvPass + (5 + 11) + kBiasesOfQkv;
  EXPECT_EQ(made[0], 275);
  EXPECT_EQ(made[1], 371);
  // two heads of 192 bytes to core 1, then the announcement to core 2, which calls both heads behind a credit
  const auto there = [&](int token, int head) { return made[token] + packet_cycles(1, 6) + 6 * head; };
  const auto called = [&](int token, int head) {
    return made[token] + 12 + packet_cycles(2, 1) + 1 + head + packet_cycles(1, 1);
  };

  // K crossbars: K of three heads; the first head is whole, and its first query was called; K of the fourth
  std::int64_t k = there(0, 0) + kWriteK;
  k = std::max(k, there(0, 1)) + kWriteK;
  k = std::max(k, there(1, 0)) + kWriteK;
  ASSERT_LT(called(0, 0), k);
  const auto scored00 = k += kScore;
  k = std::max(k, there(1, 1)) + kWriteK;
  const auto scored01 = k += kScore;
  ASSERT_LT(called(1, 1), k);
  const auto scored10 = k += kScore;
  const auto scored11 = k += kScore;
  // softmax and V
  const auto weighed00 = scored00 + kSoftmax;
  const auto weighed01 = std::max(scored01, weighed00) + kSoftmax;
  const auto weighed10 = std::max(scored10, weighed01) + kSoftmax;
  const auto weighed11 = std::max(scored11, weighed10) + kSoftmax;
  const auto summed01 = std::max(weighed01, weighed00 + kValues + 1) + kValues;  // V of a head before it
  const auto summed11 = std::max(weighed11, std::max(weighed10, summed01) + kValues) + kValues;

  const auto first = summed01 + packet_cycles(1, 2) + kBehindAttention;
  EXPECT_EQ(first, 1'016);  // by a pocket calculator
  EXPECT_EQ(run.tokens[0].retired, nanoseconds(first));

  // the second token is normalised at core 3 while the first one's sums are under way there, and waits only
  // for that one's pass
  constexpr std::int64_t kUpPass = 64;
  const auto sums_of_first = summed01 + packet_cycles(1, 2) + kOut + packet_cycles(1, 4, 1) + kResidual +
                             kNorm + packet_cycles(0, 4) + 5 + kUpPass + 12;
  ASSERT_LT(summed11 + packet_cycles(1, 2) + kOut + packet_cycles(1, 4, 1) + kResidual + kNorm,
            sums_of_first);
  ASSERT_LT(summed11 - summed01, kUpPass);
  const auto second = first + kUpPass;
  EXPECT_EQ(second, 1'080);
  EXPECT_EQ(run.tokens[1].retired, nanoseconds(second));
  EXPECT_EQ(run.requests.at(0).done, nanoseconds(second));
}

constexpr Packet kPackets[] = {
    {"embedding to 0", 4, 0, 0, 1}, {"multicast on 0", 4, 0},
    {"residual 0 to 3", 4, 3, 1},   {"credit 0 to host", 1, 1, 1, 1},
    {"first head 0 to 1", 6, 1},    {"second head 0 to 1", 6, 1},
    {"announcement 0 to 2", 1, 2},  {"credit 2 to 0", 1, 2},
    {"call 2 to 1", 1, 1},          {"call 2 to 1", 1, 1},
    {"first head 1 to 2", 2, 1},    {"second head 1 to 2", 2, 1},
    {"multicast on 2", 4, 0},       {"O outputs 2 to 3", 4, 1, 1},
    {"multicast on 3", 4, 0},       {"residual 3 to 5", 4, 2},
    {"credit 3 to 2", 1, 1, 1},     {"FFN inner 3 to 4", 8, 1},
    {"multicast on 4", 8, 0},       {"credit 4 to 3", 1, 1},
    {"FFN outputs 4 to 5", 4, 1},   {"credit 5 to 4", 1, 1},
};

/// Each of the tokens attends to all.
wafer::EnergyCounts counts_of_sequence(std::int64_t tokens) {
  wafer::EnergyCounts counts;
  counts[Component::mac] = tokens * (128 * 384 + 2 * (2 * 64 * tokens) + 128 * 128 + 128 * 256 + 256 * 128);
  const std::int64_t inputs = 8 * (128 + 128 + 128 + 256);  // QKV, O, up, down
  const std::int64_t sums = 32 * (384 + 128 + 256 + 128);
  const std::int64_t attention = 2 * ((8 * 64 + 32 * tokens) + (8 * tokens + 32 * 64));
  counts[Component::htree] = tokens * kHTreePath * (inputs + sums + attention);
  add_packets(counts, kPackets, tokens);
  counts[Component::kv_write] = tokens * 2 * (2 * 64 * 8);
  counts[Component::sfu_special] = tokens * (3 * 3 + 2 * 256 + 2 * (tokens + 1));  // norms, GELU, softmax
  counts[Component::sfu_simple] = tokens * (3 * 7 * 128 + 2 * 128 + (384 + 128 + 256 + 128)  // and biases
                                            + 3 * 256 + 2 * 3 * tokens);
  return counts;
}

TEST(Encoder, CostsTheEnergyOfAHandCalculation) {
  const auto run = run_encoder(one_sequence(2));

  EXPECT_EQ(run.counts[0].of, counts_of_sequence(2).of);
  EXPECT_EQ(run.counts[1].of, wafer::EnergyCounts{}.of);  // nothing is decoded
  // 263,168 MAC x 50 fJ, 78,144 H-tree bits over 13 lengths x 17, 31,744 hop bits x 370, 5,120 border bits x
  // 250, 142,336 buffer bits x 150, 4,096 written bits x 100, 1,054 operations x 1,000, 9,240 x 200
  EXPECT_EQ(run.energy[0].femtojoules(),
            13'158'400 + 17'269'824 + 11'745'280 + 1'280'000 + 21'350'400 + 409'600 + 1'054'000 + 1'848'000);
  EXPECT_EQ(run.traffic.packets_sent, 2 * static_cast<std::int64_t>(std::size(kPackets)));
  EXPECT_EQ(run.traffic.packets_received, run.traffic.packets_sent);
}

TEST(Encoder, MultipliesEachTokenWithAllOfItsSequenceOverSeveralPages) {
  constexpr int kTokens = 300;  // a page has 128
  const auto run = run_encoder(one_sequence(kTokens));
  EXPECT_EQ(run.counts[0].of, counts_of_sequence(kTokens).of);

  // no token leaves before the last one has come, and they leave in order
  for (std::size_t i = 1; i < kTokens; ++i) {
    EXPECT_GT(run.tokens[i].retired, run.tokens[i - 1].retired);
    EXPECT_GT(run.tokens[0].retired, run.tokens[i].issued);
  }
}

TEST(Encoder, CallsNoMoreQueriesThanTheStationBehindHasRoomFor) {
  // 1,024 bytes hold the 384 bytes of q, k and v of two tokens: a window of 2; 128 queries of 64 bytes are
  // 8 KiB, and the KV core has two heads
  auto assignments = one_sequence(40);
  assignments.emplace_back("wafer.core.input_buffer=16 KiB");
  assignments.emplace_back("wafer.core.output_buffer=1 KiB");  // 384 bytes of q, k, v a token: a window of 2
  const auto experiment = read_model(config_of_encoder(), assignments);
  EXPECT_EQ(experiment->plan->window(), 2);
  const auto run = run_to_the_end(*experiment);
  EXPECT_EQ(run.counts[0].of, counts_of_sequence(40).of);
}

// ---- the encoder of an encoder-decoder

constexpr const char* kT5 =
    R"({"model_type": "t5", "_name_or_path": "toy", "num_layers": 1, "d_model": 128, "d_kv": 64, "d_ff": 256,
        "num_heads": 2, "vocab_size": 256, "feed_forward_proj": "relu"})";

TEST(EncoderOfT5, DiffersByItsNormsActivationAndPositionBiases) {
  auto assignments = one_sequence(5);
  assignments.emplace_back("model.stack=encoder");
  const auto run = run_to_the_end(*read_model(kT5, assignments));
  auto counts = counts_of_sequence(5);
  counts[Component::sfu_special] = 5 * (3 * 2 + 2 * (5 + 1));  // RMSNorm, softmax
  counts[Component::sfu_simple] =
      5 * (3 * 4 * 128 + 2 * 128 + 256 + 2 * 3 * 5 + 2 * 5);  // ReLU, biases of scores
  EXPECT_EQ(run.counts[0].of, counts.of);
}

TEST(EncoderOfT5, HasTheParametersOfAHandCount) {
  auto assignments = std::vector<std::string>{"workload.lengths=fixed", "model.stack=encoder"};
  const auto experiment = read_model(kT5, assignments);
  EXPECT_EQ(llm::parameter_count(experiment->model), 4 * 128 * 128 + 2 * 128 * 256 + 2 * 128  // the block
                                                         + 256 * 128 + 128 +
                                                         32 * 2);  // embedding, norm, biases
  auto t5 = llm::shipped_model("t5-11b");
  t5.layers = 0;
  EXPECT_EQ(llm::parameter_count(t5), 4'864'791'552);
}

// ---- what is refused

testing::Matcher<const std::string&> says(const std::string& text) {
  return testing::HasSubstr(text);
}

std::string refusal(std::vector<std::string> assignments) {
  try {
    read_model(config_of_encoder(), std::move(assignments));
  } catch (const engine::InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Encoder, RefusesWhatDoesNotGoWithAttentionInBothDirections) {
  const auto with = [](const char* assignment) {
    auto assignments = one_sequence(3);
    assignments.emplace_back(assignment);
    return refusal(std::move(assignments));
  };
  EXPECT_THAT(
      with("wafer.noc.fidelity=stage"),
      says("wafer.noc.fidelity: model toy: an encoder is not simulated at this fidelity; \"packet\""));
  EXPECT_THAT(with("serving.prefix_cache=true"),
              says("K and V of an encoder follow from the whole sequence, and prompts cannot share them"));
  EXPECT_THAT(with("serving.prefill_window=8"),
              says("the tokens of an encoder wait for the whole sequence, which has to be in the pipeline"));
  EXPECT_THAT(with("mapping.method=rows"),
              says("maps a decoder without experts and latent attention onto one wafer only"));
  EXPECT_THAT(with("wafer.core.input_buffer=8 KiB"),
              says("KV cores do not hold a page of queries for each head"));
}

TEST(Encoder, RefusesTheLackOfAnEncoder) {
  try {
    read_model(hugging_face_config({}), {"model.stack=encoder"});
    FAIL() << "a decoder has no encoder";
  } catch (const engine::InputError& error) {
    EXPECT_THAT(error.what(), says("model.stack: model toy has no encoder; \"all\""));
  }
}

TEST(Encoder, RefusesSequencesThatFitNowhere) {
  // 131,072 bytes hold 16 pages of queries of 64 bytes: 8 for each of the two heads on the only KV core
  EXPECT_EQ(refusal(one_sequence(1024)), "");
  EXPECT_THAT(refusal(one_sequence(1025)),
              says("request 0 has 1025 tokens of prompt and output, and the KV memory of a block never holds "
                   "more than 1024"));
  auto wide = one_sequence(2049);
  wide.emplace_back("wafer.core.input_buffer=1 MiB");
  EXPECT_THAT(refusal(wide), says("request 0 has 2049 tokens, and model toy has learned 2048 positions"));
}

TEST(Encoder, IgnoresTheOutputsOfAWorkload) {
  const TemporaryFile trace{"outputs.csv",
                            "arrival_s,prompt_tokens,output_tokens\n0,3,0\n0,2,7\n0,0,5\n0,4,1\n"};
  auto assignments = line_of_cores(2, 3);
  for (const std::string& more : {std::string{"workload.lengths=trace"}, std::string{"workload.requests=0"},
                                  "workload.trace_file=" + trace.path()})
    assignments.push_back(more);
  const auto experiment = read_model(config_of_encoder(), assignments);
  EXPECT_EQ(experiment->summary.requests, 3U);
  EXPECT_EQ(experiment->summary.output.total, 0);
  EXPECT_EQ(experiment->summary.rows.without_tokens, 1U);

  const auto run = run_to_the_end(*experiment);
  auto counts = counts_of_sequence(3);
  counts += counts_of_sequence(2);
  counts += counts_of_sequence(4);
  EXPECT_EQ(run.counts[0].of, counts.of);
  ASSERT_EQ(run.requests.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(run.requests[i].request.index, i);
}

}  // namespace
}  // namespace ouro::tests
