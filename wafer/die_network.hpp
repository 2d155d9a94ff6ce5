#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/state_archive.hpp"
#include "wafer/multicast.hpp"
#include "wafer/noc_model.hpp"
#include "wafer/travel.hpp"

namespace ouro::wafer {

/// Where a packet's way through one die ends.
struct Onward {
  enum class To { core, die, host };
  To to = To::core;
  CoreId core;          ///< the destination, or the core whose router it enters next
  DieId die;            ///< of `core`
  engine::Time time{};  ///< core, host: its tail is there; die: its head is at the router
  Waypoint via{};       ///< die, not a multicast: where its way turns next
};

/// The links of one die at `packet` fidelity: each remembers until when it is taken.
///
/// A packet takes all its links in this die when it enters: each as soon as its head is there and those whose
/// heads were there before have passed, for as many cycles as it has flits. Where links are already promised
/// to packets whose heads come later, it takes the first gap that is long enough. Buffers between links are
/// not bounded, so a waiting packet does not hold the links behind it (as in virtual cut-through), and
/// packets do not share a link flit by flit.
class DieNetwork {
 public:
  /// Keeps references.
  DieNetwork(const Geometry& geometry, const NocModel& model, DieId die);

  /// From the output buffer of a core of this die.
  /// @param to     a core, or Geometry::host_id()
  /// @param ready  when the packet lies in the buffer
  Onward inject(CoreId from, CoreId to, int flits, engine::Time ready, Travel& travel);

  /// From a neighbouring die or the host.
  /// @param head  when the head is at the router of `at`
  /// @param via   as Onward said; from the host, what Routing says
  Onward enter(CoreId at, CoreId to, int flits, engine::Time head, Travel& travel, Waypoint via = {});

  /// The source's part of a multicast. With repeated unicast, a packet that waits for those before it at its
  /// core takes links only when its head is at the first router: the return value says when to enter()
  /// segment 0. Otherwise what comes from elsewhere would find a train of packets without a gap ahead of it,
  /// and go behind the last.
  /// @return  what leaves the tree in this die; valid until the next call
  std::span<const Onward> inject(const MulticastTree& tree, int flits, engine::Time ready, Travel& travel);

  /// The part of a multicast that begins at a segment of this die. For a crossing, `Onward::core` is the
  /// number of the next segment.
  std::span<const Onward> enter(const MulticastTree& tree, std::uint32_t segment, int flits,
                                engine::Time head, Travel& travel);

  /// What has been sent up to now is at the end of its way through this die, or at the next one's border, not
  /// later than this.
  engine::Time quiet_from() const;

  /// By core of the die and port.
  const LinkUse& use(int core, int port) const { return links_[numbers_.number(core, port)].use; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [geometry, model, die, corner, north, south, numbers, links, earlier, now, heads, onward] = *this;
    engine::archive_fields(archive, links, earlier, now);
  }

 private:
  /// Packets that take a link one right after another.
  struct Turn {
    engine::Time head{};   // of the one that is there first: when
    engine::Time begin{};  // the first leaves
    engine::Time end{};    // the link is free again

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [first, start, free] = *this;
      engine::archive_fields(archive, first, start, free);
    }
  };
  struct Link {
    Turn last;
    LinkUse use;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [newest, counts] = *this;
      engine::archive_fields(archive, newest, counts);
    }
  };
  using Turns = boost::container::small_vector<Turn, 2>;  // two without an allocation
  /// @return when the head starts over the link
  engine::Time take(std::size_t link, engine::Time head, int flits) {
    return take(link, head, flits, flits * model_.cycle);
  }
  /// @param length  for which the packet takes the link
  engine::Time take(std::size_t link, engine::Time head, int flits, engine::Duration length);
  void keep_last(std::size_t link);
  void forget_ended(Turns& turns) const;
  engine::Time take_gap(std::size_t link, engine::Time head, engine::Duration length);
  /// Crosses `hops` links in a row, the first of them out of the router where `head` is.
  engine::Time cross(std::size_t first_link, int step, int hops, int flits, engine::Time head);
  /// A packet's head, and where it is: beyond the border when it has left the die.
  struct Head {
    Coordinate at;
    engine::Time time;
  };
  Onward walk(Head head, CoreId to, Waypoint via, int flits, Travel& travel);
  std::span<const Onward> walk(const MulticastTree& tree, std::uint32_t segment, int flits, engine::Time head,
                               Travel& travel);
  void go_along_leg(Head& head, Coordinate target, int flits, Travel& travel);
  Onward leave_to_die(const Head& head, Waypoint via, int flits, Travel& travel);
  Onward leave_to_wafer(const Head& head, Direction direction, Waypoint via, int flits, Travel& travel);
  Onward eject(Coordinate at, int flits, engine::Time head);
  Onward leave_to_host(Coordinate at, int flits, engine::Time head, Travel& travel);
  engine::Time enter_first_router(CoreId from, int flits, engine::Time ready);
  bool contains(Coordinate at) const {
    return at.x >= corner_.x && at.x < corner_.x + geometry_.core_columns && at.y >= corner_.y &&
           at.y < corner_.y + geometry_.core_rows;
  }
  std::size_t link(Coordinate at, int port) const {
    return numbers_.number(at.x - corner_.x, at.y - corner_.y, port);
  }

  const Geometry& geometry_;
  const NocModel& model_;
  DieId die_;
  Coordinate corner_;  ///< its north-western core
  bool edge_north_;    ///< whether there is another wafer beyond its northern border
  bool edge_south_;
  DieLinks numbers_;
  // by link; apart, since one packet in ten needs the second
  std::vector<Link> links_;
  std::vector<Turns> earlier_;  // in order; all that are still to end, and perhaps others
  engine::Time now_{};          // when the packet that is being walked entered: later ones are not earlier
  std::vector<engine::Time> heads_;  // of a multicast's steps, while it is walked
  std::vector<Onward> onward_;
};

}  // namespace ouro::wafer
