#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ouro::tools {

/// What the user says of the run and of the cluster.
struct ProjectArguments {
  std::filesystem::path recording;
  std::string ranks;         ///< 1,2,4
  std::string latency;       ///< 1.5 us
  std::string bandwidth;     ///< 12 GB/s
  std::string event_time;    ///< wall time of an event; empty: the run's mean
  std::string synchronizer;  ///< empty: as in the run, as the next one
  std::string lookahead;
  std::vector<std::string> assignments;  ///< section.key=value of sections partition and engine
};

/// Predicts how a recorded run would scale on a cluster, and prints a line for each number of ranks.
///
/// The synchronization is replayed, without the model, by as many regions as the cluster would have ranks;
/// see engine::RecordedRegion and engine::run_virtual_cluster, which also say what is left out. What an
/// event, a look at promises and a message cost is the mean of what the run measured of itself, unless
/// stated. The speed-up is over all events on one rank, without synchronization.
///
/// @throws InputError  for a wrong argument, and more ranks than dies
void project(const ProjectArguments& arguments);

}  // namespace ouro::tools
