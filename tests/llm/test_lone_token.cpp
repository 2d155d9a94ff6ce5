#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/llm/lone_run.hpp"

// A core for each matrix, on a line of two dies at the default 1 GHz, where a cycle is a nanosecond:
//
//   host = [ 0 QKV   1 KV   2 O ] = [ 3 gate, up   4 down   5 LM head ]
//
// hidden 128, 2 heads of 64, FFN 256, vocabulary 256, 1 layer; a flit is 32 bytes.

namespace ouro::tests {
namespace {

using engine::Duration;
using wafer::Component;

std::int64_t divide_up(std::int64_t amount, std::int64_t by) {
  return (amount + by - 1) / by;
}

// cycles, for a head with `context` tokens
std::int64_t score(std::int64_t context) {
  const std::int64_t pass = 2 * 8;                                 // 64 rows
  const std::int64_t out = 5 + divide_up(32 * context, 1024) - 1;  // H-tree
  return pass + out;
}
std::int64_t softmax(std::int64_t context) {
  return 3 * (8 + divide_up(context, 64) - 1);  // SFU: maximum; exponential and sum; scale
}
std::int64_t values(std::int64_t context) {
  const std::int64_t write_v = 1;
  const std::int64_t pass = divide_up(context, 32) * 8;  // V rows lie in one crossbar
  const std::int64_t out = 5 + 64 * 32 / 1024 - 1;       // H-tree
  return write_v + pass + out;
}

/// When the second of two heads on one core has its output; one does S x V while the other does its score.
std::int64_t both_heads(std::int64_t first_ready, std::int64_t second_ready, std::int64_t context) {
  const std::int64_t write_k = 64;  // a column, row by row
  const auto first_scored = first_ready + write_k + score(context);
  const auto first_softmax = first_scored + softmax(context);
  const auto first_done = first_softmax + values(context);
  const auto second_scored = std::max(second_ready, first_scored) + write_k + score(context);
  const auto second_softmax = std::max(second_scored, first_softmax) + softmax(context);
  return std::max(second_softmax, first_done) + values(context);
}

/// From the controllers' release of a token to its sampled successor.
std::int64_t lone_token_cycles(std::int64_t context) {
  const std::int64_t norm = 2 * (8 + 128 / 64 - 1);  // two SFU operations on 128 elements
  const std::int64_t residual_add = 8 + 128 / 64 - 1;

  std::int64_t t = 100;  // embedding
  t += 1 + 4;            // head over the host link, which is as a die border
  t += 1 + 2 + (4 - 1);  // router and wires of core 0; 128 bytes are 4 flits
  t += norm;
  t += packet_cycles(0, 4);      // multicast to the only tile, on the home core itself
  t += 5 + (12 * 8) + (5 + 11);  // H-tree 1,024 bits; 384 rows; H-tree 384 sums = 12,288 bits
  const auto first_head = t + packet_cycles(1, 6);  // q, k, v of a head: 192 bytes
  const auto second_head = first_head + 6;          // behind it on every link
  t = both_heads(first_head, second_head, context);
  t += packet_cycles(1, 2);  // 64 bytes to the O tile

  t += packet_cycles(0, 4);
  t += 5 + (4 * 8) + (5 + 3);  // 128 rows, 128 sums
  t += packet_cycles(1, 4, 1);

  t += residual_add + norm;  // the residual was there long before
  t += packet_cycles(0, 4);
  t += 5 + (16 * 8) + (5 + 15);  // 512 rows: 2 strips of 128 for each of gate and up; 512 sums
  t += 2 * (8 + 256 / 64 - 1);   // SiLU and product of 256 elements
  t += packet_cycles(1, 8);      // 256 bytes

  t += packet_cycles(0, 8);
  t += (5 + 1) + (8 * 8) + (5 + 3);  // 2,048 bits; 256 rows; 128 sums
  t += packet_cycles(1, 4);

  t += residual_add + norm;
  t += packet_cycles(0, 4);
  t += 5 + (8 * 8) + (5 + 7);  // 2 strips of 128 rows; 256 sums
  t += 1 + 2 * 5 + 4;          // 32 candidates of 8 bytes are 8 flits: head over 5 hops
  t += 1 + 1 + 4 + (8 - 1);    // last router, host link, tail
  return t + 100;              // sampling
}

std::vector<std::string> toy_line() {
  return line_of_cores(2, 3);
}

Duration nanoseconds(std::int64_t count) {
  return std::chrono::nanoseconds{count};
}

TEST(LoneToken, TakesTheTimeOfAHandCalculation) {
  const auto run = run_lone_tokens({}, toy_line(), 1);
  ASSERT_EQ(run.tokens.size(), 1U);

  EXPECT_EQ(lone_token_cycles(1), 1'108);  // the sum of the lines above, by a pocket calculator
  EXPECT_EQ(run.tokens[0].retired - run.tokens[0].issued, nanoseconds(1'108));
  EXPECT_EQ(run.requests.at(0).first_token - run.requests.at(0).request.arrival, nanoseconds(1'108));
  EXPECT_EQ(run.requests.at(0).done, run.requests.at(0).first_token);
}

void expect_the_time_of_a_hand_calculation(const std::vector<std::string>& machine) {
  constexpr int kTokens = 300;  // three pages: one has 128
  const auto run = run_lone_tokens({}, machine, kTokens);
  ASSERT_EQ(run.tokens.size(), std::size_t{kTokens});

  const std::int64_t to_controllers = 2 * 5 + 4;  // corner to corner: 5 hops, a die border
  auto issued = engine::Time{};
  for (std::size_t i = 0; i < kTokens; ++i) {
    const auto context = static_cast<std::int64_t>(i) + 1;
    ASSERT_EQ(run.tokens[i].issued, issued) << "context " << context;
    ASSERT_EQ(run.tokens[i].retired - issued, nanoseconds(lone_token_cycles(context)))
        << "context " << context;
    issued = run.tokens[i].retired + nanoseconds(to_controllers);
  }
}

TEST(LoneToken, TakesTheTimeOfAHandCalculationWithEveryContextUpToThreePages) {
  expect_the_time_of_a_hand_calculation(toy_line());
}

/// No packet is longer than a buffer, so no head or flit waits for a credit; and what is in the way of a
/// packet above was sent by its own core before.
TEST(LoneToken, TakesTheTimeOfAHandCalculationFlitByFlit) {
  auto machine = toy_line();
  machine.insert(machine.end(), {"wafer.noc.fidelity=flit", "wafer.noc.multicast=unicast"});
  expect_the_time_of_a_hand_calculation(machine);
}

constexpr Packet kPackets[] = {
    {"embedding to 0", 4, 0, 0, 1},  // energy of the host's own side is left out
    {"multicast on 0", 4, 0},         {"residual 0 to 3", 4, 3, 1},
    {"credit 0 to host", 1, 1, 1, 1}, {"first head 0 to 1", 6, 1},
    {"second head 0 to 1", 6, 1},     {"first head 1 to 2", 2, 1},
    {"second head 1 to 2", 2, 1},     {"multicast on 2", 4, 0},
    {"credit 2 to 0", 1, 2},          {"O outputs 2 to 3", 4, 1, 1},
    {"multicast on 3", 4, 0},         {"residual 3 to 5", 4, 2},
    {"credit 3 to 2", 1, 1, 1},       {"FFN inner 3 to 4", 8, 1},
    {"multicast on 4", 8, 0},         {"credit 4 to 3", 1, 1},
    {"FFN outputs 4 to 5", 4, 1},     {"multicast on 5", 4, 0},
    {"credit 5 to 4", 1, 1},          {"candidates 5 to host", 8, 6, 2, 1},
    {"credit host to 5", 1, 5, 1, 1},
};

wafer::EnergyCounts lone_token_counts(std::int64_t context) {
  wafer::EnergyCounts counts;
  counts[Component::mac] = 128 * 384 + 2 * (2 * 64 * context) + 128 * 128 + 128 * 512 + 256 * 128 + 128 * 256;
  const std::int64_t inputs = 8 * (128 + 128 + 128 + 256 + 128);  // QKV, O, gate and up, down, LM head
  const std::int64_t sums = 32 * (384 + 128 + 512 + 128 + 256);
  const std::int64_t attention = 2 * ((8 * 64 + 32 * context) + (8 * context + 32 * 64));
  counts[Component::htree] = kHTreePath * (inputs + sums + attention);  // tiles are in one crossbar each
  add_packets(counts, kPackets);
  counts[Component::kv_write] = 2 * (2 * 64 * 8);
  counts[Component::sfu_special] = 3 * 2 + 2 * 256 + 2 * (context + 1);  // norms, SiLU, softmax of two heads
  counts[Component::sfu_simple] = 3 * 4 * 128 + 2 * 128 + 3 * 256 + 2 * 3 * context;  // and residuals
  return counts;
}

TEST(LoneToken, CostsTheEnergyOfAHandCalculation) {
  const auto run = run_lone_tokens({}, toy_line(), 1);

  EXPECT_EQ(run.counts[0].of, lone_token_counts(1).of);
  EXPECT_EQ(run.counts[1].of, wafer::EnergyCounts{}.of);  // nothing is decoded
  // 196,864 MAC x 50 fJ, 56,400 H-tree bits over 13 lengths x 17, 28,416 hop bits x 370, 6,912 border bits x
  // 250, 76,800 buffer bits x 150, 2,048 written bits x 100, 522 operations x 1,000, 2,566 x 200
  EXPECT_EQ(run.energy[0].femtojoules(),
            9'843'200 + 12'464'400 + 10'513'920 + 1'728'000 + 11'520'000 + 204'800 + 522'000 + 513'200);
}

TEST(LoneToken, CostsTheEnergyOfAHandCalculationWhileItsContextGrows) {
  constexpr int kTokens = 300;
  const auto run = run_lone_tokens({}, toy_line(), kTokens);

  wafer::EnergyCounts decode;
  for (std::int64_t context = 2; context <= kTokens; ++context) decode += lone_token_counts(context);
  EXPECT_EQ(run.counts[0].of, lone_token_counts(1).of);
  EXPECT_EQ(run.counts[1].of, decode.of);
}

TEST(LoneToken, SendsThePacketsOfAHandCount) {
  const auto run = run_lone_tokens({}, toy_line(), 1);

  std::int64_t flits = 0;
  for (const auto& packet : kPackets) flits += packet.flits;
  EXPECT_EQ(run.traffic.packets_sent, static_cast<std::int64_t>(std::size(kPackets)));
  EXPECT_EQ(run.traffic.packets_received, static_cast<std::int64_t>(std::size(kPackets)));
  EXPECT_EQ(run.traffic.flits_sent, flits);
  EXPECT_EQ(run.traffic.flits_received, flits);
}

}  // namespace
}  // namespace ouro::tests
