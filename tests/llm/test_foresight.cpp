#include <gtest/gtest.h>

#include "llm/foresight.hpp"
#include "tests/llm/toy.hpp"

// Six cores in a line, three a die: QKV, KV and O on the first; gate and up, down and the LM head on the
// second. Each group is one tile. The first die, with the host, is rank 0, the second rank 1. The clock is 1
// GHz, a hop 2 ns, a die border 4 ns more; a packet needs 1 ns to its first router and 3 ns + a cycle for
// each flit but the first from its last.

namespace ouro::tests {
namespace {

using namespace std::chrono_literals;
using engine::Duration;
using engine::kEveryRank;
using engine::kForever;
using llm::Cargo;
using llm::Message;
using llm::MessageKind;

constexpr std::uint32_t kQkv = 0, kKv = 1, kO = 2, kGateUp = 3, kDown = 4, kHead = 5;  // cores

constexpr Duration kControl = 1000ns;

class ForesightOfALine : public ::testing::Test {
 protected:
  explicit ForesightOfALine(engine::Lookahead lookahead = engine::Lookahead::held) {
    auto machine = line_of_cores(2, 3);
    experiment_ = read_toy({.heads = 1, .kv_heads = 1, .head_dim = 128}, machine);
    for (const int rank : {0, 1}) {
      foresights_.push_back(
          std::make_unique<llm::Foresight>(*experiment_->plan, kControl, std::vector<int>{0, 1}, rank));
      foresights_.back()->meet({{kEveryRank, 1 - rank}, rank, 2}, lookahead);
    }
  }

  struct Least {
    Duration controllers;
    Duration other_rank;
    bool operator==(const Least&) const = default;
  };

  Least least(int rank, const Message& message) const {
    std::array<Duration, 2> times{};
    foresights_[static_cast<std::size_t>(rank)]->foresee(message, times);
    return {times[0], times[1]};
  }
  /// Of a token that waits for a credit.
  Least held(int rank, int station) const {
    std::array<Duration, 2> times{kForever, kForever};
    foresights_[static_cast<std::size_t>(rank)]->lower_to_launch(static_cast<std::size_t>(station), times);
    return {times[0], times[1]};
  }
  Least at(int rank, MessageKind kind, std::uint32_t core) const {
    return least(rank, {.kind = kind, .at = core});
  }

  const llm::Foresight& foresight(int rank) const { return *foresights_[static_cast<std::size_t>(rank)]; }

  /// Of whatever comes from the other rank.
  Least least_of_arrivals(int rank) const {
    std::array<Duration, 2> times{};
    foresights_[static_cast<std::size_t>(rank)]->foresee_arrivals(times);
    return {times[0], times[1]};
  }

 private:
  std::unique_ptr<const llm::Experiment> experiment_;
  std::vector<std::unique_ptr<llm::Foresight>> foresights_;
};

/// Credits lead on, whether or not a token waits for them.
class ForesightWithCredits : public ForesightOfALine {
 protected:
  ForesightWithCredits() : ForesightOfALine{engine::Lookahead::promises} {}
};

TEST_F(ForesightOfALine, APacketOverTheBorderNeedsItsHopsAndTheCrossing) {
  const Message packet{
      .kind = MessageKind::packet, .cargo = Cargo::residual, .at = kQkv, .target = kGateUp, .flits = 4};
  EXPECT_EQ(least(0, packet).other_rank, 3 * 2ns + 4ns);
  EXPECT_EQ(least(0, packet).controllers, kForever) << "what follows there is the other rank's to promise";
}

TEST_F(ForesightOfALine, AStationLeadsOverTheBorderByTheShortestOfItsSends) {
  // QKV: the residual to gate and up
  EXPECT_EQ(at(0, MessageKind::station_ready, kQkv).other_rank, 1ns + 3 * 2ns + 4ns);
  // O: a multicast to its own tile, H-tree, pass and H-tree, and one output over the border; its credit ends
  // here
  EXPECT_EQ(at(0, MessageKind::station_ready, kO).other_rank, 7ns + 5ns + 32ns + 8ns + 7ns);
  // gate and up: the credit to O
  EXPECT_EQ(at(1, MessageKind::station_ready, kGateUp).other_rank, 1ns + 2ns + 4ns);
}

TEST_F(ForesightOfALine, ATileLeadsThereWhenItsOutputIsThere) {
  EXPECT_EQ(at(0, MessageKind::tile_done, kO).other_rank, 1ns + 2ns + 4ns);
  // candidates for the host pass the border on their way
  EXPECT_EQ(at(1, MessageKind::tile_done, kHead).other_rank, 1ns + 3 * 2ns + 4ns);
}

TEST_F(ForesightOfALine, AHeadLeadsThereThroughTheStationThatGathersIt) {
  // 4 flits to O, which need no operation there, and then as from O
  EXPECT_EQ(at(0, MessageKind::head_done, kKv).other_rank, 1ns + 2ns + 3ns + 3ns + 59ns);
}

TEST_F(ForesightOfALine, AQueryLeadsThereAfterScoreSoftmaxAndProduct) {
  const Message query{
      .kind = MessageKind::packet, .cargo = Cargo::head_input, .at = kKv, .target = kKv, .flits = 4};
  const auto attention = (32ns + 5ns) + 3 * 8ns + (8ns + 8ns);
  EXPECT_EQ(least(0, query).other_rank, 3ns + 3ns + attention + 68ns);
}

TEST_F(ForesightOfALine, APartOfAVectorLeadsThereAfterTheNorm) {
  const Message part{
      .kind = MessageKind::packet, .cargo = Cargo::activations, .at = kQkv, .target = kQkv, .flits = 4};
  EXPECT_EQ(least(0, part).other_rank, 3ns + 3ns + 2 * 9ns + 11ns);
}

TEST_F(ForesightOfALine, TheHostTellsTheControllersAndSendsOverTheBorder) {
  const Message inject{.kind = MessageKind::inject, .cargo = Cargo::activations};
  EXPECT_EQ(least(0, inject).controllers, kControl);
  EXPECT_EQ(least(0, inject).other_rank, 1ns + 4ns + 3ns + 3ns + 18ns + 11ns);
  const Message issue{.kind = MessageKind::issue};
  EXPECT_EQ(least(0, issue).controllers, 100ns + kControl);
  // sampling gives the LM head a credit: five hops, the border after three
  const Message sample{.kind = MessageKind::sample, .cargo = Cargo::credit};
  EXPECT_EQ(least(0, sample).other_rank, 1ns + 4ns + 3 * 2ns + 4ns);
}

TEST_F(ForesightOfALine, TheLmHeadTellsTheControllersOfTokensThatLeave) {
  EXPECT_EQ(at(1, MessageKind::station_ready, kHead).controllers, kControl);
  EXPECT_EQ(at(1, MessageKind::tile_done, kDown).controllers, (1ns + 2ns + 3ns + 3ns) + 3 * 9ns + kControl);
}

TEST_F(ForesightOfALine, ACreditLeadsToNothingButAcrossTheBorderWhereNoTokenWaitsForIt) {
  const Message credit{
      .kind = MessageKind::packet, .cargo = Cargo::credit, .at = kO, .target = kO, .flits = 1};
  EXPECT_EQ(least(0, credit), (Least{kForever, kForever}));
  EXPECT_EQ(least(0, {.kind = MessageKind::credit, .at = kO}), (Least{kForever, kForever}));
  EXPECT_EQ(least(0, {.kind = MessageKind::host_packet, .cargo = Cargo::credit}),
            (Least{kForever, kForever}));
  // gate and up: its credit to O is an event of the other rank
  EXPECT_EQ(least(1, {.kind = MessageKind::station_ready, .at = kGateUp}).other_rank, 1ns + 2ns + 4ns);
  // sampling: and that to the LM head
  EXPECT_EQ(least(0, {.kind = MessageKind::sample, .cargo = Cargo::credit}).other_rank,
            1ns + 4ns + 3 * 2ns + 4ns);
}

TEST_F(ForesightOfALine, ATokenThatWaitsNeedsAsLongFromItsCreditAsFromBeingReady) {
  EXPECT_EQ(held(0, 0).other_rank, 1ns + 3 * 2ns + 4ns);
  EXPECT_EQ(held(0, 1).other_rank, 7ns + 5ns + 32ns + 8ns + 7ns);
}

TEST_F(ForesightOfALine, WhatWaitsToEnterIsLookedUpFirst) {
  std::array<Duration, 2> times{kForever, kForever};
  foresight(0).lower_to_entry(times);
  EXPECT_EQ(times[0], 100ns + kControl);
  EXPECT_EQ(times[1], 100ns + 1ns + 4ns + 3ns + 3ns + 18ns + 11ns);
}

TEST_F(ForesightWithCredits, AStationLeadsOnThroughTheCreditsThatItGives) {
  // O: not through its tile (59 ns), but by the credit that lets QKV send its residual
  EXPECT_EQ(at(0, MessageKind::station_ready, kO).other_rank, 1ns + 2 * 2ns + 3ns + 11ns);
  // down: a credit to gate and up before, whose credit goes to O
  EXPECT_EQ(at(1, MessageKind::station_ready, kDown).other_rank, 1ns + 2ns + 3ns + 7ns);
  // 4 flits to O, which need no operation there, and then as from O
  EXPECT_EQ(at(0, MessageKind::head_done, kKv).other_rank, 1ns + 2ns + 3ns + 3ns + 19ns);
  EXPECT_FALSE(foresight(0).knows_what_waits());
}

TEST_F(ForesightWithCredits, WhatComesFromElsewhereIsNeverSoonerThanTheSoonestOfIt) {
  const Message credit{
      .kind = MessageKind::packet, .cargo = Cargo::credit, .at = kO, .target = kO, .flits = 1};
  EXPECT_EQ(least_of_arrivals(0).other_rank, least(0, credit).other_rank);
}

TEST_F(ForesightOfALine, GivingKvBackLeadsNowhere) {
  EXPECT_EQ(at(0, MessageKind::release, kQkv), (Least{kForever, kForever}));
}

TEST_F(ForesightOfALine, WhatComesFromElsewhereIsNeverSoonerThanTheSoonestOfIt) {
  // to rank 0: credits for O, candidates for the host, and what the controllers hear of the LM head
  const auto arrivals = least_of_arrivals(0);
  // a credit may let O's next token go, and that one's credit QKV's: 3 ns to leave its last router, and two
  // ways
  EXPECT_EQ(arrivals.other_rank, 3ns + (1ns + 2 * 2ns + 3ns) + (1ns + 3 * 2ns + 4ns));
  EXPECT_EQ(arrivals.controllers, 100ns + kControl) << "the controllers let the next token in";
}

}  // namespace
}  // namespace ouro::tests
