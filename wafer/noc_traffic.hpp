#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/random.hpp"
#include "wafer/faults.hpp"
#include "wafer/flit_network.hpp"
#include "wafer/geometry.hpp"

namespace ouro::engine {
class Config;
}

namespace ouro::wafer {

/// Where the cores of a grid send, as in BookSim2's traffic patterns of these names.
enum class TrafficPattern {
  uniform,         ///< any core, the sender included
  transpose,       ///< (x, y) to (y, x)
  bit_complement,  ///< (x, y) to the point reflection through the middle
  neighbor,        ///< (x, y) to (x + 1, y + 1), around the edges
  tornado,         ///< (x, y) to half the way around less one, in both directions
  hotspot          ///< any core; those at a quarter and three quarters of both sides more often
};
inline constexpr std::array<std::string_view, 6> kTrafficPatternNames{
    "uniform", "transpose", "bit-complement", "neighbor", "tornado", "hotspot"};

/// @param draw  of the packet, for patterns with chance
CoreId destination(TrafficPattern pattern, const Geometry& geometry, CoreId from,
                   const engine::RandomKey& key, std::uint64_t draw);

/// Gaps between the successes of a Bernoulli trial at each cycle, in one draw for most of them.
///
/// By integers only, so that no C library can change a packet: the least k with u >= (1 - p)^k.
class BernoulliGaps {
 public:
  /// @param probability  in (0, 1]
  explicit BernoulliGaps(double probability);

  /// At least 1; takes draws from `draw` on.
  Cycle next(const engine::RandomKey& key, std::uint64_t& draw) const;

 private:
  static constexpr int kTable = 256;
  std::array<std::uint64_t, kTable> failures_{};  // (1 - p)^(i + 1), as a fraction of 2^64
};

/// A packet of a given trace.
struct TracedPacket {
  std::int64_t number = 0;
  Cycle created = 0;
  CoreId from;
  CoreId to;
  int flits = 1;
};

/// What `ouroboros noc` sends over the network: section [traffic].
struct NocTraffic {
  enum class Load {
    open_loop,  ///< each core creates packets at random, whatever the network does
    batch,      ///< each core creates a fixed number, one a cycle from the start
    trace       ///< given packets
  };
  Load load = Load::open_loop;
  TrafficPattern pattern = TrafficPattern::uniform;
  double injection_rate = 0;  ///< flits a cycle and core
  int packet_flits = 1;
  std::int64_t packets_per_core = 0;  ///< batch
  Cycle warmup = 0;
  Cycle measure = 0;      ///< open loop: packets created in so many cycles after `warmup` are measured
  Cycle drain_limit = 0;  ///< open loop: after those, at most so many cycles for the measured ones to arrive
  std::uint64_t seed = 0;
  std::vector<TracedPacket> trace;  ///< in the order of creation, then number
  Faults faults;                    ///< dead cores create no packets, and none for them is created
};

inline constexpr int kMostPacketFlits = 65535;
inline constexpr Cycle kLongestStudy = 1'000'000'000;  // cycles

/// Whether a core's link can be offered so many flits a cycle.
constexpr bool is_injection_rate(double rate) {
  return rate > 0 && rate <= 1;
}

/// @throws InputError  for settings that do not fit each other, the grid, its dead cores, or the rows of the
///                     trace
NocTraffic read_noc_traffic(const engine::Config& config, const Geometry& geometry, const Faults& faults);

}  // namespace ouro::wafer
