#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "wafer/die_links.hpp"
#include "wafer/geometry.hpp"
#include "wafer/routing.hpp"

namespace ouro::wafer {

/// One link of a multicast tree.
struct MulticastStep {
  enum class End : std::uint8_t {
    router,    ///< of the same die: later steps go on from there
    core,      ///< a destination
    crossing,  ///< the next die
    wafer      ///< the next die, on another wafer
  };
  std::uint16_t link = 0;   ///< number within the die
  std::int16_t parent = 0;  ///< step that leads here, before this one; -1 if the segment begins here
  End end = End::router;
  std::uint32_t target = 0;  ///< core: its CoreId; crossing, wafer: the segment that begins there
};

/// The part of a multicast tree in one die, from where it enters.
struct MulticastSegment {
  DieId die;
  std::vector<MulticastStep> steps;
};

/// A multicast along the ways to its destinations: one row from the source, columns from there.
///
/// Ways go together until they part, so that each destination gets one copy. Around faults, two that have
/// parted may meet again: then a link carries the packet twice. Segment 0 begins at the source's router.
class MulticastTree {
 public:
  /// Does not keep its arguments.
  MulticastTree(const Geometry& geometry, CoreId source, std::span<const CoreId> destinations,
                const Routing& routing = {});

  CoreId source() const { return source_; }
  const MulticastSegment& segment(std::uint32_t index) const { return segments_[index]; }
  /// Destinations behind the beginning of a segment.
  std::int64_t destinations_from(std::uint32_t segment) const;
  std::size_t segments() const { return segments_.size(); }
  /// The destinations beyond which the tree does not go on.
  std::vector<CoreId> ends() const;

 private:
  struct Branch {
    std::uint32_t segment;
    std::int16_t parent;
    Coordinate at;
  };
  struct Destination {
    CoreId core;
    Waypoint via;
  };
  struct Wafer {
    const Geometry& geometry;
    const Routing& routing;
  };
  void grow(const Wafer& wafer, Branch from, std::vector<Destination> destinations);
  Branch cross_link(const Geometry& geometry, Branch from, Direction direction);
  std::int16_t add_step(Branch from, int link, MulticastStep::End end, std::uint32_t target);

  CoreId source_;
  std::vector<MulticastSegment> segments_;
};

}  // namespace ouro::wafer
