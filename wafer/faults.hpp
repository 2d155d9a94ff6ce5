#pragma once

#include <cstdint>
#include <vector>

#include "wafer/geometry.hpp"

namespace ouro::wafer {

/// Something that is broken since the wafer was made.
struct Fault {
  enum class Kind : std::uint8_t {
    core,    ///< its router still forwards packets
    router,  ///< and with it its core and its links
    link     ///< both ways
  };
  Kind kind = Kind::core;
  CoreId core;
  Direction direction = Direction::east;  ///< link: from the router of `core`
};

/// What of a wafer is dead. By default nothing.
class Faults {
 public:
  Faults() = default;
  explicit Faults(const Geometry& geometry);

  /// @param fault  of a link that does not lead off the wafer
  void add(const Fault& fault);

  /// There is no such link: no fault, but no way either.
  void leave_out(CoreId core, Direction direction);

  bool core_is_dead(CoreId core) const { return has(core, kCore); }
  bool router_is_dead(CoreId core) const { return has(core, kRouter); }
  bool link_is_dead(CoreId core, Direction direction) const { return has(core, bit_of(direction)); }

  /// As they were added.
  const std::vector<Fault>& list() const { return list_; }
  int dead_cores() const { return dead_cores_; }
  /// Whether packets can go all ways; dead cores do not count.
  bool network_is_whole() const { return network_is_whole_; }

 private:
  static constexpr std::uint8_t kCore = 1U << 4;
  static constexpr std::uint8_t kRouter = 1U << 5;
  static constexpr std::uint8_t bit_of(Direction direction) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(direction));
  }
  bool has(CoreId core, std::uint8_t what) const {
    return !dead_.empty() && (dead_[core.value()] & what) != 0;
  }
  void kill_core(CoreId core);
  void kill_link(CoreId core, Direction direction);

  Geometry geometry_;
  std::vector<std::uint8_t> dead_;  // by core: its links, core, router; empty without faults
  std::vector<Fault> list_;
  int dead_cores_ = 0;
  bool network_is_whole_ = true;
};

}  // namespace ouro::wafer
