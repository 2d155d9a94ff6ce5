#pragma once

#include <mpi.h>

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "engine/event.hpp"

namespace ouro::engine {

/// What a rank says of itself with each batch of events. See NullMessageProtocol.
struct Statement {
  /// The receiver gets no event before this time, but for what follows from batches of its own that are not
  /// yet `received`.
  Time promise{};
  std::uint64_t received = 0;  ///< batches of the receiver that the sender has taken in
  std::uint64_t done = 0;      ///< 1: the last batch before a common stop
};

struct Batch {
  int source = 0;
  Statement statement;
  std::vector<Event> events;
};

/// Carries batches of events between ranks. Those of one sender arrive in the order in which they were sent.
class Courier {
 public:
  Courier() = default;
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;
  virtual ~Courier() = default;

  /// Starts to send `events`, which may be none, and empties them.
  virtual void send(int peer, const Statement& statement, std::vector<Event>& events) = 0;

  /// Takes in the next batch of any rank, if one has come.
  /// @param batch  where it goes; its vector is used again
  virtual bool try_receive(Batch& batch) = 0;
};

/// Batches over MPI, serialized by Boost.Serialization. A batch is one MPI message, or several where it has
/// more events than one may carry.
class Transport final : public Courier {
 public:
  /// What an MPI message can carry: its length is an int.
  static constexpr std::size_t kMostEventsOfMessage = (std::size_t{1} << 30) / sizeof(Event);

  /// @param most_events  of one MPI message
  explicit Transport(MPI_Comm comm, std::size_t most_events = kMostEventsOfMessage)
      : comm_{comm}, most_events_{most_events} {}
  ~Transport() override;

  void send(int peer, const Statement& statement, std::vector<Event>& events) override;
  bool try_receive(Batch& batch) override { return try_receive(MPI_ANY_SOURCE, batch); }

  /// Takes in the next batch of `peer`, if one has come.
  bool try_receive(int peer, Batch& batch);

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
  void send_part(int peer, const Statement& statement, std::span<const Event> events, bool more);
  bool unpack(MPI_Message message, const MPI_Status& status, Batch& batch);

  MPI_Comm comm_;
  std::size_t most_events_;
  std::deque<Sending> sending_;  // a deque never moves what MPI still reads
  std::vector<std::string> spare_;
  std::string incoming_;
  std::uint64_t messages_sent_ = 0;
  std::uint64_t messages_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
};

}  // namespace ouro::engine

BOOST_IS_BITWISE_SERIALIZABLE(ouro::engine::Statement)
