#include "tools/noc_study.hpp"

#include <algorithm>
#include <cmath>

#include "engine/error.hpp"
#include "engine/mpi.hpp"

namespace ouro::tools {
namespace {

using wafer::Cycle;
using wafer::NocArrivals;
using wafer::NocTraffic;

void sum_over_ranks(MPI_Comm comm, std::span<std::int64_t> values) {
  MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_INT64_T, MPI_SUM, comm);
}

/// The histogram of all ranks.
engine::Histogram merge(MPI_Comm comm, const engine::Histogram& local) {
  std::vector<std::int64_t> mine;
  local.for_each([&](std::int64_t value, std::int64_t count) { mine.insert(mine.end(), {value, count}); });
  const auto sizes = engine::mpi_gather_all(comm, mine.size());
  std::vector<int> counts(sizes.begin(), sizes.end()), starts(sizes.size());
  for (std::size_t i = 1; i < sizes.size(); ++i) starts[i] = starts[i - 1] + counts[i - 1];
  std::vector<std::int64_t> all(static_cast<std::size_t>(starts.back() + counts.back()));
  MPI_Allgatherv(mine.data(), counts[static_cast<std::size_t>(engine::mpi_rank(comm))], MPI_INT64_T,
                 all.data(), counts.data(), starts.data(), MPI_INT64_T, comm);
  engine::Histogram merged;
  for (std::size_t i = 0; i < all.size(); i += 2) merged.add(all[i], all[i + 1]);
  return merged;
}

/// Half of the 95 % confidence interval of a mean over independent batches of about the same size: Student's
/// t for one less than kBatches degrees of freedom.
double confidence_of_mean(const std::array<std::int64_t, NocArrivals::kBatches>& latency,
                          const std::array<std::int64_t, NocArrivals::kBatches>& packets) {
  static_assert(NocArrivals::kBatches == 20);
  constexpr double kStudent = 2.093;  // 0.975 quantile for 19 degrees of freedom
  std::vector<double> means;
  for (std::size_t i = 0; i < latency.size(); ++i) {
    if (packets[i] == 0) return std::numeric_limits<double>::infinity();
    means.push_back(static_cast<double>(latency[i]) / static_cast<double>(packets[i]));
  }
  const auto count = static_cast<double>(means.size());
  double mean = 0, square = 0;
  for (const auto value : means) mean += value / count;
  for (const auto value : means) square += (value - mean) * (value - mean);
  return kStudent * std::sqrt(square / (count - 1) / count);
}

}  // namespace

NocStudy::NocStudy(const wafer::Geometry& geometry, const wafer::NocModel& model, const NocTraffic& traffic,
                   const partitions::Partition& partition, MPI_Comm comm,
                   const engine::SynchronizerOptions& options, engine::Lookahead lookahead)
    : geometry_{geometry}, model_{model}, traffic_{traffic}, comm_{comm} {
  const auto make = [this](engine::LpId id) {
    auto die = std::make_unique<wafer::NocProcess>(geometry_, model_, traffic_, wafer::DieId{id.value()});
    dies_.push_back(die.get());
    return die;
  };
  region_ =
      std::make_unique<engine::Region>(engine::mpi_rank(comm), engine::mpi_size(comm), partition, make,
                                       engine::RegionOptions{.lookahead = lookahead, .meet_border = {}});
  synchronizer_ = engine::make_synchronizer(comm, *region_, options);
}

/// @return  whether something is left to do
bool NocStudy::run_until(Cycle cycle) {
  reached_ = cycle;
  return synchronizer_->run_until(engine::Time{cycle * model_.cycle}) != engine::kNever;
}

std::int64_t NocStudy::sum(std::int64_t NocArrivals::*counter) const {
  std::int64_t total = 0;
  for (const auto* die : dies_) total += die->arrivals().*counter;
  return engine::mpi_reduce_all(comm_, total, MPI_SUM);
}

/// The cores go on creating packets until the measured ones have arrived, so that those see the same load.
void NocStudy::run_open_loop() {
  const Cycle end = traffic_.warmup + traffic_.measure;
  const Cycle slice = std::max<Cycle>(1000, traffic_.measure / NocArrivals::kBatches);
  run_until(end);
  while (sum(&NocArrivals::measured_arrived) < sum(&NocArrivals::measured) &&
         reached_ < end + traffic_.drain_limit) {
    run_until(std::min(reached_ + slice, end + traffic_.drain_limit));
  }
}

NocFindings NocStudy::run() {
  const double begin = MPI_Wtime();
  if (traffic_.load == NocTraffic::Load::open_loop) {
    run_open_loop();
  } else {
    synchronizer_->run_until(engine::kNever);
    if (sum(&NocArrivals::arrived) != sum(&NocArrivals::created))
      throw engine::ContractError{"nothing is left to do, but packets have not arrived"};
  }
  auto findings = gather();
  findings.wall_seconds = MPI_Wtime() - begin;
  return findings;
}

NocFindings NocStudy::gather() const {
  std::array<std::int64_t, NocArrivals::kBatches> packets{}, latency{};
  engine::Histogram latencies;
  Cycle last = 0;
  std::int64_t visits = 0;
  for (const auto* die : dies_) {
    const auto& arrivals = die->arrivals();
    for (std::size_t i = 0; i < packets.size(); ++i) {
      packets[i] += arrivals.batch_packets[i];
      latency[i] += arrivals.batch_latency[i];
    }
    arrivals.latencies.for_each([&](std::int64_t value, std::int64_t count) { latencies.add(value, count); });
    last = std::max(last, arrivals.last);
    visits += die->router_visits();
  }
  sum_over_ranks(comm_, packets);
  sum_over_ranks(comm_, latency);
  latencies = merge(comm_, latencies);

  NocFindings findings;
  const bool open_loop = traffic_.load == NocTraffic::Load::open_loop;
  findings.packets = sum(&NocArrivals::measured_arrived);
  findings.settled = findings.packets == sum(&NocArrivals::measured);
  const auto mean = [&](std::int64_t total) {
    return findings.packets > 0 ? static_cast<double>(total) / static_cast<double>(findings.packets) : 0;
  };
  findings.mean_latency = mean(sum(&NocArrivals::latency));
  findings.mean_network_latency = mean(sum(&NocArrivals::network_latency));
  findings.mean_routers = mean(sum(&NocArrivals::routers));
  findings.least_latency = latencies.least();
  findings.p50 = latencies.percentile(0.5);
  findings.p95 = latencies.percentile(0.95);
  findings.p99 = latencies.percentile(0.99);
  findings.greatest_latency = latencies.percentile(1);
  findings.completion = engine::mpi_reduce_all(comm_, last, MPI_MAX);
  findings.cycles = open_loop ? reached_ : findings.completion;
  findings.router_visits = engine::mpi_reduce_all(comm_, visits, MPI_SUM);
  if (open_loop) {
    findings.injection_rate = traffic_.injection_rate;
    findings.confidence = confidence_of_mean(latency, packets);
    const int live_cores = geometry_.cores() - traffic_.faults.dead_cores();
    const double cycles_of_cores = static_cast<double>(traffic_.measure) * live_cores;
    const auto measured = sum(&NocArrivals::measured) * traffic_.packet_flits;
    findings.created_rate = static_cast<double>(measured) / cycles_of_cores;
    findings.accepted_rate = static_cast<double>(sum(&NocArrivals::flits_accepted)) / cycles_of_cores;
  }
  findings.verdict = engine::verify_run(comm_, *region_);
  return findings;
}

}  // namespace ouro::tools
