#pragma once

#include <cstdint>
#include <type_traits>

#include "engine/state_archive.hpp"
#include "wafer/geometry.hpp"
#include "wafer/routing.hpp"

namespace ouro::wafer {

/// A virtual channel of a link of a die. A core is named by its number within the die.
struct LinkVc {
  std::uint16_t core = 0;
  std::uint8_t port = 0;  ///< a Direction, or kInjection
  std::uint8_t vc = 0;
};

/// What happens to the routers of a die at `flit` fidelity; eight bytes, as part of an event.
struct FlitEvent {
  enum class Kind : std::uint8_t {
    edge,   ///< a clock edge at which there is something to do
    flit,   ///< a flit that came over a border, for the next edge
    credit  ///< a credit that came over a border, for the next edge
  };

  LinkVc place{};  ///< of the die that gets it: an input for a flit, an output for a credit
  Kind kind{};
  std::uint8_t ends = 0;      ///< bits: head, tail, and above them the high bits of the waypoint
  std::uint16_t via_low = 0;  ///< no padding: digests read every byte

  bool is_head() const { return (ends & kHead) != 0; }
  bool is_tail() const { return (ends & kTail) != 0; }
  /// Where a head's way turns next.
  Waypoint via() const {
    return Waypoint::from_code(static_cast<std::uint32_t>(ends >> kEnds) << kLowBits | via_low);
  }

  void set_ends(bool head, bool tail) {
    ends = static_cast<std::uint8_t>((ends >> kEnds << kEnds) | (head ? kHead : 0) | (tail ? kTail : 0));
  }
  void set_via(Waypoint via) {
    via_low = static_cast<std::uint16_t>(via.code());
    ends = static_cast<std::uint8_t>((ends & (kHead | kTail)) | via.code() >> kLowBits << kEnds);
  }

 private:
  static constexpr std::uint8_t kHead = 1;
  static constexpr std::uint8_t kTail = 2;
  static constexpr unsigned kEnds = 2;
  static constexpr unsigned kLowBits = 16;
  static constexpr unsigned kHighBits = 8 - kEnds;
  static_assert(std::uint32_t{Geometry::kMostCores} < 1U << (kLowBits + kHighBits));
};

static_assert(sizeof(FlitEvent) == 8 && std::has_unique_object_representations_v<FlitEvent>);

}  // namespace ouro::wafer

OURO_ARCHIVE_AS_BYTES(ouro::wafer::LinkVc);
OURO_ARCHIVE_AS_BYTES(ouro::wafer::CoreId);
OURO_ARCHIVE_AS_BYTES(ouro::wafer::Waypoint);
