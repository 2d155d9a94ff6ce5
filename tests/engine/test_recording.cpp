#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "engine/recorded_region.hpp"
#include "engine/recorder.hpp"
#include "engine/region.hpp"
#include "engine/virtual_cluster.hpp"
#include "tests/engine/random_graph.hpp"

namespace ouro::engine {
namespace {

using namespace std::chrono_literals;
using tests::RandomGraph;

constexpr std::uint64_t kSeeds = 12;

auto fields(const RecordedSend& send) {
  return std::tie(send.sent, send.arrival, send.known, send.from, send.to, send.kind, send.cause,
                  send.sequence);
}
auto fields(const RecordedWork& work) {
  return std::tie(work.window, work.lp, work.events);
}

template <class Row>
bool equal(const std::vector<Row>& a, const std::vector<Row>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Row& x, const Row& y) { return fields(x) == fields(y); });
}

template <class Row>
void add(std::vector<Row>& all, const std::vector<Row>& some) {
  all.insert(all.end(), some.begin(), some.end());
}

/// Regions of a random graph that are recorded, on virtual ranks.
class RecordedRun {
 public:
  RecordedRun(const RandomGraph& graph, int ranks, const RecordedStretch& stretch = {})
      : placement_{tests::draw_placement(graph, ranks)} {
    const auto count = static_cast<std::size_t>(ranks);
    ways_.resize(count);
    for (int rank = 0; rank < ranks; ++rank) {
      auto& ways = ways_[static_cast<std::size_t>(rank)];
      const auto kind_of = [](const Event& event) {
        return static_cast<std::uint32_t>(event.as<tests::Hop>().work);
      };
      recorders_.push_back(std::make_unique<Recorder>(rank, placement_, kind_of, stretch));
      regions_.push_back(std::make_unique<Region>(
          rank, ranks, placement_,
          [&](LpId id) { return std::make_unique<tests::RandomLp>(graph, id, ways); },
          RegionOptions{
              .meet_border = [&](const Border& border) { ways.emplace(graph, placement_, rank, border); },
              .recorder = recorders_.back().get()}));
    }
    recording_.stretch = stretch;
    for (std::size_t i = 0; i < placement_.size(); ++i)
      recording_.replicated.push_back(placement_[i] == kEveryRank);
  }

  void run_until(Time stop) {
    std::vector<SynchronizedRegion*> pointers;
    for (auto& region : regions_) pointers.push_back(region.get());
    run_virtual_cluster(pointers, SynchronizerKind::window, {}, stop);
    for (auto& recorder : recorders_) {
      add(recording_.sends, recorder->take_sends());
      add(recording_.work, recorder->take_work(stop));
    }
  }

  Recording recording() {
    std::sort(recording_.sends.begin(), recording_.sends.end());
    std::sort(recording_.work.begin(), recording_.work.end());
    return recording_;
  }

  /// By LP; the copies of a replicated one have the same.
  std::vector<std::uint64_t> events_of_lps() const {
    std::vector<std::uint64_t> events(placement_.size());
    for (const auto& region : regions_) {
      for (const auto& report : region->reports()) events[report.id.value()] = report.events;
    }
    return events;
  }
  std::uint64_t events_of_region(std::size_t rank) const { return regions_[rank]->events(); }
  const Placement& placement() const { return placement_; }

 private:
  Placement placement_;
  std::vector<std::optional<tests::WaysOut>> ways_;
  std::vector<std::unique_ptr<Recorder>> recorders_;
  std::vector<std::unique_ptr<Region>> regions_;
  Recording recording_;
};

TEST(Recording, IsTheSameOnAnyRanksAndHasEveryEvent) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const auto graph = tests::draw_graph(seed);
    RecordedRun alone{graph, 1};
    alone.run_until(kNever);
    const auto expected = alone.recording();

    std::vector<std::uint64_t> events(graph.nodes.size());
    for (const auto& work : expected.work) events[work.lp.value()] += work.events;
    EXPECT_EQ(events, alone.events_of_lps());

    for (int ranks = 2; ranks <= 4; ++ranks) {
      RecordedRun run{graph, ranks};
      run.run_until(Time{100ns});  // what is taken in between changes nothing
      run.run_until(Time{1'234ns});
      run.run_until(kNever);
      const auto recording = run.recording();
      EXPECT_TRUE(equal(recording.sends, expected.sends)) << "on " << ranks << " ranks";
      EXPECT_TRUE(equal(recording.work, expected.work)) << "on " << ranks << " ranks";
    }
  }
}

/// @return  events of all ranks
std::uint64_t replay(const Recording& recording, const Placement& placement, int ranks, SynchronizerKind kind,
                     Lookahead lookahead) {
  const RecordedWays ways{recording};
  std::vector<std::unique_ptr<RecordedRegion>> regions;
  std::vector<SynchronizedRegion*> pointers;
  for (int rank = 0; rank < ranks; ++rank) {
    regions.push_back(std::make_unique<RecordedRegion>(rank, ranks, placement, recording, ways, lookahead));
    pointers.push_back(regions.back().get());
  }
  run_virtual_cluster(pointers, kind, {.event_seconds = 1e-6, .latency_seconds = 1e-6});
  std::uint64_t events = 0;
  for (const auto& region : regions) {
    events += region->events();
    EXPECT_EQ(region->next_time(), kNever);
  }
  return events;
}

class RecordedGraphs : public ::testing::TestWithParam<std::tuple<int, SynchronizerKind, Lookahead>> {};

TEST_P(RecordedGraphs, KeepWhatTheyPromiseAndRepeatAllThatWasRecorded) {
  const auto [ranks, kind, lookahead] = GetParam();
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const auto graph = tests::draw_graph(seed);
    RecordedRun run{graph, ranks};
    run.run_until(kNever);
    const auto recording = run.recording();
    const RecordedWays ways{recording};
    std::vector<std::unique_ptr<RecordedRegion>> regions;
    std::vector<SynchronizedRegion*> pointers;
    for (int rank = 0; rank < ranks; ++rank) {
      regions.push_back(
          std::make_unique<RecordedRegion>(rank, ranks, run.placement(), recording, ways, lookahead));
      pointers.push_back(regions.back().get());
    }

    run_virtual_cluster(pointers, kind, {.event_seconds = 1e-6, .latency_seconds = 1e-6});

    for (std::size_t rank = 0; rank < regions.size(); ++rank) {
      EXPECT_EQ(regions[rank]->events(), run.events_of_region(rank));
      EXPECT_EQ(regions[rank]->next_time(), kNever);
    }
  }
}

TEST_P(RecordedGraphs, KeepWhatTheyPromiseInAStretchThatBeginsWithEventsUnderWay) {
  const auto [ranks, kind, lookahead] = GetParam();
  std::size_t under_way = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const auto graph = tests::draw_graph(seed);
    const RecordedStretch stretch{Time{300ns}, Time{1'500ns}};
    RecordedRun run{graph, ranks, stretch};
    run.run_until(kNever);
    const auto recording = run.recording();
    std::uint64_t expected = 0;
    for (const auto& work : recording.work) {
      const bool is_replicated = recording.replicated[work.lp.value()];
      expected += work.events * (is_replicated ? static_cast<std::uint64_t>(ranks) : 1);
    }
    for (const auto& send : recording.sends) {
      under_way += send.sent < stretch.from ? 1 : 0;
      EXPECT_GE(send.arrival, stretch.from);
      EXPECT_LT(send.sent, stretch.until);
    }

    EXPECT_EQ(replay(recording, run.placement(), ranks, kind, lookahead), expected);
  }
  EXPECT_GT(under_way, 0U);
}

INSTANTIATE_TEST_SUITE_P(Ranks, RecordedGraphs,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4),
                                            ::testing::Values(SynchronizerKind::window,
                                                              SynchronizerKind::null_message),
                                            ::testing::Values(Lookahead::promises, Lookahead::link)));

struct Tick {
  std::uint64_t number;
};

constexpr Duration kPeriod = 1us, kWay = 100ns, kService = 10ns;

/// LP 0 ticks every period and sends LP 1 an event, which answers after a service of its own.
class Server final : public LogicalProcess {
 public:
  explicit Server(LpId id) : id_{id} {}
  std::string name() const override { return "server"; }
  Channels channels() const override { return {{{LpId{1 - id_.value()}, kWay}}, {}}; }
  void start(Scheduler& scheduler) override {
    if (id_ == LpId{0}) scheduler.send(id_, kPeriod, Tick{1});
  }
  void handle(const Event& event, Scheduler& scheduler) override {
    const auto tick = event.as<Tick>();
    if (event.from != id_) {
      if (id_ == LpId{1}) scheduler.send(id_, kService, tick);
      return;
    }
    scheduler.send(LpId{1 - id_.value()}, kWay, tick);
    if (id_ == LpId{0}) scheduler.send(id_, kPeriod, Tick{tick.number + 1});
  }

 private:
  LpId id_;
};

/// The server on two virtual ranks.
struct ServerRun {
  Recorder recorders[2]{{0, {0, 1}, [](const Event&) { return 7U; }},
                        {1, {0, 1}, [](const Event&) { return 7U; }}};
  Recording recording{.stretch = {}, .replicated = {false, false}, .sends = {}, .work = {}};
  VirtualRun cost;

  ServerRun(Time stop, const VirtualCosts& costs) {
    std::vector<std::unique_ptr<Region>> regions;
    std::vector<SynchronizedRegion*> pointers;
    for (const int rank : {0, 1}) {
      regions.push_back(std::make_unique<Region>(
          rank, 2, Placement{0, 1}, [](LpId id) { return std::make_unique<Server>(id); },
          RegionOptions{.recorder = &recorders[rank]}));
      pointers.push_back(regions.back().get());
    }
    cost = run_virtual_cluster(pointers, SynchronizerKind::window, costs, stop);
    for (auto& recorder : recorders) {
      add(recording.sends, recorder.take_sends());
      add(recording.work, recorder.take_work(kNever));
    }
    std::sort(recording.sends.begin(), recording.sends.end());
    std::sort(recording.work.begin(), recording.work.end());
  }
};

TEST(Recording, SaysFromWhenASendWasKnown) {
  const ServerRun run{Time{kPeriod + 2 * kWay + kService + Duration{1}}, {}};

  ASSERT_EQ(run.recording.sends.size(), 2U);
  const auto& [request, answer] = std::tie(run.recording.sends[0], run.recording.sends[1]);
  EXPECT_EQ(request.sent, Time{kPeriod});
  EXPECT_EQ(request.arrival, Time{kPeriod + kWay});
  EXPECT_EQ(request.known, RecordedSend::kFromTheStart) << "a clock's ticks follow from nobody's event";
  EXPECT_EQ(answer.known, request.arrival) << "over an event of the server for itself";
  EXPECT_EQ(answer.sent, request.arrival + kService);
  EXPECT_EQ(answer.cause, request.kind);
  EXPECT_EQ(answer.kind, 7U);
  // the tick, its arrival, the end of the service, the arrival of the answer
  const auto window = [](Time time) { return time.time_since_epoch() / kRecordedWindow; };
  const std::vector<RecordedWork> expected{{window(Time{1000ns}), LpId{0}, 1},
                                           {window(Time{1100ns}), LpId{1}, 2},
                                           {window(Time{1210ns}), LpId{0}, 1}};
  EXPECT_TRUE(equal(run.recording.work, expected));
}

TEST(RecordedRegion, NeedsThreeWindowsForARoundTripOverLinks) {
  // Nine ticks before the end, and a link of 100 ns: windows end at 1.1, 1.2, 1.31, 2.1, ..., 9.31 us; a
  // round finds that nothing is left.
  const VirtualCosts costs{.event_seconds = 0x1p-20, .latency_seconds = 0x1p-10};
  const Time stop{10 * kPeriod - 1ns};
  const ServerRun run{stop, costs};
  const RecordedWays ways{run.recording};
  const Placement placement{0, 1};
  constexpr std::uint64_t kWindows = 27;
  for (const auto lookahead : {Lookahead::link, Lookahead::promises}) {
    RecordedRegion first{0, 2, placement, run.recording, ways, lookahead};
    RecordedRegion second{1, 2, placement, run.recording, ways, lookahead};
    const std::vector<SynchronizedRegion*> regions{&first, &second};

    const auto replay = run_virtual_cluster(regions, SynchronizerKind::window, costs, stop);

    for (const auto& cost : replay.costs) {
      if (lookahead == Lookahead::link) {
        EXPECT_EQ(cost.windows, kWindows);
      }
      EXPECT_LE(cost.windows, kWindows) << "promises are no worse";
      EXPECT_EQ(cost.messages_sent, cost.windows + 1);
      EXPECT_EQ(cost.events_seconds, 18 * 0x1p-20);
    }
    if (lookahead == Lookahead::link) {
      // whether an event comes before or after a message that is under way is not recorded
      EXPECT_NEAR(replay.wall_seconds, run.cost.wall_seconds, 9 * costs.event_seconds);
    }
  }
}

TEST(RecordedRegion, ForeseesWhatIsNearAndATenthOfWhatIsFar) {
  // LP 0 handles two events of its own in the first window, a quarter and three quarters into it, and LP 1
  // hears of it at a time that is certain from the start.
  const auto promise_of = [](Duration arrival) {
    const Recording recording{.stretch = {},
                              .replicated = {false, false},
                              .sends = {{.sent = Time{arrival - 6ns},
                                         .arrival = Time{arrival},
                                         .known = RecordedSend::kFromTheStart,
                                         .from = LpId{0},
                                         .to = LpId{1}}},
                              .work = {{0, LpId{0}, 2}}};
    const RecordedWays ways{recording};
    const Placement placement{0, 1};
    const RecordedRegion region{0, 2, placement, recording, ways, Lookahead::promises};
    return region.promise_to(1).time_since_epoch();
  };
  EXPECT_EQ(promise_of(60ns), 60ns);
  EXPECT_EQ(promise_of(108ns), 108ns);
  EXPECT_EQ(promise_of(508ns), 8ns + 100ns);
  EXPECT_EQ(promise_of(2'008ns), 8ns + 200ns);
}

TEST(RecordedRegion, PromisesNoMoreThanTheNextEventAndALinkWhereItIsToldSo) {
  const ServerRun run{Time{2 * kPeriod}, {}};
  const RecordedWays ways{run.recording};
  const Placement placement{0, 1};
  RecordedRegion first{0, 2, placement, run.recording, ways, Lookahead::link};

  EXPECT_EQ(first.next_time(), Time{kPeriod});
  EXPECT_EQ(first.promise_to(1), Time{kPeriod + kWay});
  first.run_before(Time{kPeriod + 1ns}, kAllEvents);
  ASSERT_EQ(first.outgoing(1).size(), 1U);
  EXPECT_EQ(first.outgoing(1)[0].time, Time{kPeriod + kWay});
}

}  // namespace
}  // namespace ouro::engine
