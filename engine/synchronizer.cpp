#include "engine/synchronizer.hpp"

#include "engine/mpi.hpp"
#include "engine/null_message_synchronizer.hpp"
#include "engine/window_synchronizer.hpp"

namespace ouro::engine {
namespace {

constexpr std::uint64_t kEventsBetweenHeartbeats = 1U << 14;

/// One rank has nobody to wait for.
class SingleRank final : public Synchronizer {
 public:
  SingleRank(Region& region, Heartbeat heartbeat) : region_{region}, heartbeat_{std::move(heartbeat)} {}

  Time run_until(Time stop) override {
    const double start = MPI_Wtime();
    while (region_.next_time() < stop) {
      region_.run_before(stop, kEventsBetweenHeartbeats);
      ++cost_.windows;
      if (heartbeat_) heartbeat_(region_.next_time());
    }
    cost_.events_seconds += MPI_Wtime() - start;
    return region_.next_time();
  }

  SynchronizationCost cost() const override { return cost_; }

 private:
  Region& region_;
  Heartbeat heartbeat_;
  SynchronizationCost cost_;
};

}  // namespace

std::unique_ptr<Synchronizer> make_synchronizer(MPI_Comm comm, Region& region,
                                                const SynchronizerOptions& options) {
  if (mpi_size(comm) == 1) return std::make_unique<SingleRank>(region, options.heartbeat);
  if (options.kind == SynchronizerKind::window)
    return std::make_unique<WindowSynchronizer>(comm, region, options);
  return std::make_unique<NullMessageSynchronizer>(comm, region, options);
}

}  // namespace ouro::engine
