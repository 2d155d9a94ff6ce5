#include <gtest/gtest.h>

#include <memory>
#include <tuple>
#include <vector>

#include "engine/region.hpp"
#include "engine/verification.hpp"
#include "engine/virtual_cluster.hpp"
#include "tests/engine/phold.hpp"
#include "tests/engine/phold_oracle.hpp"
#include "tests/engine/phold_run.hpp"

namespace ouro::engine {
namespace {

using namespace std::chrono_literals;
using tests::PholdConfig;
using tests::PholdLp;

constexpr auto kBothKinds = {SynchronizerKind::null_message, SynchronizerKind::window};

using Regions = std::vector<std::unique_ptr<Region>>;

VirtualRun run_regions(Regions& regions, SynchronizerKind kind, const VirtualCosts& costs, Time stop) {
  std::vector<SynchronizedRegion*> pointers;
  pointers.reserve(regions.size());
  for (auto& region : regions) pointers.push_back(region.get());
  return run_virtual_cluster(pointers, kind, costs, stop);
}

Regions make_phold(int ranks, const PholdConfig& config) {
  Regions regions;
  regions.reserve(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    regions.push_back(
        std::make_unique<Region>(rank, ranks, tests::in_blocks(config.objects, ranks),
                                 [&](LpId id) { return std::make_unique<PholdLp>(config, id); }));
  }
  return regions;
}

VirtualRun run_phold(int ranks, SynchronizerKind kind, const PholdConfig& config, const VirtualCosts& costs) {
  auto regions = make_phold(ranks, config);
  return run_regions(regions, kind, costs, config.end);
}

/// As verify_run; no LP is replicated.
RunVerdict verdict_of(const Regions& regions) {
  RunVerdict verdict;
  for (const auto& region : regions) {
    for (const auto& report : region->reports()) {
      verdict.digest += digest_term(report.id, report.digest);
      verdict.events += report.events;
    }
  }
  return verdict;
}

class PholdOnVirtualRanks : public ::testing::TestWithParam<std::tuple<int, SynchronizerKind>> {};

TEST_P(PholdOnVirtualRanks, ReplaysTheSequentialRun) {
  const auto [ranks, kind] = GetParam();
  const PholdConfig config{.objects = 32, .start_events = 2, .seed = 7};
  const VirtualCosts costs{.event_seconds = 1e-6,
                           .promise_seconds = 1e-6,
                           .message_seconds = 1e-6,
                           .byte_seconds = 1e-9,
                           .latency_seconds = 2e-6,
                           .bytes_per_second = 1e9};

  auto regions = make_phold(ranks, config);
  run_regions(regions, kind, costs, config.end);

  const auto expected = tests::run_phold_sequentially(config);
  EXPECT_EQ(verdict_of(regions).digest, expected.digest) << "seed " << config.seed;
  EXPECT_EQ(verdict_of(regions).events, expected.events);
}

TEST_P(PholdOnVirtualRanks, EveryRanksTimeIsSpentOnSomething) {
  const auto [ranks, kind] = GetParam();
  const VirtualCosts costs{
      .event_seconds = 1e-6, .promise_seconds = 2e-6, .message_seconds = 3e-6, .latency_seconds = 4e-6};

  const auto run = run_phold(ranks, kind, {}, costs);

  ASSERT_EQ(run.costs.size(), static_cast<std::size_t>(ranks));
  for (const auto& cost : run.costs) {
    const double spent =
        cost.events_seconds + cost.promising_seconds + cost.packing_seconds + cost.waiting_seconds;
    EXPECT_LE(spent, run.wall_seconds * (1 + 1e-9));
    EXPECT_GE(spent, run.wall_seconds - 1e-6 * 64)
        << "ranks end within what one may do after the last meeting";
  }
}

TEST_P(PholdOnVirtualRanks, NoNetworkIsFasterForALongerLatency) {
  const auto [ranks, kind] = GetParam();
  double before = 0;
  for (const double latency : {0.0, 1e-7, 1e-6, 1e-5, 1e-4}) {
    const auto run = run_phold(ranks, kind, {}, {.event_seconds = 1e-6, .latency_seconds = latency});
    EXPECT_GE(run.wall_seconds, before) << "at a latency of " << latency << " s";
    before = run.wall_seconds;
  }
}

INSTANTIATE_TEST_SUITE_P(RanksAndKinds, PholdOnVirtualRanks,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4), ::testing::ValuesIn(kBothKinds)));

struct Tick {
  std::uint64_t number;
};

/// Sends itself an event every `period`, and, where there is one, another LP one with each.
class Clockwork final : public LogicalProcess {
 public:
  Clockwork(Duration period, std::vector<Channel> others) : period_{period}, others_{std::move(others)} {}

  std::string name() const override { return "clockwork"; }
  Channels channels() const override { return {others_, {}}; }
  void start(Scheduler& scheduler) override { scheduler.send(scheduler.self(), period_, Tick{0}); }
  void handle(const Event& event, Scheduler& scheduler) override {
    if (event.from != scheduler.self()) return;
    scheduler.send(scheduler.self(), period_, Tick{event.as<Tick>().number + 1});
    for (const auto& other : others_) scheduler.send(other.to, other.lookahead, Tick{0});
  }

 private:
  Duration period_;
  std::vector<Channel> others_;
};

constexpr double kSecondsOfEvent = 0x1p-20;  // a power of two: sums are exact

TEST(VirtualCluster, RanksThatNeverMeetTakeAsLongAsTheBusiestOne) {
  for (const auto kind : kBothKinds) {
    std::vector<std::unique_ptr<Region>> regions;
    for (const int rank : {0, 1}) {
      regions.push_back(std::make_unique<Region>(rank, 2, Placement{0, 1}, [](LpId id) {
        return std::make_unique<Clockwork>(id == LpId{0} ? 10ns : 20ns, std::vector<Channel>{});
      }));
    }
    const auto run = run_regions(regions, kind, {.event_seconds = kSecondsOfEvent}, Time{Duration{1us}});

    // at 10, 20, ..., 990 ns and at 20, 40, ..., 980 ns
    EXPECT_EQ(run.wall_seconds, 99 * kSecondsOfEvent);
    EXPECT_EQ(run.costs[0].events_seconds, 99 * kSecondsOfEvent);
    EXPECT_EQ(run.costs[1].events_seconds, 49 * kSecondsOfEvent);
    EXPECT_EQ(run.costs[1].waiting_seconds, 50 * kSecondsOfEvent);
    EXPECT_EQ(run.costs[0].messages_sent + run.costs[1].messages_sent, 0U);
  }
}

constexpr double kLatency = 0x1p-10;

TEST(VirtualCluster, AWindowTakesALatencyAndThenItsWork) {
  // Both LPs tick at 10, 20, 30, 40, 50 ns and send each other what arrives 10 ns later: after the tick at 10
  // ns, two events at a time. Until all ranks agree, and the batches come, nobody has anything to do.
  std::vector<std::unique_ptr<Region>> regions;
  for (const int rank : {0, 1}) {
    regions.push_back(std::make_unique<Region>(rank, 2, Placement{0, 1}, [](LpId id) {
      return std::make_unique<Clockwork>(10ns, std::vector<Channel>{{LpId{1 - id.value()}, 10ns}});
    }));
  }
  const auto run = run_regions(regions, SynchronizerKind::window,
                               {.event_seconds = kSecondsOfEvent, .latency_seconds = kLatency},
                               Time{Duration{50ns} + Duration{1}});

  // five windows, and one more round to find that no event is left
  EXPECT_EQ(run.wall_seconds, 6 * kLatency + 9 * kSecondsOfEvent);
  for (const auto& cost : run.costs) {
    EXPECT_EQ(cost.windows, 5U);
    EXPECT_EQ(cost.messages_sent, 6U);
  }
}

TEST(VirtualCluster, ANeighbourWorksWhenTheMessageHasCome) {
  // LP 0 ticks at 10, 20, 30, 40, 50 ns in one stretch, and sends LP 1 what arrives 10 ns later. LP 1 handles
  // the four that arrive by the end, and then says that it is done; that is the last message.
  constexpr double kBytesPerSecond = 0x1p+30;
  constexpr double kBytes = (1 + 8 + 24 + 5 * 64) + (1 + 8 + 24);
  std::vector<std::unique_ptr<Region>> regions;
  for (const int rank : {0, 1}) {
    regions.push_back(std::make_unique<Region>(rank, 2, Placement{0, 1}, [](LpId id) {
      return id == LpId{0} ? std::make_unique<Clockwork>(10ns, std::vector<Channel>{{LpId{1}, 10ns}})
                           : std::make_unique<Clockwork>(1h, std::vector<Channel>{});
    }));
  }
  const auto run = run_regions(
      regions, SynchronizerKind::null_message,
      {.event_seconds = kSecondsOfEvent, .latency_seconds = kLatency, .bytes_per_second = kBytesPerSecond},
      Time{Duration{50ns} + Duration{1}});

  // two messages, and all ranks meet
  EXPECT_EQ(run.wall_seconds, 9 * kSecondsOfEvent + 3 * kLatency + kBytes / kBytesPerSecond);
  EXPECT_EQ(run.costs[1].events_seconds, 4 * kSecondsOfEvent);
}

TEST(VirtualInbox, ABatchDoesNotOvertakeAnEarlierOneOfItsSender) {
  VirtualInbox inbox{2};
  inbox.put(5.0, {.source = 0, .statement = {.received = 1}, .events = {}});
  inbox.put(4.0, {.source = 0, .statement = {.received = 2}, .events = {}});
  inbox.put(3.0, {.source = 1, .statement = {.received = 3}, .events = {}});

  Batch batch;
  EXPECT_FALSE(inbox.take(2.9, batch));
  EXPECT_EQ(inbox.next_arrival(), 3.0);
  std::vector<std::uint64_t> order;
  while (inbox.take(5.0, batch)) order.push_back(batch.statement.received);
  EXPECT_EQ(order, (std::vector<std::uint64_t>{3, 1, 2}));
}

}  // namespace
}  // namespace ouro::engine
