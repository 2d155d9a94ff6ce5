#include <gtest/gtest.h>

#include <functional>

#include "engine/error.hpp"
#include "engine/region.hpp"

namespace ouro::engine {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTick{1};

struct Ping {
  std::uint64_t number;
};

/// An LP whose whole behaviour is given by the test.
class ScriptedLp final : public LogicalProcess {
 public:
  using Handler = std::function<void(const Event&, Scheduler&)>;

  ScriptedLp(Channels channels, std::function<void(Scheduler&)> start, Handler handler)
      : channels_{std::move(channels)}, start_{std::move(start)}, handler_{std::move(handler)} {}

  std::string name() const override { return "scripted"; }
  Channels channels() const override { return channels_; }
  void start(Scheduler& scheduler) override {
    if (start_) start_(scheduler);
  }
  void handle(const Event& event, Scheduler& scheduler) override {
    if (handler_) handler_(event, scheduler);
  }

 private:
  Channels channels_;
  std::function<void(Scheduler&)> start_;
  Handler handler_;
};

/// Two LPs on one rank; LP 0 sends to LP 1 after `delay`, having promised `promised`.
void send_after(Duration delay, Duration promised) {
  Region region{0, 1, {0, 0}, [&](LpId id) {
                  if (id == LpId{1}) return std::make_unique<ScriptedLp>(Channels{}, nullptr, nullptr);
                  return std::make_unique<ScriptedLp>(
                      Channels{{{LpId{1}, promised}}, {}},
                      [=](Scheduler& scheduler) { scheduler.send(LpId{1}, delay, Ping{1}); }, nullptr);
                }};
  region.run_before(kNever);
}

TEST(Region, ASendAtThePromisedLookaheadIsAccepted) {
  EXPECT_NO_THROW(send_after(10ns, 10ns));
}

TEST(Region, ASendOneTickBelowThePromisedLookaheadEndsTheRun) {
  EXPECT_THROW(send_after(10ns - kTick, 10ns), CausalityError);
}

TEST(Region, AChannelWithoutLookaheadIsRefusedByName) {
  try {
    send_after(Duration::zero(), Duration::zero());
    FAIL() << "accepted a channel without lookahead";
  } catch (const ContractError& error) {
    EXPECT_STREQ(error.what(), "'scripted' promises no lookahead to LP 1");
  }
}

TEST(Region, ASendWithoutAChannelEndsTheRun) {
  Region region{0, 1, {0, 0}, [](LpId) {
                  return std::make_unique<ScriptedLp>(
                      Channels{}, nullptr,
                      [](const Event&, Scheduler& scheduler) { scheduler.send(LpId{1}, 1ns, Ping{0}); });
                }};
  const Event wake{Time{Duration{1ns}}, LpId{0}, LpId{0}, 0, {}};
  region.receive({&wake, 1});
  EXPECT_THROW(region.run_before(kNever), CausalityError);
}

TEST(Region, AnEventBelowTheReceiversClockEndsTheRunAndOneAtTheClockDoesNot) {
  Region region{0, 1, {0}, [](LpId) {
                  return std::make_unique<ScriptedLp>(
                      Channels{}, [](Scheduler& scheduler) { scheduler.send(LpId{0}, 5ns, Ping{0}); },
                      nullptr);
                }};
  region.run_before(kNever);
  const Event same{Time{Duration{5ns}}, LpId{0}, LpId{0}, 8, {}};
  EXPECT_NO_THROW(region.receive({&same, 1}));
  const Event past{Time{5ns - kTick}, LpId{0}, LpId{0}, 9, {}};
  EXPECT_THROW(region.receive({&past, 1}), CausalityError);
}

TEST(Region, WhatAReplicaSendsReachesTheLpsOfItsOwnRankOnly) {
  int received = 0;
  Region region{0, 2, {kEveryRank, 0, 1}, [&](LpId id) {
                  if (id == LpId{0}) {
                    return std::make_unique<ScriptedLp>(
                        Channels{},
                        [](Scheduler& scheduler) {
                          scheduler.send(LpId{1}, Duration::zero(), Ping{1});
                          scheduler.send(LpId{2}, Duration::zero(), Ping{2});
                        },
                        nullptr);
                  }
                  return std::make_unique<ScriptedLp>(Channels{{{LpId{0}, 1ns}}, {}}, nullptr,
                                                      [&](const Event&, Scheduler&) { ++received; });
                }};
  region.run_before(kNever);
  EXPECT_EQ(received, 1);
  EXPECT_TRUE(region.outgoing(1).empty());
}

TEST(Region, WhatIsSentToAReplicatedLpGoesToEveryRank) {
  Region region{0, 3, {kEveryRank, 0, 1}, [&](LpId) {
                  return std::make_unique<ScriptedLp>(
                      Channels{{{LpId{0}, 1ns}}, {}},
                      [](Scheduler& scheduler) {
                        if (scheduler.self() == LpId{1}) scheduler.send(LpId{0}, 1ns, Ping{1});
                      },
                      nullptr);
                }};
  EXPECT_EQ(region.pending(), 1U);
  EXPECT_EQ(region.outgoing(1).size(), 1U);
  EXPECT_EQ(region.outgoing(2).size(), 1U);
  EXPECT_EQ(region.lookahead(), Duration{1ns});
}

}  // namespace
}  // namespace ouro::engine
