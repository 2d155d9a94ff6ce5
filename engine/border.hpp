#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <vector>

namespace ouro::engine {

/// What a region promises its neighbours.
enum class Lookahead {
  promises,  ///< what the LPs foresee, or where they do not, the way of a signal over channels to the border
  held,      ///< the same, of LPs that can promise apart what waits in them for a later event
  link       ///< the least delay of a channel that crosses the border, after the earliest pending event
};

/// The rank of every LP, by id. An LP that is replicated has a copy on every rank: each copy handles every
/// event sent to it, and what a copy sends reaches the LPs of its own rank only, since the other copies send
/// the same to theirs.
using Placement = std::vector<int>;
inline constexpr int kEveryRank = -1;

/// The places beyond a region's border that it can send to: promises are made for each of them.
struct Border {
  Border() = default;
  /// @param places  where `rank` sends to, itself perhaps among them
  Border(std::set<int> places, int rank, int ranks);

  /// Increasing ranks, each for the LPs that live there only. If the region sends to replicated LPs,
  /// kEveryRank comes first: their copies on all other ranks, one more neighbour.
  std::vector<int> targets;

  /// Its place in `targets`.
  std::optional<std::size_t> find(int target) const;

  /// Ranks that something can be sent to, increasing; all others if there are copies on all of them.
  std::vector<int> peers;
};

}  // namespace ouro::engine
