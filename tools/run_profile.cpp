#include "tools/run_profile.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/mpi.hpp"

namespace ouro::tools {
namespace {

static_assert(std::is_trivially_copyable_v<EngineReport>);

std::vector<EngineReport> gather(MPI_Comm comm, const EngineReport& report) {
  std::vector<EngineReport> all(static_cast<std::size_t>(engine::mpi_size(comm)));
  MPI_Gather(&report, sizeof report, MPI_BYTE, all.data(), sizeof report, MPI_BYTE, 0, comm);
  return all;
}

double per(double amount, std::uint64_t count) {
  return count == 0 ? 0 : amount / static_cast<double>(count);
}

/// Shares of the ranks' wall time, all together.
struct Shares {
  double events = 0;
  double imbalance = 0;  ///< ranks have less work than the busiest, in each window if that is known
  double waiting = 0;    ///< the rest of the waiting: for promises and messages
  double messages = 0;   ///< packing and promising
};

std::uint64_t events_of(const std::vector<EngineReport>& reports) {
  std::uint64_t events = 0;
  for (const auto& report : reports) events += report.events;
  return events;
}

/// How many times faster than one rank the run could be if all but events cost nothing: all events, by those
/// of the rank that had most between two synchronizations, summed; 0 if that was not counted.
double most_speedup(const std::vector<EngineReport>& reports) {
  return per(static_cast<double>(events_of(reports)), reports.front().cost.busiest);
}

Shares share_out(const std::vector<EngineReport>& reports) {
  double wall = 0, busiest = 0, waiting = 0;
  Shares shares;
  for (const auto& report : reports) {
    wall += report.wall_seconds;
    shares.events += report.cost.events_seconds;
    shares.messages += report.cost.packing_seconds + report.cost.promising_seconds;
    waiting += report.cost.waiting_seconds;
    busiest = std::max(busiest, report.cost.events_seconds);
  }
  const auto ranks = static_cast<double>(reports.size());
  const double bound = most_speedup(reports);
  const double lost = bound > 0 ? shares.events * (ranks / bound - 1) : busiest * ranks - shares.events;
  shares.imbalance = std::min(waiting, lost);
  shares.waiting = waiting - shares.imbalance;
  for (auto* share : {&shares.events, &shares.imbalance, &shares.waiting, &shares.messages}) *share /= wall;
  return shares;
}

std::string what_limits(const std::vector<EngineReport>& reports) {
  const auto shares = share_out(reports);
  const auto work = fmt::format("events take {:.0f} % of the ranks' time", 100 * shares.events);
  if (reports.size() == 1) return work + "; one rank waits for nobody";
  const double most = std::max({shares.imbalance, shares.waiting, shares.messages});
  if (most < 0.05) return work + "; nothing else takes 5 %";
  if (most == shares.imbalance) {
    const auto of = most_speedup(reports) > 0
                        ? fmt::format(" between two synchronizations (at most {:.2f} times one rank)",
                                      most_speedup(reports))
                        : std::string{};
    return fmt::format(
        "{}; the limit is the balance of the partition: {:.0f} % are lost because some ranks have "
        "less work than the busiest{}",
        work, 100 * most, of);
  }
  if (most == shares.messages) {
    return fmt::format("{}; the limit is the cost of messages and promises: {:.0f} %", work, 100 * most);
  }
  double slack = 0;
  std::uint64_t tested = 0, windows = 0;
  for (const auto& report : reports) {
    slack += report.cost.slack_ps;
    tested += report.cost.promises_tested;
    windows += report.cost.windows;
  }
  return fmt::format(
      "{}; the limit is waiting for each other: {:.0f} %, with {:.0f} events between "
      "synchronizations and events that come {:.0f} ns after what was promised",
      work, 100 * most, per(static_cast<double>(events_of(reports)), windows), 1e-3 * per(slack, tested));
}

}  // namespace

void print_profile(std::ostream& out, MPI_Comm comm, const EngineReport& report) {
  const auto reports = gather(comm, report);
  if (engine::mpi_rank(comm) != 0) return;
  fmt::print(out, "{:>5} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9} {:>9} {:>8} {:>9}\n", "rank",
             "events", "events s", "waiting s", "packing s", "promise s", "windows", "ev/window", "messages",
             "promises", "MB", "slack ns");
  for (std::size_t rank = 0; rank < reports.size(); ++rank) {
    const auto& cost = reports[rank].cost;
    const auto events = reports[rank].events;
    fmt::print(
        out,
        "{:>5} {:>11} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f} {:>9} {:>10.1f} {:>9} {:>9} {:>8.2f} {:>9.1f}\n",
        rank, events, cost.events_seconds, cost.waiting_seconds, cost.packing_seconds, cost.promising_seconds,
        cost.windows, per(static_cast<double>(events), cost.windows), cost.messages_sent, cost.promises_sent,
        1e-6 * static_cast<double>(cost.bytes_sent), 1e-3 * per(cost.slack_ps, cost.promises_tested));
  }
  std::uint64_t promises = 0;
  for (const auto& one : reports) promises += one.cost.promises_sent;
  fmt::print(out, "{:.4f} promises an event; {}\n", per(static_cast<double>(promises), events_of(reports)),
             what_limits(reports));
}

}  // namespace ouro::tools
