#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "engine/digest.hpp"
#include "engine/mpi.hpp"
#include "engine/synchronizer.hpp"
#include "engine/verification.hpp"
#include "tests/engine/random_graph.hpp"
#include "tests/mpi_ranks.hpp"

namespace ouro::tests {
namespace {

using engine::Lookahead;
using engine::LpId;
using engine::SynchronizerKind;
using engine::Time;

constexpr std::uint64_t kSeeds = 40;

struct GraphRun {
  engine::RunVerdict verdict;
  std::vector<Time> next;  // after each stop
};

/// The graph run by the plainest loop there is: one ordered set, no queue, region or synchronizer of the
/// engine; a replicated LP is one LP.
GraphRun run_sequentially(const RandomGraph& graph, const std::vector<Time>& stops) {
  const auto count = graph.nodes.size();
  std::set<engine::Event> pending;
  std::vector<RandomObject> objects;
  std::vector<std::uint64_t> sent(count);
  std::vector<engine::Digest> digests(count);
  GraphRun run;

  const auto send = [&](LpId from, Time now, const std::vector<RandomObject::Send>& sends) {
    for (const auto& [to, delay, hop] : sends) {
      engine::Event event{now + delay, to, from, sent[from.value()]++, {}};
      event.set(hop);
      pending.insert(event);
    }
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    objects.emplace_back(graph, LpId{i});
    send(LpId{i}, Time{}, objects.back().start());
  }
  for (const Time stop : stops) {
    while (!pending.empty() && pending.begin()->time < stop) {
      const auto event = *pending.begin();
      pending.erase(pending.begin());
      digests[event.to.value()].add(event);
      ++run.verdict.events;
      send(event.to, event.time, objects[event.to.value()].handle(event.as<Hop>()));
    }
    run.next.push_back(pending.empty() ? engine::kNever : pending.begin()->time);
  }
  for (std::uint32_t i = 0; i < count; ++i)
    run.verdict.digest += engine::digest_term(LpId{i}, digests[i].value());
  return run;
}

/// Collective over `comm`.
GraphRun run_on_ranks(MPI_Comm comm, const RandomGraph& graph, const std::vector<Time>& stops,
                      SynchronizerKind kind, Lookahead lookahead) {
  const int rank = engine::mpi_rank(comm), ranks = engine::mpi_size(comm);
  const auto placement = draw_placement(graph, ranks);
  std::optional<WaysOut> ways;
  const auto meet_border = [&](const engine::Border& border) {
    ways.emplace(graph, placement, rank, border);
  };
  engine::Region region{rank,
                        ranks,
                        placement,
                        [&](LpId id) { return std::make_unique<RandomLp>(graph, id, ways); },
                        {.lookahead = lookahead, .meet_border = meet_border}};
  const auto synchronizer =
      engine::make_synchronizer(comm, region, {.kind = kind, .stall_limit_seconds = 30});
  GraphRun run;
  for (const Time stop : stops) run.next.push_back(synchronizer->run_until(stop));
  run.verdict = engine::verify_run(comm, region);
  return run;
}

/// Some runs go to their end at once, some are cut on their way, and some never see their end.
std::vector<Time> draw_stops(std::uint64_t seed) {
  Draws draws{{seed, engine::random_purpose("stops"), 0}};
  std::vector<Time> stops;
  Time stop{};
  for (auto cuts = draws.below(6); cuts > 0; --cuts)
    stops.push_back(stop += draws.duration(0, kMostMagnitude));
  if (stops.empty() || draws.chance(0.7)) stops.push_back(engine::kNever);
  return stops;
}

class RandomGraphs : public ::testing::TestWithParam<std::tuple<int, SynchronizerKind, Lookahead>> {};

TEST_P(RandomGraphs, ReplayTheSequentialRun) {
  const auto [ranks, kind, lookahead] = GetParam();
  const auto comm = first_ranks(ranks);
  if (!comm) return;  // this rank sits the case out
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const auto graph = draw_graph(seed);
    const auto stops = draw_stops(seed);
    const auto oracle = run_sequentially(graph, stops);
    const auto run = run_on_ranks(*comm, graph, stops, kind, lookahead);
    EXPECT_EQ(run.verdict.events, oracle.verdict.events);
    EXPECT_EQ(run.verdict.digest, oracle.verdict.digest);
    EXPECT_EQ(run.next, oracle.next);
  }
}

std::string case_name(const ::testing::TestParamInfo<RandomGraphs::ParamType>& info) {
  const auto [ranks, kind, lookahead] = info.param;
  return fmt::format("{}_ranks_{}_{}", ranks, kind == SynchronizerKind::window ? "window" : "null_message",
                     lookahead == Lookahead::link ? "link" : "promises");
}

INSTANTIATE_TEST_SUITE_P(Ranks, RandomGraphs,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4),
                                            ::testing::Values(SynchronizerKind::window,
                                                              SynchronizerKind::null_message),
                                            ::testing::Values(Lookahead::promises, Lookahead::link)),
                         case_name);

}  // namespace
}  // namespace ouro::tests
