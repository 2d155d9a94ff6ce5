#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/error.hpp"
#include "tests/llm/lone_run.hpp"

// An encoder-decoder on a core for each matrix, on a line of five dies at the default 1 GHz, where a cycle is
// a nanosecond:
//
//   host = [ 0 QKV   1 KV   2 O ] = [ 3 up   4 down ...................................... the encoder
//                                     5 QKV ] = [ 6 KV   7 O   8 query ] = [ 9 cross K and V   10 cross O
//          11 up ] = [ 12 down   13 LM head   14 spare ] ................................. the decoder
//
// hidden 128, 2 heads of 64, FFN 256, vocabulary 256, a block each, RMSNorm, ReLU, no biases; a flit is 32
// bytes.

namespace ouro::tests {
namespace {

using engine::Time;
using llm::Matrix;
using wafer::Component;

constexpr const char* kT5 =
    R"({"model_type": "t5", "_name_or_path": "toy", "num_layers": 1, "d_model": 128, "d_kv": 64, "d_ff": 256,
        "num_heads": 2, "vocab_size": 256, "feed_forward_proj": "relu"})";

std::vector<std::string> requests(int count, int prompt, int outputs, int dies = 5) {
  auto assignments = line_of_cores(dies, 3);
  for (const char* more : {"workload.lengths=fixed", "output.record_token_every=1"})
    assignments.emplace_back(more);
  assignments.push_back(fmt::format("workload.requests={}", count));
  assignments.push_back(fmt::format("workload.prompt_tokens={}", prompt));
  assignments.push_back(fmt::format("workload.output_tokens={}", outputs));
  return assignments;
}

std::vector<std::string> with(std::vector<std::string> assignments, const std::string& one_more) {
  assignments.push_back(one_more);
  return assignments;
}

Time nanoseconds(std::int64_t count) {
  return Time{std::chrono::nanoseconds{count}};
}

// ---- the way of one prompt token and one output

constexpr std::int64_t kNorm = 2 * 9;  // two SFU operations on 128 elements, 8 + 128 / 64 - 1 cycles each
constexpr std::int64_t kResidual = 9;  // one
constexpr std::int64_t kQkv = packet_cycles(0, 4) + 5 + 96 + 16;  // to itself, in, 384 rows, 384 sums out
constexpr std::int64_t kOut = packet_cycles(0, 4) + 5 + 32 + 8;   // O, or cross queries: 128 rows, 128 sums
constexpr std::int64_t kUp = packet_cycles(0, 4) + 5 + 64 + 12 + 11;  // 256 rows, 256 sums, ReLU
constexpr std::int64_t kDown = packet_cycles(0, 8) + 6 + 64 + 8;      // 256 rows, 128 sums
constexpr std::int64_t kWriteK = 64;
constexpr std::int64_t kScore = 16 + 5;   // 64 rows; H-tree, 32 bits
constexpr std::int64_t kSoftmax = 3 * 8;  // of one score
constexpr std::int64_t kBias = 8;         // by distance
constexpr std::int64_t kValues = 8 + 6;   // a row; H-tree, 64 x 32 bits

/// When two heads have been summed whose scores end then: softmax in the one SFU, S x V behind it.
std::int64_t summed(std::int64_t first, std::int64_t second, std::int64_t weighing, std::int64_t values) {
  const auto weighed = first + weighing;
  const auto weighed_second = std::max(second, weighed) + weighing;
  return std::max(weighed_second, weighed + values) + values;
}

TEST(CrossAttention, TakesTheTimeOfAHandCalculation) {
  const auto run = run_to_the_end(*read_model(kT5, requests(1, 1, 1)));
  ASSERT_EQ(run.tokens.size(), 2U);

  // the encoder's block, as in test_encoder.cpp: K of both heads is written before the first is called
  const std::int64_t made = 111 + kNorm + kQkv;
  EXPECT_EQ(made, 253);
  const auto written = made + packet_cycles(1, 6) + 2 * kWriteK;
  ASSERT_LT(made + 12 + packet_cycles(2, 1) + 1 + 1 + packet_cycles(1, 1), written);
  const auto attended = summed(written + kScore, written + 2 * kScore, kSoftmax + kBias, kValues);
  const auto encoded = attended + packet_cycles(1, 2) + kOut + packet_cycles(1, 4, 1) + kResidual + kNorm +
                       kUp + packet_cycles(1, 8) + kDown + packet_cycles(5, 4, 2) + kResidual +
                       kNorm;  // at core 9
  EXPECT_EQ(encoded, 843);     // by a pocket calculator
  // K and V of both heads leave, 4 flits each, then the announcement, to core 9 itself
  const auto left = encoded + packet_cycles(0, 4) + 5 + 64 + 12 + 8 + packet_cycles(0, 1);
  EXPECT_EQ(left, 943);
  EXPECT_EQ(run.tokens[0].retired, nanoseconds(left));

  // the controllers hear of it as late as a signal crosses the wafer, and the start token goes to core 5
  const std::int64_t control = 14 * 2 + 4 * 4;
  const auto begins = left + control + 100 + packet_cycles(5, 4, 1) + 4;
  EXPECT_EQ(run.tokens[1].issued, nanoseconds(left + control));
  const auto first_head = begins + kNorm + kQkv + packet_cycles(1, 6, 1);
  const auto first_scored = first_head + kWriteK + kScore;
  const auto second_scored = std::max(first_head + 6, first_scored) + kWriteK + kScore;
  const auto own = summed(first_scored, second_scored, kSoftmax + kBias, kValues + 1);  // V is written, too
  const auto asked = own + packet_cycles(1, 2) + kOut + packet_cycles(1, 4) + kResidual + kNorm + kOut;
  EXPECT_EQ(asked, 1'633);
  const auto across_first = asked + packet_cycles(2, 2) + kScore;
  const auto across = summed(across_first, across_first + kScore, kSoftmax, kValues);  // without biases
  const auto at_lm_head = across + packet_cycles(4, 2, 1) + kOut + packet_cycles(1, 4) + kResidual + kNorm +
                          kUp + packet_cycles(1, 8, 1) + kDown + packet_cycles(1, 4) + kResidual + kNorm;
  const auto sampled = at_lm_head + packet_cycles(0, 4) + 5 + 64 + 12 + packet_cycles(13, 8, 4) - 1 + 4 + 100;
  EXPECT_EQ(sampled, 2'315);
  EXPECT_EQ(run.tokens[1].retired, nanoseconds(sampled));
  EXPECT_EQ(run.requests.at(0).first_token, nanoseconds(sampled));
  EXPECT_EQ(run.requests.at(0).done, nanoseconds(sampled));
}

// ---- counts

constexpr Packet kOfPrompt[] = {
    {"embedding to 0", 4, 0, 0, 1},  {"multicast on 0", 4, 0},
    {"residual 0 to 3", 4, 3, 1},    {"credit 0 to host", 1, 1, 1, 1},
    {"first head 0 to 1", 6, 1},     {"second head 0 to 1", 6, 1},
    {"announcement 0 to 2", 1, 2},   {"credit 2 to 0", 1, 2},
    {"call 2 to 1", 1, 1},           {"call 2 to 1", 1, 1},
    {"first head 1 to 2", 2, 1},     {"second head 1 to 2", 2, 1},
    {"multicast on 2", 4, 0},        {"O outputs 2 to 3", 4, 1, 1},
    {"multicast on 3", 4, 0},        {"residual 3 to 9", 4, 6, 2},
    {"credit 3 to 2", 1, 1, 1},      {"FFN inner 3 to 4", 8, 1},
    {"multicast on 4", 8, 0},        {"credit 4 to 3", 1, 1},
    {"FFN outputs 4 to 9", 4, 5, 2}, {"credit 9 to 4", 1, 5, 2},
    {"multicast on 9", 4, 0},        {"first K and V 9 to 6", 4, 3, 1},
    {"second K and V", 4, 3, 1},     {"announcement on 9", 1, 0},
};

constexpr Packet kOfOutput[] = {
    {"embedding to 5", 4, 5, 1, 1},
    {"multicast on 5", 4, 0},
    {"residual 5 to 8", 4, 3, 1},
    {"credit 5 to host", 1, 6, 2, 1},
    {"first head 5 to 6", 6, 1, 1},
    {"second head 5 to 6", 6, 1, 1},
    {"first head 6 to 7", 2, 1},
    {"second head 6 to 7", 2, 1},
    {"multicast on 7", 4, 0},
    {"credit 7 to 5", 1, 2, 1},
    {"O outputs 7 to 8", 4, 1},
    {"multicast on 8", 4, 0},
    {"residual 8 to 11", 4, 3, 1},
    {"credit 8 to 7", 1, 1},
    {"first query 8 to 6", 2, 2},
    {"second query 8 to 6", 2, 2},
    {"first head 6 to 10", 2, 4, 1},
    {"second head 6 to 10", 2, 4, 1},
    {"multicast on 10", 4, 0},
    {"credit 10 to 8", 1, 2, 1},
    {"cross O outputs 10 to 11", 4, 1},
    {"multicast on 11", 4, 0},
    {"residual 11 to 13", 4, 2, 1},
    {"credit 11 to 10", 1, 1},
    {"FFN inner 11 to 12", 8, 1, 1},
    {"multicast on 12", 8, 0},
    {"credit 12 to 11", 1, 1, 1},
    {"FFN outputs 12 to 13", 4, 1},
    {"multicast on 13", 4, 0},
    {"credit 13 to 12", 1, 1},
    {"candidates 13 to host", 8, 14, 5, 1},
    {"credit host to 13", 1, 13, 4, 1},
};

/// Of two heads of a query for so many tokens.
constexpr std::int64_t attention_macs(std::int64_t tokens) {
  return 2 * (2 * 64 * tokens);
}
constexpr std::int64_t attention_bits(std::int64_t tokens) {
  return 2 * ((8 * 64 + 32 * tokens) + (8 * tokens + 32 * 64));
}
constexpr std::int64_t kKvBits = 2 * (2 * 64 * 8);  // a token's K and V of both heads

wafer::EnergyCounts counts_of_prompt(std::int64_t tokens) {
  wafer::EnergyCounts counts;
  counts[Component::mac] =
      tokens * (128 * 384 + attention_macs(tokens) + 128 * 128 + 2 * 128 * 256 + 128 * 256);
  counts[Component::htree] =
      kHTreePath * tokens *
      (8 * (4 * 128 + 256) + 32 * (384 + 128 + 256 + 128 + 256) + attention_bits(tokens));
  counts[Component::kv_write] = tokens * 2 * kKvBits;  // in the encoder, and for the decoder
  counts[Component::sfu_special] = tokens * (3 * 2 + 2 * (tokens + 1));
  counts[Component::sfu_simple] = tokens * (3 * 4 * 128 + 2 * 128 + 256 + 2 * 4 * tokens);
  add_packets(counts, kOfPrompt, tokens);
  return counts;
}

wafer::EnergyCounts counts_of_outputs(std::int64_t prompt, std::int64_t outputs) {
  wafer::EnergyCounts counts;
  for (std::int64_t own = 1; own <= outputs; ++own) {  // the start token is the first one
    counts[Component::mac] +=
        128 * 384 + attention_macs(own) + 3 * 128 * 128 + attention_macs(prompt) + 2 * 128 * 256 + 128 * 256;
    counts[Component::htree] += kHTreePath * (8 * (6 * 128 + 256) + 32 * (384 + 3 * 128 + 256 + 128 + 256) +
                                              attention_bits(own) + attention_bits(prompt));
    counts[Component::kv_write] += kKvBits;
    counts[Component::sfu_special] += 4 * 2 + 2 * (own + 1) + 2 * (prompt + 1);
    counts[Component::sfu_simple] += 4 * 4 * 128 + 3 * 128 + 256 + 2 * 4 * own + 2 * 3 * prompt;
  }
  add_packets(counts, kOfOutput, outputs);
  return counts;
}

TEST(CrossAttention, CostsTheEnergyOfAHandCalculation) {
  for (const auto& [prompt, outputs] : {std::pair{1, 1}, {3, 2}, {40, 20}}) {
    const auto run = run_to_the_end(*read_model(kT5, requests(1, prompt, outputs)));
    EXPECT_EQ(run.counts[0].of, counts_of_prompt(prompt).of) << prompt;
    EXPECT_EQ(run.counts[1].of, counts_of_outputs(prompt, outputs).of) << outputs;
    EXPECT_EQ(run.traffic.packets_sent, prompt * std::ssize(kOfPrompt) + outputs * std::ssize(kOfOutput));
    EXPECT_EQ(run.traffic.packets_received, run.traffic.packets_sent);
  }
}

TEST(CrossAttention, AttendsToAPromptOfSeveralPagesAsToOneOfOne) {
  const auto run = run_to_the_end(*read_model(kT5, requests(1, 300, 140)));  // a page has 128 tokens
  EXPECT_EQ(run.counts[0].of, counts_of_prompt(300).of);
  EXPECT_EQ(run.counts[1].of, counts_of_outputs(300, 140).of);
}

/// What is written and multiplied does not depend on where it lies.
TEST(CrossAttention, GathersHeadsThatLieOnSeveralCores) {
  auto assignments = requests(2, 300, 140, 9);         // 7 KV cores a block
  assignments.emplace_back("wafer.core.crossbars=2");  // of 3 pages each: a prompt's head takes 3, outputs 2
  assignments.emplace_back("wafer.core.crossbar_rows=384");
  const auto experiment = read_model(kT5, assignments);
  ASSERT_EQ(experiment->plan->kv_ring().places(), 7);
  ASSERT_EQ(experiment->make_kv_controller().pages_total(), 21);
  const auto run = run_to_the_end(*experiment);
  for (const auto component : {Component::mac, Component::kv_write}) {
    EXPECT_EQ(run.counts[0][component], 2 * counts_of_prompt(300)[component]);
    EXPECT_EQ(run.counts[1][component], 2 * counts_of_outputs(300, 140)[component]);
  }
  // the last head of the second prompt begins on a core where the first one has a page: its parts are merged
  EXPECT_GE(run.counts[1][Component::sfu_special],
            2 * counts_of_outputs(300, 140)[Component::sfu_special] + 140 * (1 + 2 + 1));
}

// ---- the plan

TEST(CrossAttention, HasTwoChainsOfStations) {
  const auto experiment = read_model(kT5, requests(1, 1, 1));
  const auto& stations = experiment->plan->stations();
  ASSERT_EQ(stations.size(), 4U + 1 + 6 + 1);  // the encoder, cross K and V; the decoder, the LM head
  EXPECT_EQ(stations[4].matrix, Matrix::cross_kv);
  EXPECT_TRUE(stations[4].ends_chain);
  EXPECT_EQ(stations[5].matrix, Matrix::qkv);
  EXPECT_TRUE(stations[5].begins_chain);
  EXPECT_EQ(experiment->plan->first_number(4), 0U);
  EXPECT_EQ(experiment->plan->first_number(5), llm::kFirstOfDecoder);
  EXPECT_EQ(stations[7].matrix, Matrix::cross_query);
  EXPECT_EQ(stations[8].matrix, Matrix::cross_output);
  EXPECT_EQ(stations[9].residual_from, 2);
}

// ---- memory

TEST(CrossAttention, GivesAPromptAndItsOutputsPagesOfTheirOwn) {
  // the KV core of the decoder's block: 32 crossbars, half of them of K, each of 8 blocks of 128 rows; so 128
  // pages, 64 a head: 63 of prompt and outputs, since a page of each may not be full
  const auto experiment = read_model(kT5, requests(1, 1, 1));
  EXPECT_EQ(experiment->make_kv_controller().pages_total(), 128);
  EXPECT_EQ(experiment->longest_request(), 63 * 128);
  // in the encoder's block queries have room for 128 KiB / (128 x 64 bytes) = 16 pages, 8 a head
  EXPECT_EQ(experiment->make_encoder_kv_controller()->longest_sequence(), 8 * 128);
}

/// Sequences that give way are encoded again; each request gets all of its outputs, and no page is lost.
TEST(CrossAttention, EncodesPreemptedSequencesAgain) {
  auto assignments = requests(6, 130, 200);
  assignments.emplace_back("wafer.core.crossbars=8");  // 32 pages, 16 a head: 2 of each prompt
  assignments.emplace_back("serving.admission_threshold=0");
  const auto run = run_to_the_end(*read_model(kT5, assignments));
  ASSERT_EQ(run.requests.size(), 6U);
  std::int64_t preemptions = 0, recomputed = 0;
  for (const auto& request : run.requests) {
    preemptions += request.preemptions;
    recomputed += request.recomputed_tokens;
    EXPECT_GE(request.recomputed_tokens, 131 * request.preemptions);  // the start token, too
  }
  EXPECT_GT(preemptions, 0);
  EXPECT_EQ(std::ssize(run.tokens), 6 * (130 + 200) + recomputed);
}

// ---- what is refused

std::string refusal(const std::vector<std::string>& assignments) {
  try {
    read_model(kT5, assignments);
  } catch (const engine::InputError& error) {
    return error.what();
  }
  return "";
}

TEST(CrossAttention, RefusesWhatDoesNotGoWithIt) {
  const auto refused = [](const std::string& assignment) {
    return refusal(with(requests(1, 3, 3), assignment));
  };
  const auto says = [](const char* text) { return testing::HasSubstr(text); };
  EXPECT_EQ(refusal(requests(1, 3, 3)), "");
  EXPECT_THAT(refused("wafer.noc.fidelity=stage"), says("an encoder is not simulated at this fidelity"));
  EXPECT_THAT(
      refusal(with(with(requests(1, 3, 3), "wafer.noc.multicast=unicast"), "wafer.noc.fidelity=flit")),
      says("an encoder-decoder is not simulated at this fidelity; \"packet\""));
  EXPECT_THAT(refused("serving.prefix_cache=true"), says("prompts cannot share them"));
  EXPECT_THAT(refused("serving.prefill_window=8"), says("wait for the whole sequence"));
  EXPECT_THAT(refused("serving.pipelining=sequence"), says("its attention takes whole sequences already"));
  EXPECT_THAT(refused("serving.kv_fragments=true"), says("the first blocks of this model"));
  EXPECT_THAT(refused("serving.kv=static"),
              says("what a prompt and its outputs need is not known apart before; \"dynamic\""));
  EXPECT_THAT(refused("serving.max_running=40000"), says("two entries in the page tables; at most 32768"));
  EXPECT_THAT(refused("mapping.method=rows"), says("\"snake\" maps all"));
  EXPECT_THAT(refused("wafer.faults.runtime.cores=1"),
              says("an encoder is not simulated while something fails"));
  EXPECT_THAT(refusal(requests(1, 1025, 1)),
              says("a prompt has 1025 tokens, and K, V and queries of a block of the encoder never have room "
                   "for more than 1024"));
  EXPECT_THAT(refusal(requests(1, 1000, 7065)), says("never holds more than 8064"));
}

}  // namespace
}  // namespace ouro::tests
