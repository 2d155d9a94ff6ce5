#include "tools/noc_table.hpp"

#include <fmt/format.h>

#include <ostream>

namespace ouro::tools {
namespace {

const char* remark_on(const NocFindings& study) {
  constexpr double kLost = 0.03;  // more than chance in a measurement of usual length
  if (!study.settled) return "  not settled: measured packets are still under way";
  if (study.accepted_rate < (1 - kLost) * study.created_rate) return "  beyond saturation: queues grow";
  return "";
}

}  // namespace

NocTable::NocTable(std::ostream& out, bool open_loop) : out_{out}, open_loop_{open_loop} {
  if (open_loop) {
    out_ << "  offered accepted   latency   +-95 %  network  p50  p95  p99   packets  (flits/cycle/core; "
            "cycles)\n";
  }
}

void NocTable::print(const NocFindings& study) {
  if (open_loop_) {
    out_ << fmt::format("{:9.5f} {:8.5f} {:>9} {:>8} {:>8.2f} {:>4} {:>4} {:>4} {:>9}{}\n",
                        study.injection_rate, study.accepted_rate, fmt::format("{:.3f}", study.mean_latency),
                        fmt::format("{:.3f}", study.confidence), study.mean_network_latency, study.p50,
                        study.p95, study.p99, study.packets, remark_on(study));
  } else {
    out_ << fmt::format(
        "completion   {} cycles\nlatency      mean {:.3f} cycles, p50 {}, p99 {}, {} to {}\n"
        "packets      {}\n",
        study.completion, study.mean_latency, study.p50, study.p99, study.least_latency,
        study.greatest_latency, study.packets);
  }
}

void NocTable::print_speed(const std::vector<NocFindings>& findings, const std::string& machine) {
  double wall = 0, cycles = 0, visits = 0;
  std::uint64_t digest = 0;
  for (const auto& study : findings) {
    wall += study.wall_seconds;
    cycles += static_cast<double>(study.cycles);
    visits += static_cast<double>(study.router_visits);
    digest = study.verdict.digest;
  }
  out_ << fmt::format(
      "simulator    {:.2f} s wall{}, {:.3g} cycles/s, {:.3g} M flit-router visits/s\n"
      "digest       {:016x}\n",
      wall, machine, cycles / wall, 1e-6 * visits / wall, digest);
}

}  // namespace ouro::tools
