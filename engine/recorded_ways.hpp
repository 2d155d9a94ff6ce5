#pragma once

#include <cstdint>
#include <vector>

#include "engine/border.hpp"
#include "engine/recording.hpp"

namespace ouro::engine {

/// What followed from the events of a recording, and how soon at least: a graph of kinds of events. A way
/// leads from one between two LPs to the next that followed from it.
///
/// The least time that it ever took from one to the next is taken for what an LP could have foreseen.
class RecordedWays {
 public:
  /// A kind of event for an LP.
  using Node = std::uint32_t;
  struct Way {
    Node from;
    Node to;
    Duration least;  ///< from arrival to arrival
  };

  explicit RecordedWays(const Recording& recording);

  std::size_t nodes() const { return lps_.size(); }
  LpId lp_of(Node node) const { return lps_[node]; }
  /// Of a send, by its place in the recording.
  Node node_of(std::size_t send) const { return node_of_send_[send]; }
  const std::vector<Way>& ways() const { return ways_; }
  /// The places of all sends, by when they are known.
  const std::vector<std::uint32_t>& by_cause() const { return by_cause_; }

 private:
  std::vector<LpId> lps_;           // by node
  std::vector<Node> node_of_send_;  // by send
  std::vector<Way> ways_;
  std::vector<std::uint32_t> by_cause_;
};

/// Of each node of the LPs of `rank`, how soon what follows from it over LPs of that rank only arrives at
/// `target`: another rank, or kEveryRank. kForever where nothing does.
std::vector<Duration> ways_to(const RecordedWays& ways, const Placement& placement, int rank, int target);

}  // namespace ouro::engine
