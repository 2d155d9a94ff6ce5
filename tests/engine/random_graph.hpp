#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/logical_process.hpp"
#include "engine/random.hpp"
#include "engine/region.hpp"

namespace ouro::tests {

/// What an event of a random graph carries.
struct Hop {
  std::uint64_t budget;   ///< events that may still follow from this one
  std::uint64_t work;     ///< a server holds the event for 1 + work times its service time
  std::uint64_t held;     ///< 1: the server's own event at the end of that time
  std::uint64_t history;  ///< a hash of its ancestors: one that is lost or doubled changes all that follow
};

/// LPs and channels drawn from a seed.
struct RandomGraph {
  struct Node {
    std::vector<engine::Channel> to;
    std::optional<engine::Duration> to_any;
    bool replicated = false;
    std::optional<engine::Duration> service;  // an LP that has one has foresight
    bool is_gate = false;                     // and serves an event only when another one sets it free
    std::uint64_t start_budget = 0;
  };

  std::uint64_t seed = 0;
  std::vector<Node> nodes;
};

/// A sequence of draws.
class Draws {
 public:
  explicit Draws(const engine::RandomKey& key) : key_{key} {}

  std::uint64_t below(std::uint64_t count) { return engine::uniform_below(count, key_, draws_++); }
  bool chance(double probability) { return engine::uniform01(key_, draws_++) < probability; }

  /// Of any magnitude from 10^least to 10^most ps; half are a power of ten, so many are equal.
  engine::Duration duration(std::uint64_t least, std::uint64_t most) {
    std::uint64_t count = 1;
    for (auto tens = least + below(most - least + 1); tens > 0; --tens) count *= 10;
    if (count > 1 && chance(0.5)) count += below(count);
    return engine::Duration{count};
  }

 private:
  engine::RandomKey key_;
  std::uint64_t draws_ = 0;
};

inline constexpr std::uint64_t kMostMagnitude = 6;  // 10^6 ps

inline RandomGraph draw_graph(std::uint64_t seed) {
  constexpr std::uint64_t kBudget = 300;  // of all first events, about
  constexpr std::uint64_t kFewLps = 10;   // more of them make long circles, where promises rise slowly
  Draws draws{{seed, engine::random_purpose("graph"), 0}};
  const auto count = 5 + draws.below(draws.chance(0.5) ? 5 : 36);
  const bool local = draws.chance(0.5);  // then channels lead to ids near by: few ranks are neighbours
  const std::uint64_t least = count < kFewLps ? 0 : 3;
  RandomGraph graph{.seed = seed, .nodes = std::vector<RandomGraph::Node>(count)};
  for (std::uint64_t i = 0; i < count; ++i) {
    auto& node = graph.nodes[i];
    for (auto channels = 1 + draws.below(3); channels > 0; --channels) {
      const auto to = local ? (i + count + draws.below(5) - 2) % count : draws.below(count);
      const engine::LpId id{static_cast<std::uint32_t>(to)};
      const bool known =
          std::any_of(node.to.begin(), node.to.end(), [&](const auto& c) { return c.to == id; });
      if (to == i || known) continue;
      node.to.push_back({id, draws.duration(least, kMostMagnitude)});
    }
    if (!local && draws.chance(0.05)) node.to_any = draws.duration(least, kMostMagnitude);
    if (draws.chance(0.4)) node.service = draws.duration(least, kMostMagnitude);
    node.is_gate = node.service && draws.chance(0.5);
    if (i == 0 || draws.chance(0.5)) node.start_budget = kBudget / count + draws.below(2 * kBudget / count);
    if (i < 4 || draws.chance(0.9)) continue;
    node.replicated = true;
    node.to.clear();
    node.to_any = engine::Duration{};  // its copies reach every LP at once
  }
  return graph;
}

/// Every rank has an LP that is not replicated; the ranks' shares differ, in runs of ids or scattered.
inline engine::Placement draw_placement(const RandomGraph& graph, int ranks) {
  const auto count = static_cast<std::uint64_t>(ranks);
  Draws draws{{graph.seed, engine::random_purpose("placement"), count}};
  std::vector<int> drawn;
  for (std::uint64_t i = 0; i < graph.nodes.size(); ++i)
    drawn.push_back(static_cast<int>(i < count ? i : draws.below(count)));
  if (draws.chance(0.5)) std::sort(drawn.begin(), drawn.end());
  engine::Placement placement;
  for (auto next = drawn.begin(); const auto& node : graph.nodes)
    placement.push_back(node.replicated ? engine::kEveryRank : *next++);
  return placement;
}

/// What an LP does on an event; the same for the engine and for the oracle.
class RandomObject {
 public:
  RandomObject(const RandomGraph& graph, engine::LpId id)
      : seed_{graph.seed}, node_{graph.nodes[id.value()]}, all_{graph.nodes.size()}, id_{id} {}

  struct Send {
    engine::LpId to;
    engine::Duration delay;
    Hop hop;
  };

  std::vector<Send> start() {
    return spread({.budget = node_.start_budget, .work = 0, .held = 0, .history = 0});
  }

  std::vector<Send> handle(Hop hop) {
    if (hop.budget == 0 || !node_.service || hop.held != 0) return spread(hop);
    if (node_.is_gate) {
      if (!sets_free(hop)) waiting_.push_back(hop);
      if (!sets_free(hop) || waiting_.empty()) return {};
      const auto budget = hop.budget;
      hop = waiting_.front();
      hop.budget += budget;
      waiting_.pop_front();
    }
    hop.held = 1;
    return {{id_, service_of(hop), hop}};
  }

  /// Whether a hop that arrives at this gate leads to nothing but what a waiting one leads to.
  bool sets_free(const Hop& hop) const { return node_.is_gate && hop.held == 0 && hop.work > 0; }
  /// What waits at this gate.
  const std::deque<Hop>& waiting() const { return waiting_; }

  engine::Duration service_of(const Hop& hop) const {
    return static_cast<std::int64_t>(1 + hop.work) * *node_.service;
  }

 private:
  /// Up to two events, which share the rest of the budget.
  std::vector<Send> spread(const Hop& hop) {
    if (hop.budget == 0) return {};
    Draws draws{
        {seed_ ^ hop.history, engine::random_purpose("hop"), (std::uint64_t{id_.value()} << 40) | drawn_++}};
    const auto rest = hop.budget - 1;
    if (draws.chance(0.02)) return {};
    if (rest < 2 || draws.chance(0.6)) return {draw(hop, rest, draws)};
    const auto part = draws.below(rest);
    return {draw(hop, part, draws), draw(hop, rest - part, draws)};
  }

  Send draw(const Hop& hop, std::uint64_t budget, Draws& draws) {
    const auto history = engine::mix_bits(hop.history + engine::kGoldenGamma + id_.value());
    const Hop next{.budget = budget, .work = draws.below(3), .held = 0, .history = history};
    auto [to, delay] = draw_channel(draws);
    if (draws.chance(0.4)) delay += draws.duration(0, kMostMagnitude);
    return {to, delay, next};
  }

  engine::Channel draw_channel(Draws& draws) {
    const auto choice = draws.below(node_.to.size() + 1);
    if (choice < node_.to.size()) return node_.to[choice];
    if (!node_.to_any) return {id_, {}};
    const engine::LpId any{static_cast<std::uint32_t>(draws.below(all_))};
    const auto listed = [&](const engine::Channel& channel) { return channel.to == any; };
    const auto found = std::find_if(node_.to.begin(), node_.to.end(), listed);
    return found != node_.to.end() ? *found : engine::Channel{any, *node_.to_any};
  }

  std::uint64_t seed_;
  const RandomGraph::Node& node_;
  std::uint64_t all_;
  engine::LpId id_;
  std::uint64_t drawn_ = 0;
  std::deque<Hop> waiting_;
};

/// The shortest ways from the LPs of a rank to what lies beyond its border, by Bellman and Ford's algorithm.
class WaysOut {
 public:
  WaysOut(const RandomGraph& graph, const engine::Placement& placement, int rank,
          const engine::Border& border)
      : graph_{graph}, placement_{placement}, rank_{rank} {
    const auto no_service = [](std::size_t) { return engine::Duration{}; };
    const auto service = [&](std::size_t i) { return graph_.nodes[i].service.value_or(engine::Duration{}); };
    for (const int target : border.targets) {
      const auto arrivals = shortest(target, service, shortest(target, no_service, {}));
      auto& ways = ways_.emplace_back();
      for (std::size_t i = 0; i < arrivals.size(); ++i) ways.push_back(step(target, i, arrivals));
    }
  }

  /// From the moment at which `from`, an LP of this rank with foresight, sends.
  engine::Duration after(engine::LpId from, std::size_t target) const { return ways_[target][from.value()]; }

 private:
  using Ways = std::vector<engine::Duration>;

  bool is_here(std::size_t i) const { return placement_[i] == rank_ || placement_[i] == engine::kEveryRank; }

  /// From the arrival of an event; an LP without foresight knows `known`, if that is given.
  template <class Held>
  Ways shortest(int target, const Held& held, const Ways& known) const {
    Ways ways(graph_.nodes.size(), engine::kForever);
    for (std::size_t i = 0; i < ways.size() && !known.empty(); ++i) {
      if (!graph_.nodes[i].service) ways[i] = known[i];
    }
    for (std::size_t round = 0; round < ways.size(); ++round) {
      for (std::size_t i = 0; i < ways.size(); ++i) {
        const bool fixed = !known.empty() && !graph_.nodes[i].service;
        if (is_here(i) && !fixed) ways[i] = engine::sum(held(i), step(target, i, ways));
      }
    }
    return ways;
  }

  engine::Duration step(int target, std::size_t from, const Ways& ways) const {
    const auto& node = graph_.nodes[from];
    // it reaches all LPs of this rank; the ways of the others are endless
    if (node.replicated) return *std::min_element(ways.begin(), ways.end());
    auto least = node.to_any.value_or(engine::kForever);
    for (const auto& [to, lookahead] : node.to) {
      const auto way = placement_[to.value()] == target ? engine::Duration{} : ways[to.value()];
      least = std::min(least, engine::sum(lookahead, way));
    }
    return least;
  }

  const RandomGraph& graph_;
  const engine::Placement& placement_;
  int rank_;
  std::vector<Ways> ways_;  // by target
};

/// An LP of the graph on the engine.
class RandomLp final : public engine::LogicalProcess {
 public:
  /// Keeps references; `ways` is filled before the LP starts.
  RandomLp(const RandomGraph& graph, engine::LpId id, const std::optional<WaysOut>& ways)
      : node_{graph.nodes[id.value()]}, object_{graph, id}, id_{id}, ways_{ways} {}

  std::string name() const override { return "random " + std::to_string(id_.value()); }
  engine::Channels channels() const override { return {node_.to, node_.to_any}; }

  void start(engine::Scheduler& scheduler) override { send(object_.start(), scheduler); }
  void handle(const engine::Event& event, engine::Scheduler& scheduler) override {
    const auto waiting = object_.waiting().size();
    send(object_.handle(event.as<Hop>()), scheduler);
    if (object_.waiting().size() != waiting) scheduler.holds_other();
  }

  bool has_foresight() const override { return node_.service.has_value(); }
  void foresee(const engine::Event& event, std::span<engine::Duration> least) const override {
    foresee(event.as<Hop>(), least);
  }
  void foresee_arrivals(std::span<engine::Duration> least) const override {
    foresee(Hop{.budget = 1, .work = 0, .held = 0, .history = 0}, least);
  }
  void foresee_held(std::span<engine::Duration> least) const override {
    std::fill(least.begin(), least.end(), engine::kForever);
    for (const auto& hop : object_.waiting()) {
      for (std::size_t i = 0; i < least.size(); ++i)
        least[i] = std::min(least[i], engine::sum(object_.service_of(hop), ways_->after(id_, i)));
    }
  }

 private:
  void foresee(const Hop& hop, std::span<engine::Duration> least) const {
    const auto held = hop.held != 0 ? engine::Duration{} : object_.service_of(hop);
    const bool leads_on = hop.budget > 0 && !object_.sets_free(hop);
    for (std::size_t i = 0; i < least.size(); ++i)
      least[i] = leads_on ? engine::sum(held, ways_->after(id_, i)) : engine::kForever;
  }
  static void send(const std::vector<RandomObject::Send>& sends, engine::Scheduler& scheduler) {
    for (const auto& [to, delay, hop] : sends) scheduler.send(to, delay, hop);
  }

  const RandomGraph::Node& node_;
  RandomObject object_;
  engine::LpId id_;
  const std::optional<WaysOut>& ways_;
};

}  // namespace ouro::tests
