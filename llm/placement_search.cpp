#include "llm/placement_search.hpp"

#include <algorithm>

#include "engine/error.hpp"
#include "engine/random.hpp"

namespace ouro::llm {

using wafer::CoreId;

namespace {

constexpr std::int32_t kFree = -1;
constexpr std::int32_t kForbidden = -2;

constexpr std::int64_t kStepsOfRound = 1000;  // a movable role
constexpr int kReach = 3;                     // cores around the middle of a proposal, along x and y
constexpr int kSamples = 512;

}  // namespace

/// One stream of random numbers.
class PlacementSearch::Draws {
 public:
  explicit Draws(std::uint64_t seed) : key_{seed, engine::random_purpose("placement search"), 0} {}
  std::uint64_t below(std::uint64_t count) { return engine::uniform_below(count, key_, draw_++); }

 private:
  engine::RandomKey key_;
  std::uint64_t draw_ = 0;
};

PlacementSearch::PlacementSearch(const FlowGraph& graph, const MappingCost& cost, std::vector<Role> busy,
                                 std::span<const CoreId> sites)
    : graph_{graph},
      cost_{cost},
      busy_{std::move(busy)},
      sites_{sites.begin(), sites.end()},
      first_(graph.roles + 1),
      occupant_(static_cast<std::size_t>(cost.geometry().cores()), kForbidden) {
  for (const auto& flow : graph.flows) ++first_[flow.from + 1], ++first_[flow.to + 1];
  for (std::size_t role = 0; role < graph.roles; ++role) first_[role + 1] += first_[role];
  neighbours_.resize(first_.back());
  auto next = first_;
  for (const auto& flow : graph.flows) {
    neighbours_[next[flow.from]++] = {flow.to, flow.parts};
    neighbours_[next[flow.to]++] = {flow.from, flow.parts};
  }
}

std::int64_t PlacementSearch::local_cost(Role role) const {
  const CoreId core = placement_[role];
  std::int64_t sum = 0;
  for (const auto& neighbour : neighbours(role))
    sum += neighbour.parts * cost_.between(core, placement_[neighbour.role]);
  return sum;
}

/// Near a role that this one exchanges bytes with, or near itself, or now and then anywhere.
CoreId PlacementSearch::propose(Role role, Draws& draws) const {
  const auto kind = draws.below(16);
  const auto others = neighbours(role);
  if (kind == 0 || others.empty()) return sites_[draws.below(sites_.size())];
  const Role middle = kind < 8 ? others[draws.below(others.size())].role : role;
  const auto& geometry = cost_.geometry();
  auto at = geometry.coordinate(placement_[middle]);
  at.x += static_cast<int>(draws.below(2 * kReach + 1)) - kReach;
  at.y += static_cast<int>(draws.below(2 * kReach + 1)) - kReach;
  return geometry.contains(at) ? geometry.core_at(at) : placement_[role];
}

void PlacementSearch::put(Role role, CoreId core) {
  placement_[role] = core;
  occupant_[core.value()] = static_cast<std::int32_t>(role);
}

/// @return  by how much the cost rises
std::int64_t PlacementSearch::exchange(Role role, CoreId to) {
  const CoreId from = placement_[role];
  const auto other = occupant_[to.value()];
  const auto cost_of_both = [&] {
    return local_cost(role) + (other == kFree ? 0 : local_cost(static_cast<Role>(other)));
  };
  const auto before = cost_of_both();  // what they send each other counts twice, before and after
  put(role, to);
  if (other == kFree) {
    occupant_[from.value()] = kFree;
  } else {
    put(static_cast<Role>(other), from);
  }
  return cost_of_both() - before;
}

/// Mean rise of exchanges that cost something.
std::int64_t PlacementSearch::sample_loss(Draws& draws) {
  std::int64_t losses = 0, sum = 0;
  for (int i = 0; i < kSamples; ++i) {
    const Role role = busy_[draws.below(busy_.size())];
    const CoreId from = placement_[role];
    const CoreId to = propose(role, draws);
    if (to == from || occupant_[to.value()] == kForbidden) continue;
    const auto rise = exchange(role, to);
    exchange(role, from);
    if (rise > 0) sum += rise, ++losses;
  }
  return losses == 0 ? 0 : sum / losses;
}

void PlacementSearch::run_round(std::int64_t threshold, std::int64_t steps, Draws& draws) {
  for (std::int64_t step = 0; step < steps; ++step) {
    const Role role = draws.below(8) == 0 ? static_cast<Role>(draws.below(graph_.movable()))
                                          : busy_[draws.below(busy_.size())];
    const CoreId from = placement_[role];
    const CoreId to = propose(role, draws);
    if (to == from || occupant_[to.value()] == kForbidden) continue;
    const auto rise = exchange(role, to);
    const auto accepted = threshold / steps * (steps - step);
    if (rise > accepted) {
      exchange(role, from);
    } else {
      total_ += rise;
    }
  }
}

void PlacementSearch::restore(const Placement& placement, std::int64_t total) {
  placement_ = placement;
  total_ = total;
  for (const CoreId site : sites_) occupant_[site.value()] = kFree;
  for (Role role = 0; role < graph_.movable(); ++role) {
    if (occupant_[placement[role].value()] != kFree)
      throw engine::ContractError{"two roles on a core, or one on a core that may not be used"};
    put(role, placement[role]);
  }
}

Placement PlacementSearch::improve(const Placement& start, const SearchOptions& options) {
  restore(start, evaluate(graph_, cost_, start).total());
  Draws draws{options.seed};
  Placement best = start;
  auto least = total_;
  const auto steps_of_round = kStepsOfRound * static_cast<std::int64_t>(graph_.movable());
  std::int64_t heat = 0;
  for (std::int64_t left = options.steps; left > 0; left -= steps_of_round) {
    // from a 32nd of a mean loss to a whole one, and again
    const auto threshold = sample_loss(draws) * (std::int64_t{1} << heat) / 32;
    run_round(threshold, std::min(left, steps_of_round), draws);
    heat = (heat + 1) % 8;
    if (total_ < least) {
      least = total_;
      best = placement_;
    } else {
      restore(best, least);
    }
  }
  return best;
}

}  // namespace ouro::llm
