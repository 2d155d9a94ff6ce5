#include "llm/kv_sharing.hpp"

#include <algorithm>
#include <limits>

#include "engine/error.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;

/// Blocks, and one more for the cores that stay spare, with the cores that they hold.
class Sharing {
 public:
  /// @param costs  by core and block, the spare one last
  Sharing(std::vector<std::int64_t> costs, std::size_t holders)
      : costs_{std::move(costs)}, holders_{holders} {
    held_.resize(holders);
    moves_.resize(holders * holders);
  }

  /// Each core to the block for which it is cheapest; none is spare yet.
  void begin_with_the_cheapest() {
    const auto blocks = static_cast<std::ptrdiff_t>(holders_ - 1);
    for (std::size_t core = 0; core < costs_.size() / holders_; ++core) {
      const auto row = costs_.begin() + static_cast<std::ptrdiff_t>(core * holders_);
      held_[static_cast<std::size_t>(std::min_element(row, row + blocks) - row)].push_back(core);
    }
    for (std::size_t holder = 0; holder < holders_; ++holder) find_moves(holder);
  }

  /// Until every holder has as many as it wants.
  void balance(const std::vector<std::size_t>& wanted) {
    while (true) {
      find_ways(wanted);
      std::size_t end = holders_;  // the cheapest to reach of those that have too few
      for (std::size_t holder = 0; holder < holders_; ++holder) {
        if (held_[holder].size() < wanted[holder] && way_[holder].cost < kUnreached &&
            (end == holders_ || way_[holder].cost < way_[end].cost))
          end = holder;
      }
      if (end == holders_) return;
      move_along(end);
    }
  }

  const std::vector<std::size_t>& held(std::size_t holder) const { return held_[holder]; }

 private:
  static constexpr std::int64_t kUnreached = std::numeric_limits<std::int64_t>::max() / 4;

  struct Move {
    std::int64_t cost = kUnreached;
    std::size_t index = 0;  // into the holder's cores
  };
  struct Way {
    std::int64_t cost = kUnreached;
    std::size_t from = 0;
    bool begins = false;
  };

  std::int64_t cost(std::size_t core, std::size_t holder) const { return costs_[core * holders_ + holder]; }

  /// The cheapest core that `from` can give to each other holder.
  void find_moves(std::size_t from) {
    for (std::size_t to = 0; to < holders_; ++to) {
      auto& move = moves_[from * holders_ + to] = {};
      if (to == from) continue;
      for (std::size_t i = 0; i < held_[from].size(); ++i) {
        const auto core = held_[from][i];
        const auto rise = cost(core, to) - cost(core, from);
        if (rise < move.cost) move = {rise, i};
      }
    }
  }

  /// Cheapest ways from the holders that have too many to all others: Bellman and Ford, since moves may gain.
  void find_ways(const std::vector<std::size_t>& wanted) {
    way_.assign(holders_, {});
    for (std::size_t holder = 0; holder < holders_; ++holder) {
      if (held_[holder].size() > wanted[holder]) way_[holder] = {0, holder, true};
    }
    for (bool shorter = true; shorter;) {
      shorter = false;
      for (std::size_t from = 0; from < holders_; ++from) {
        if (way_[from].cost == kUnreached) continue;
        for (std::size_t to = 0; to < holders_; ++to) {
          const auto& move = moves_[from * holders_ + to];
          if (move.cost == kUnreached || way_[from].cost + move.cost >= way_[to].cost) continue;
          way_[to] = {way_[from].cost + move.cost, from, false};
          shorter = true;
        }
      }
    }
  }

  void move_along(std::size_t end) {
    std::vector<std::size_t> changed{end};
    std::vector<std::pair<std::size_t, std::size_t>> given;  // core, to
    for (auto to = end; !way_[to].begins; to = way_[to].from) {
      const auto from = way_[to].from;
      given.emplace_back(held_[from][moves_[from * holders_ + to].index], to);
      changed.push_back(from);
    }
    for (const auto& [core, to] : given) {
      for (const auto holder : changed) std::erase(held_[holder], core);
      held_[to].push_back(core);
    }
    for (const auto holder : changed) find_moves(holder);
  }

  std::vector<std::int64_t> costs_;
  std::size_t holders_;
  std::vector<std::vector<std::size_t>> held_;
  std::vector<Move> moves_;  // by holder that gives and holder that takes
  std::vector<Way> way_;     // by holder, how it is reached
};

/// What each core would cost as a KV core of each block, by core; 0 for the spare ones.
std::vector<std::int64_t> costs_of(const TokenFlows& flows, const MappingCost& cost,
                                   std::span<const CoreId> cores, const Placement& placement) {
  const auto blocks = static_cast<std::size_t>(flows.blocks());
  std::vector<std::int64_t> costs(cores.size() * (blocks + 1), 0);
  for (const auto& flow : flows.graph().flows) {
    for (std::size_t block = 0; block < blocks; ++block) {
      const Role kv = flows.kv(static_cast<int>(block), 0);  // stands for all of its block
      if (flow.from != kv && flow.to != kv) continue;
      const CoreId other = placement[flow.from == kv ? flow.to : flow.from];
      for (std::size_t core = 0; core < cores.size(); ++core)
        costs[core * (blocks + 1) + block] += flow.parts * cost.between(cores[core], other);
    }
  }
  return costs;
}

}  // namespace

void share_out_kv_cores(const TokenFlows& flows, const MappingCost& cost, std::span<const CoreId> cores,
                        Placement& placement) {
  const auto blocks = static_cast<std::size_t>(flows.blocks());
  const auto ring = static_cast<std::size_t>(flows.kv_cores());
  if (cores.size() < blocks * ring) throw engine::ContractError{"too few cores for KV"};
  std::vector<std::size_t> wanted(blocks, ring);
  wanted.push_back(cores.size() - blocks * ring);
  Sharing sharing{costs_of(flows, cost, cores, placement), blocks + 1};
  sharing.begin_with_the_cheapest();
  sharing.balance(wanted);
  for (std::size_t block = 0; block < blocks; ++block) {
    auto held = sharing.held(block);
    std::sort(held.begin(), held.end());
    for (std::size_t i = 0; i < ring; ++i) placement[flows.kv(static_cast<int>(block), i)] = cores[held[i]];
  }
}

}  // namespace ouro::llm
