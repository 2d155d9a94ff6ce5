#pragma once

#include <string>
#include <vector>

#include "engine/virtual_cluster.hpp"

namespace ouro::tools {

/// What a run would take on some number of ranks of a cluster, and where the time of all of them would go.
struct Projection {
  /// Of the time of all ranks together.
  struct Loss {
    const char* name;
    double share;
    const char* remedy;
  };

  std::size_t ranks = 1;
  double wall_seconds = 0;
  double speed_up = 1;
  double events_of_stretch = 0;  ///< on average, of all ranks
  std::vector<Loss> losses;      ///< but for the events themselves; largest first

  /// The greatest speed-up that the balance of the ranks allows if they meet after each 2^level windows;
  /// empty where there are no windows.
  std::vector<double> at_most;

  double efficiency() const { return speed_up / static_cast<double>(ranks); }
};

/// @param event_seconds  of an event
/// @param alone_seconds  of all events, each once
Projection make_projection(const engine::VirtualRun& run, double event_seconds, double alone_seconds);

void print_head_of_projections();
void print_row(const Projection& projection);

/// Which of them is fastest, what would help each most, and how far longer windows would lead.
void print_conclusions(const std::vector<Projection>& projections);

}  // namespace ouro::tools
