#pragma once

#include <cstdint>
#include <vector>

#include "engine/state_archive.hpp"
#include "wafer/geometry.hpp"
#include "wafer/multicast.hpp"

namespace ouro::wafer {

/// A packet that a core sent.
struct SentPacket {
  engine::Time created{};  ///< in the output buffer of its core
  std::uint32_t from = 0;  ///< CoreId
  std::uint32_t to = 0;    ///< CoreId
  std::uint64_t flits = 0;
};

}  // namespace ouro::wafer

OURO_ARCHIVE_AS_BYTES(ouro::wafer::SentPacket);

namespace ouro::wafer {

/// The simulated time in which packets are recorded; none if `until` is not after `from`.
struct RecordWindow {
  engine::Time from{};
  engine::Time until{};
  bool is_empty() const { return until <= from; }
};

/// What the cores of one die send to others during a window of time, for `ouroboros noc` to send again.
///
/// A study of the network has no multicasts: one is recorded as a packet to each end of its tree. So links on
/// which the ways to several ends lie together get more to carry than they had. Packets to and from the host
/// are left out.
class PacketRecord {
 public:
  explicit PacketRecord(RecordWindow window = {}) : window_{window} {}

  void sent(engine::Time now, CoreId from, CoreId to, int flits) {
    if (contains(now)) add(now, from, to, flits);
  }
  void sent(engine::Time now, const MulticastTree& tree, int flits) {
    if (!contains(now)) return;
    for (const auto end : tree.ends()) add(now, tree.source(), end, flits);
  }

  /// In the order of sending.
  const std::vector<SentPacket>& packets() const { return packets_; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [window, packets] = *this;
    engine::archive_fields(archive, packets);
  }

 private:
  bool contains(engine::Time now) const { return now >= window_.from && now < window_.until; }
  void add(engine::Time now, CoreId from, CoreId to, int flits) {
    packets_.push_back({now, from.value(), to.value(), static_cast<std::uint64_t>(flits)});
  }

  RecordWindow window_;
  std::vector<SentPacket> packets_;
};

}  // namespace ouro::wafer
