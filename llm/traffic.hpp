#pragma once

#include <cstdint>

#include "engine/state_archive.hpp"

namespace ouro::llm {

/// Packets between cores, and to and from the host; a multicast counts once for each destination.
struct Traffic {
  std::int64_t packets_sent = 0;
  std::int64_t packets_received = 0;
  std::int64_t flits_sent = 0;
  std::int64_t flits_received = 0;
  std::int64_t packets_discarded = 0;  ///< after a failure, on their way
  std::int64_t flits_discarded = 0;

  void sent(std::int64_t flits, std::int64_t packets = 1) {
    packets_sent += packets;
    flits_sent += packets * flits;
  }
  void received(std::int64_t flits, std::int64_t packets = 1) {
    packets_received += packets;
    flits_received += packets * flits;
  }
  void discarded(std::int64_t flits, std::int64_t packets = 1) {
    packets_discarded += packets;
    flits_discarded += packets * flits;
  }
  Traffic& operator+=(const Traffic& other) {
    packets_sent += other.packets_sent;
    packets_received += other.packets_received;
    flits_sent += other.flits_sent;
    flits_received += other.flits_received;
    packets_discarded += other.packets_discarded;
    flits_discarded += other.flits_discarded;
    return *this;
  }
};

}  // namespace ouro::llm

OURO_ARCHIVE_AS_BYTES(ouro::llm::Traffic);
