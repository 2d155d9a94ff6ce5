#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/quantity.hpp"
#include "engine/state_archive.hpp"

namespace ouro::engine {
class Config;
}

namespace ouro::wafer {

/// What costs energy. Counts are of the unit named by kComponents.
enum class Component {
  mac,             ///< 8-bit multiply-accumulates of crossbars
  htree,           ///< bits times edges of the H-tree, in lengths of an edge to a crossbar
  hop,             ///< bits times links of the mesh crossed, router included
  die_crossing,    ///< bits times die borders crossed
  wafer_crossing,  ///< bits times links between wafers crossed
  buffer,          ///< bits read from and written to input and output buffers
  kv_write,        ///< bits of K and V written to crossbars
  sfu_special,     ///< exponentials, divisions, square roots
  sfu_simple,      ///< additions, multiplications, comparisons
};

struct ComponentInfo {
  std::string_view name;
  std::string_view counted;  ///< unit of its count
};

inline constexpr std::array<ComponentInfo, 9> kComponents{{{"mac", "MAC"},
                                                           {"htree", "bit"},
                                                           {"hop", "bit"},
                                                           {"die_crossing", "bit"},
                                                           {"wafer_crossing", "bit"},
                                                           {"buffer", "bit"},
                                                           {"kv_write", "bit"},
                                                           {"sfu_special", "op"},
                                                           {"sfu_simple", "op"}}};
inline constexpr std::size_t kComponentCount = kComponents.size();

/// How often each component worked.
struct EnergyCounts {
  std::array<std::int64_t, kComponentCount> of{};

  std::int64_t& operator[](Component component) { return of[static_cast<std::size_t>(component)]; }
  std::int64_t operator[](Component component) const { return of[static_cast<std::size_t>(component)]; }

  EnergyCounts& operator+=(const EnergyCounts& other) {
    for (std::size_t i = 0; i < of.size(); ++i) of[i] += other.of[i];
    return *this;
  }
};

}  // namespace ouro::wafer

OURO_ARCHIVE_AS_BYTES(ouro::wafer::EnergyCounts);

namespace ouro::wafer {

/// Dynamic energy of one count of each component.
struct EnergyModel {
  std::array<engine::Energy, kComponentCount> each{};

  engine::Energy of(Component component, std::int64_t count) const {
    return count * each[static_cast<std::size_t>(component)];
  }
  /// Counts times constants, summed over components.
  engine::Energy of(const EnergyCounts& counts) const {
    engine::Energy total;
    for (std::size_t i = 0; i < each.size(); ++i) total = total + counts.of[i] * each[i];
    return total;
  }
};

/// Reads section [energy].
EnergyModel read_energy(const engine::Config& config);

}  // namespace ouro::wafer
