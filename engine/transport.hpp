#pragma once

#include <mpi.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/event.hpp"

namespace ouro::engine {

/// Batches of events between ranks: one MPI message a batch, serialized by Boost.Serialization.
///
/// Batches of one sender arrive in the order in which they were sent.
class Transport {
 public:
  explicit Transport(MPI_Comm comm) : comm_{comm} {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  ~Transport();

  /// Starts to send `events`, which may be none, and empties them.
  void send(int peer, std::vector<Event>& events);

  /// Waits for the next batch of `peer`.
  std::vector<Event> receive(int peer);

  std::uint64_t messages_sent() const { return messages_sent_; }
  std::uint64_t messages_received() const { return messages_received_; }
  std::uint64_t bytes_sent() const { return bytes_sent_; }
  std::uint64_t bytes_received() const { return bytes_received_; }

 private:
  struct Sending {
    std::string bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  void forget_sent();

  MPI_Comm comm_;
  std::deque<Sending> sending_;  // a deque never moves what MPI still reads
  std::vector<std::string> spare_;
  std::uint64_t messages_sent_ = 0;
  std::uint64_t messages_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
};

}  // namespace ouro::engine
