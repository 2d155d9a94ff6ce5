#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

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
  region.receive({&wake, 1}, Time{});
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
  EXPECT_NO_THROW(region.receive({&same, 1}, Time{}));
  const Event past{Time{5ns - kTick}, LpId{0}, LpId{0}, 9, {}};
  EXPECT_THROW(region.receive({&past, 1}, Time{}), CausalityError);
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
  EXPECT_EQ(region.shortest_way(), Duration{1ns});
}

TEST(Region, ACircleWithoutLookaheadAcrossRanksIsRefusedByNameOnEachOfThem) {
  for (const int rank : {0, 1}) {
    const LpId other{static_cast<LpId::Value>(1 - rank)};
    try {
      Region region{
          rank, 2, {0, 1}, [&](LpId) {
            return std::make_unique<ScriptedLp>(Channels{{{other, Duration::zero()}}, {}}, nullptr, nullptr);
          }};
      FAIL() << "accepted a circle without lookahead on rank " << rank;
    } catch (const ContractError& error) {
      EXPECT_EQ(error.what(), "'scripted' promises no lookahead to LP " + std::to_string(other.value()));
    }
  }
}

// What an LP foresees is checked against what it does.

/// An LP that promises for every event, whatever it then does.
class ProphetLp final : public LogicalProcess {
 public:
  struct Promise {
    Duration pending;   // by foresee(), for every target
    Duration arriving;  // by foresee_arrivals()
  };

  ProphetLp(std::string name, Channels channels, Promise promise, ScriptedLp::Handler handler = {})
      : name_{std::move(name)},
        channels_{std::move(channels)},
        promise_{promise},
        handler_{std::move(handler)} {}

  std::string name() const override { return name_; }
  Channels channels() const override { return channels_; }
  void handle(const Event& event, Scheduler& scheduler) override {
    if (handler_) handler_(event, scheduler);
  }

  bool has_foresight() const override { return true; }
  void foresee(const Event&, std::span<Duration> least) const override {
    std::fill(least.begin(), least.end(), promise_.pending);
  }
  void foresee_arrivals(std::span<Duration> least) const override {
    std::fill(least.begin(), least.end(), promise_.arriving);
  }

 private:
  std::string name_;
  Channels channels_;
  Promise promise_;
  ScriptedLp::Handler handler_;
};

void receive_at(Region& region, Duration time, Time promised = {}) {
  const Event event{Time{time}, LpId{0}, LpId{1}, 0, {}};
  region.receive({&event, 1}, promised);
}

template <class Run>
std::string causality_error_of(const Run& run) {
  try {
    run();
  } catch (const CausalityError& error) {
    return error.what();
  }
  return "none";
}

/// LP 0 foresees 100 ns and sends to LP 1, on the other rank, after `delay`.
void send_to_the_other_rank(Duration delay) {
  const auto send = [&](const Event&, Scheduler& scheduler) { scheduler.send(LpId{1}, delay, Ping{0}); };
  Region region{0, 2, {0, 1}, [&](LpId) {
                  return std::make_unique<ProphetLp>("prophet", Channels{{{LpId{1}, 10ns}}, {}},
                                                     ProphetLp::Promise{100ns, 100ns}, send);
                }};
  receive_at(region, 5ns);
  region.run_before(kNever);
}

TEST(Region, ASendToAnotherRankThatWasForeseenIsAcceptedAndOneTickEarlierEndsTheRun) {
  EXPECT_NO_THROW(send_to_the_other_rank(100ns));
  EXPECT_EQ(causality_error_of([] { send_to_the_other_rank(100ns - kTick); }),
            "an event for LP 1 at 104999 ps, sent by 'prophet' at 5000 ps, can reach rank 1 at 104999 ps, "
            "before the promised 105000 ps");
}

/// LP 0 foresees 100 ns and sends to LP 2 on its own rank after 10 ns, which foresees `next`.
void send_to_a_prophet_of_this_rank(Duration next) {
  const auto send = [](const Event&, Scheduler& scheduler) { scheduler.send(LpId{2}, 10ns, Ping{0}); };
  Region region{
      0, 2, {0, 1, 0}, [&](LpId id) {
        const Channels channels{{{LpId{1}, 10ns}, {LpId{2}, 10ns}}, {}};
        if (id == LpId{0}) {
          return std::make_unique<ProphetLp>("first", channels, ProphetLp::Promise{100ns, 100ns}, send);
        }
        return std::make_unique<ProphetLp>("second", channels, ProphetLp::Promise{next, next});
      }};
  receive_at(region, 5ns);
  region.run_before(kNever);
}

TEST(Region, AnEventThatForeseesLessThanTheOneItFollowsFromEndsTheRun) {
  EXPECT_NO_THROW(send_to_a_prophet_of_this_rank(90ns));
  EXPECT_EQ(
      causality_error_of([] { send_to_a_prophet_of_this_rank(90ns - kTick); }),
      "an event for LP 2 at 15000 ps, sent by 'first' at 5000 ps, can reach rank 1 at 104999 ps, before "
      "the promised 105000 ps");
}

/// LP 0 foresees `pending` from each event, and `arriving` from those of other ranks.
void receive_with_foresight(Duration pending, Duration arriving) {
  Region region{0, 2, {0, 1}, [&](LpId) {
                  return std::make_unique<ProphetLp>("prophet", Channels{{{LpId{1}, 10ns}}, {}},
                                                     ProphetLp::Promise{pending, arriving});
                }};
  EXPECT_EQ(region.transit_to(1), arriving);
  receive_at(region, 7ns);
  EXPECT_EQ(region.promise_to(1), Time{7ns + pending});
}

TEST(Region, AnArrivingEventThatForeseesLessThanAnyShouldEndsTheRun) {
  EXPECT_NO_THROW(receive_with_foresight(100ns, 100ns));
  EXPECT_EQ(causality_error_of([] { receive_with_foresight(100ns - kTick, 100ns); }),
            "an event for LP 0 at 7000 ps, sent by LP 1, can reach rank 1 at 106999 ps, before the promised "
            "107000 ps");
}

TEST(Region, AnEventBelowWhatItsRankPromisedEndsTheRunAndOneAtThatTimeDoesNot) {
  Region region{
      0, 2, {0, 1}, [](LpId) { return std::make_unique<ScriptedLp>(Channels{}, nullptr, nullptr); }};
  const Time promised{5ns};
  EXPECT_NO_THROW(receive_at(region, 5ns, promised));
  EXPECT_EQ(causality_error_of([&] { receive_at(region, 5ns - kTick, promised); }),
            "LP 0 receives an event from LP 1 for 4999 ps, but its rank had promised none before 5000 ps");
}

/// An LP that keeps the first event that it gets until the next one comes, and then sends to LP 1, on the
/// other rank, 50 ns later. So the second one leads to nothing by itself: what it sets free is held.
class HoldingLp final : public LogicalProcess {
 public:
  /// @param held    what it says of it, endless for nothing
  /// @param leads   after what time its first event leads there
  HoldingLp(Duration held, Duration leads) : held_{held}, leads_{leads} {}

  std::string name() const override { return "holding"; }
  Channels channels() const override { return {{{LpId{1}, 10ns}}, {}}; }
  void handle(const Event&, Scheduler& scheduler) override {
    if (holds_) scheduler.send(LpId{1}, 50ns, Ping{0});
    holds_ = !holds_;
    scheduler.holds_other();
  }

  bool has_foresight() const override { return true; }
  void foresee(const Event& event, std::span<Duration> least) const override {
    least[0] = event.time == kFirst ? leads_ : kForever;
  }
  void foresee_arrivals(std::span<Duration> least) const override { least[0] = 50ns; }
  void foresee_held(std::span<Duration> least) const override { least[0] = holds_ ? held_ : kForever; }

  void save(StateWriter& archive) const override { archive << holds_; }
  void load(StateReader& archive) override { archive >> holds_; }

  static constexpr Time kFirst{5ns}, kSecond{30ns};

 private:
  Duration held_;
  Duration leads_;
  bool holds_ = false;
};

/// With both of its events pending.
Region make_holding_region(Duration held, Duration leads, SavedState saved = {}) {
  return Region{0,
                2,
                {0, 1},
                [&](LpId) { return std::make_unique<HoldingLp>(held, leads); },
                {.saved = std::move(saved)}};
}

void receive_both(Region& region) {
  receive_at(region, HoldingLp::kFirst.time_since_epoch());
  receive_at(region, HoldingLp::kSecond.time_since_epoch());
}

TEST(Region, WhatIsHeldIsSetFreeByTheEarliestEventAndWhatIsNotLeadsToNothing) {
  auto region = make_holding_region(50ns, 50ns);
  receive_at(region, HoldingLp::kSecond.time_since_epoch());
  EXPECT_EQ(region.promise_to(1), kNever) << "it sets nothing free";
  receive_at(region, HoldingLp::kFirst.time_since_epoch());
  EXPECT_EQ(region.promise_to(1), Time{5ns + 50ns});
  region.run_before(HoldingLp::kSecond);
  EXPECT_EQ(region.promise_to(1), Time{30ns + 50ns});
  EXPECT_NO_THROW(region.run_before(kNever));
  EXPECT_EQ(region.promise_to(1), kNever);
}

TEST(Region, KnowsWhatIsHeldWhenItGoesOn) {
  auto region = make_holding_region(50ns, 50ns);
  receive_both(region);
  region.run_before(HoldingLp::kSecond);
  std::string saved;
  region.save([&](LpId, std::string state) { saved = std::move(state); });
  const auto other = make_holding_region(50ns, 50ns, [&](LpId) { return saved; });
  EXPECT_EQ(other.promise_to(1), Time{30ns + 50ns});
}

TEST(Region, WhatIsSetFreeSoonerThanItsLpSaidEndsTheRun) {
  const auto run = [](Duration held) {
    auto region = make_holding_region(held, 50ns);
    receive_both(region);
    return causality_error_of([&] { region.run_before(kNever); });
  };
  EXPECT_EQ(run(50ns), "none");
  EXPECT_EQ(run(50ns + kTick),
            "an event for LP 1 at 80000 ps, sent by 'holding' at 30000 ps, can reach rank 1 at 80000 ps, "
            "before the promised 80001 ps");
  EXPECT_NE(run(kForever), "none") << "held, and not stated";
}

TEST(Region, WhatIsHeldAndLeadsSomewhereSoonerThanItsEventPromisedEndsTheRun) {
  auto region = make_holding_region(50ns, 50ns + kTick);
  receive_both(region);
  EXPECT_EQ(causality_error_of([&] { region.run_before(kNever); }),
            "'holding' holds from 5000 ps what can reach rank 1 at 55000 ps, before the promised 55001 ps");
}

/// Rank 0 of three, with one event, for `pending` at 100 ns:
///
///     0 -10 ns-> 1 -5 ns-> 2 (rank 1)
///     0 -20 ns-> 3 (every rank), which reaches 0, 1 and 4 at once
///     4 -7 ns-> 5 (rank 2)
Region make_small_graph(LpId pending) {
  return Region{0, 3, {0, 0, 1, kEveryRank, 0, 2}, [&](LpId id) {
                  Channels channels;
                  if (id == LpId{0}) channels.to = {{LpId{1}, 10ns}, {LpId{3}, 20ns}};
                  if (id == LpId{1}) channels.to = {{LpId{2}, 5ns}};
                  if (id == LpId{4}) channels.to = {{LpId{5}, 7ns}};
                  const auto start = [=](Scheduler& scheduler) {
                    if (id == pending) scheduler.send(id, 100ns, Ping{0});
                  };
                  return std::make_unique<ScriptedLp>(channels, start, nullptr);
                }};
}

TEST(Region, PromisesTheShortestWayOverChannelsFromWhatIsPending) {
  const auto first = make_small_graph(LpId{0});
  EXPECT_EQ(first.promise_to(1), Time{115ns});  // by LP 1
  EXPECT_EQ(first.promise_to(2), Time{120ns});  // the copies of LP 3
  EXPECT_EQ(first.promise_to_all(), Time{115ns});
  const auto second = make_small_graph(LpId{1});
  EXPECT_EQ(second.promise_to(1), Time{105ns});
  EXPECT_EQ(second.promise_to(2), kNever);
  const auto last = make_small_graph(LpId{4});
  EXPECT_EQ(last.promise_to(1), kNever);
  EXPECT_EQ(last.promise_to(2), Time{107ns});
}

TEST(Region, PromisesForWhatAReplicatedLpMayForwardAtOnce) {
  const auto region = make_small_graph(LpId{3});
  EXPECT_EQ(region.promise_to(1), Time{105ns});  // by LP 1
  EXPECT_EQ(region.promise_to(2), Time{107ns});  // by LP 4
}

TEST(Region, TransitIsTheShortestWayFromAnyOfItsLps) {
  const auto region = make_small_graph(LpId{0});
  EXPECT_EQ(region.peers(), (std::vector<int>{1, 2}));
  EXPECT_EQ(region.transit_to(1), Duration{5ns});
  EXPECT_EQ(region.transit_to(2), Duration{7ns});
  EXPECT_EQ(region.shortest_way(), Duration{5ns});
}

}  // namespace
}  // namespace ouro::engine
