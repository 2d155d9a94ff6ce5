#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ouro::tools {

/// What the user says of the run and of the cluster.
struct ProjectArguments {
  std::filesystem::path result;
  std::string ranks;         ///< 1,2,4
  std::string latency;       ///< 1.5 us
  std::string bandwidth;     ///< 12 GB/s
  std::string synchronizer;  ///< empty: as in the run, as the next one
  std::string lookahead;
  std::vector<std::string> assignments;  ///< section.key=value, over what the run had
};

/// Predicts how the run of a result file would scale on a cluster, and prints a line for each number of
/// ranks.
///
/// The run is replayed: its events are handled again, in this process, by as many regions as the cluster
/// would have ranks, under the same synchronization; see engine::run_virtual_cluster, which also says what is
/// left out. What an event, a look at promises and a message cost is the mean of what the run measured of
/// itself. The speed-up is over all events on one rank, without synchronization.
///
/// @throws InputError  for a wrong argument, and more ranks than dies
void project(const ProjectArguments& arguments);

}  // namespace ouro::tools
