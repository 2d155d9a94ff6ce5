#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "llm/mapping_cost.hpp"

namespace ouro::llm {

struct SearchOptions {
  std::uint64_t seed = 1;
  std::int64_t steps = 0;  ///< exchanges to try; time grows with them and results do not depend on it
};

/// Improves a placement by exchanging the cores of two roles, or moving a role to a free core: threshold
/// accepting, in rounds.
///
/// In a round an exchange is accepted if it costs no more than a threshold, which falls to nothing; each
/// round begins with the best placement so far. Later rounds begin hotter, so that what many steps are left
/// for gets out of local optima. All in integers: the same steps give the same placement on any machine.
///
/// Source: G. Dueck and T. Scheuer, "Threshold accepting: a general purpose optimization algorithm appearing
/// superior to simulated annealing", Journal of Computational Physics 90(1), 1990.
class PlacementSearch {
 public:
  /// @param busy   roles that are tried seven times of eight; any role else. Not empty.
  /// @param sites  cores that may be used
  /// Keeps references: `graph` and `cost` must outlive the search.
  PlacementSearch(const FlowGraph& graph, const MappingCost& cost, std::vector<Role> busy,
                  std::span<const wafer::CoreId> sites);

  /// @param start  with all movable roles on different cores of the sites
  /// @return  a placement that costs no more
  Placement improve(const Placement& start, const SearchOptions& options);

 private:
  struct Neighbour {
    Role role;
    std::int64_t parts;
  };
  class Draws;

  std::span<const Neighbour> neighbours(Role role) const {
    return std::span{neighbours_}.subspan(first_[role], first_[role + 1] - first_[role]);
  }
  std::int64_t local_cost(Role role) const;
  wafer::CoreId propose(Role role, Draws& draws) const;
  std::int64_t exchange(Role role, wafer::CoreId to);
  void put(Role role, wafer::CoreId core);
  std::int64_t sample_loss(Draws& draws);
  void restore(const Placement& placement, std::int64_t total);
  void run_round(std::int64_t threshold, std::int64_t steps, Draws& draws);

  const FlowGraph& graph_;
  const MappingCost& cost_;
  std::vector<Role> busy_;
  std::vector<wafer::CoreId> sites_;
  std::vector<std::uint32_t> first_;  // of a role's neighbours
  std::vector<Neighbour> neighbours_;

  Placement placement_;
  std::vector<std::int32_t> occupant_;  // of a core: a role, kFree, or kForbidden
  std::int64_t total_ = 0;
};

}  // namespace ouro::llm
