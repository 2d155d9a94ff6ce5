#pragma once

#include <cstdint>
#include <vector>

#include "engine/state_archive.hpp"

namespace ouro::wafer {

/// A packet of one die; a number is used again once the packet's tail has left.
using PacketSlot = std::uint32_t;

/// What is known of the packets of one die, by their slots.
template <class Packet>
class PacketSlots {
 public:
  PacketSlot keep(const Packet& packet) {
    if (free_.empty()) {
      packets_.push_back(packet);
      return static_cast<PacketSlot>(packets_.size() - 1);
    }
    const auto slot = free_.back();
    free_.pop_back();
    packets_[slot] = packet;
    return slot;
  }
  /// The packet stays readable until the next keep().
  void release(PacketSlot slot) { free_.push_back(slot); }

  Packet& operator[](PacketSlot slot) { return packets_[slot]; }
  const Packet& operator[](PacketSlot slot) const { return packets_[slot]; }
  bool empty() const { return free_.size() == packets_.size(); }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [packets, free] = *this;
    engine::archive_fields(archive, packets, free);
  }

 private:
  std::vector<Packet> packets_;
  std::vector<PacketSlot> free_;
};

}  // namespace ouro::wafer
