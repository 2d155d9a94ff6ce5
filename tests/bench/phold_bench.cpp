// PHOLD on the engine, and the limit that a bare hold model sets on the same machine in the same run.
//
//   mpirun -n R build/release/tests/phold_bench [lps] [start events] [remote] [lookahead / mean] [repeats]
//
// Prints committed events a second for each synchronizer, median of the repeats, interleaved with the hold
// model.

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <queue>
#include <utility>

#include "tests/engine/phold_run.hpp"

namespace {

using namespace ouro;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Takes the earliest of `n` events and puts one back, as fast as std::priority_queue can.
double hold_model_rate(const tests::PholdConfig& config) {
  const auto later = [](const engine::Event& a, const engine::Event& b) { return b < a; };
  std::priority_queue<engine::Event, std::vector<engine::Event>, decltype(later)> queue{later};
  tests::PholdObject object{config, engine::LpId{0}};
  std::uint64_t sequence = 0;
  const auto put = [&](engine::Time now) {
    queue.push({now + object.next().delay, engine::LpId{0}, engine::LpId{0}, sequence++, {}});
  };
  for (std::uint32_t i = 0; i < config.objects; ++i) put(engine::Time{});
  constexpr int kHolds = 1'000'000;
  const double start = MPI_Wtime();
  for (int i = 0; i < kHolds; ++i) {
    const auto now = queue.top().time;
    queue.pop();
    put(now);
  }
  return kHolds / (MPI_Wtime() - start);
}

double phold_rate(const tests::PholdConfig& config, engine::SynchronizerKind kind) {
  MPI_Barrier(MPI_COMM_WORLD);
  const double start = MPI_Wtime();
  const auto verdict = tests::run_phold(
      MPI_COMM_WORLD, config, tests::in_blocks(config.objects, engine::mpi_size(MPI_COMM_WORLD)), kind);
  return static_cast<double>(verdict.events) / (MPI_Wtime() - start);
}

double argument(int argc, char** argv, int index, double otherwise) {
  return argc > index ? std::atof(argv[index]) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const engine::MpiSession session{argc, argv};
  tests::PholdConfig config{.objects = static_cast<std::uint32_t>(argument(argc, argv, 1, 16'384)),
                            .start_events = static_cast<int>(argument(argc, argv, 2, 1)),
                            .remote = argument(argc, argv, 3, 0.1)};
  config.lookahead = engine::Duration{
      static_cast<std::int64_t>(argument(argc, argv, 4, 0.1) * static_cast<double>(config.mean.count()))};
  const auto events_wanted = 4e6;
  config.end = engine::Time{} + engine::Duration{static_cast<std::int64_t>(
                                    events_wanted / (config.objects * config.start_events) *
                                    static_cast<double>((config.mean + config.lookahead).count()))};
  std::vector<double> holds, windows, null_messages;
  for (int i = 0; i < static_cast<int>(argument(argc, argv, 5, 3)); ++i) {
    holds.push_back(hold_model_rate(config));
    windows.push_back(phold_rate(config, engine::SynchronizerKind::window));
    null_messages.push_back(phold_rate(config, engine::SynchronizerKind::null_message));
  }
  if (engine::mpi_rank(MPI_COMM_WORLD) != 0) return 0;
  const double hold = median(holds);
  fmt::print("{} LPs, {} start events, remote {}, ranks {}: hold model {:.2f} M events/s", config.objects,
             config.start_events, config.remote, engine::mpi_size(MPI_COMM_WORLD), hold / 1e6);
  for (const auto& [name, rates] : {std::pair{"window", windows}, std::pair{"null-message", null_messages}})
    fmt::print("; {} {:.2f} M/s, ratio {:.2f}", name, median(rates) / 1e6, median(rates) / hold);
  fmt::print("\n");
}
