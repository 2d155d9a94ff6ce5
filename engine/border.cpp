#include "engine/border.hpp"

#include <algorithm>

namespace ouro::engine {

Border::Border(std::set<int> places, int rank, int ranks) {
  places.erase(rank);
  if (ranks == 1) places.erase(kEveryRank);  // the only copy is here
  targets.assign(places.begin(), places.end());
  if (places.erase(kEveryRank) > 0) {
    for (int peer = 0; peer < ranks; ++peer) places.insert(peer);
    places.erase(rank);
  }
  peers.assign(places.begin(), places.end());
}

std::optional<std::size_t> Border::find(int target) const {
  const auto found = std::lower_bound(targets.begin(), targets.end(), target);
  if (found == targets.end() || *found != target) return std::nullopt;
  return static_cast<std::size_t>(found - targets.begin());
}

}  // namespace ouro::engine
