#pragma once

#include <mpi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/synchronizer.hpp"
#include "engine/verification.hpp"
#include "partitions/partition.hpp"
#include "wafer/noc_process.hpp"
#include "wafer/wafer_model.hpp"

namespace ouro::tools {

/// What a study of the network found, over all ranks. Latencies in cycles.
struct NocFindings {
  double injection_rate = 0;  ///< as asked for; 0 if the load is not open-loop
  std::int64_t packets = 0;   ///< measured
  bool settled = true;        ///< every measured packet arrived within the limit
  double mean_latency = 0;
  double confidence = 0;            ///< half of the 95 % confidence interval of the mean; open loop
  double mean_network_latency = 0;  ///< from when a head left its core; `flit` only
  double mean_routers = 0;          ///< on the way of a packet
  std::int64_t least_latency = 0;
  std::int64_t p50 = 0, p95 = 0, p99 = 0, greatest_latency = 0;
  double created_rate = 0;      ///< flits a cycle and live core, of measured packets; open loop
  double accepted_rate = 0;     ///< flits a cycle and live core that arrived in the measured time; open loop
  wafer::Cycle completion = 0;  ///< arrival of the last packet
  wafer::Cycle cycles = 0;      ///< simulated
  std::int64_t router_visits = 0;
  double wall_seconds = 0;
  engine::RunVerdict verdict;
};

/// One network under one load, on the ranks of a communicator.
class NocStudy {
 public:
  /// Keeps references.
  NocStudy(const wafer::Geometry& geometry, const wafer::NocModel& model, const wafer::NocTraffic& traffic,
           const partitions::Partition& partition, MPI_Comm comm, const engine::SynchronizerOptions& options,
           engine::Lookahead lookahead);

  /// Collective. Runs to the end: the measured packets of an open loop have arrived, or else all packets.
  NocFindings run();

  const std::vector<const wafer::NocProcess*>& dies() const { return dies_; }

 private:
  bool run_until(wafer::Cycle cycle);
  void run_open_loop();
  std::int64_t sum(std::int64_t wafer::NocArrivals::*counter) const;
  NocFindings gather() const;

  const wafer::Geometry& geometry_;
  const wafer::NocModel& model_;
  const wafer::NocTraffic& traffic_;
  MPI_Comm comm_;
  std::vector<const wafer::NocProcess*> dies_;
  std::unique_ptr<engine::Region> region_;
  std::unique_ptr<engine::Synchronizer> synchronizer_;
  wafer::Cycle reached_ = 0;
};

}  // namespace ouro::tools
