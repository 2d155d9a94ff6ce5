#include <gtest/gtest.h>
#include <sched.h>

#include <utility>
#include <vector>

#include "engine/mpi.hpp"
#include "engine/transport.hpp"
#include "tests/mpi_ranks.hpp"

namespace ouro::tests {
namespace {

using engine::Batch;
using engine::Duration;
using engine::Event;
using engine::LpId;
using engine::Statement;
using engine::Time;
using engine::Transport;

constexpr std::size_t kMostEvents = 3;  // of a message

/// The events of the `batch`-th batch of `rank`.
std::vector<Event> make_events(int rank, std::uint64_t batch, std::size_t count) {
  std::vector<Event> events;
  for (std::uint64_t i = 0; i < count; ++i) {
    Event event{Time{Duration{100 * batch + i}}, LpId{7}, LpId{static_cast<std::uint32_t>(rank)}, i, {}};
    event.set(std::uint64_t{1} << (batch + i));
    events.push_back(event);
  }
  return events;
}

Statement make_statement(int rank, std::uint64_t batch) {
  return {Time{Duration{1000 * (rank + 1)}}, batch, batch % 2};
}

void send(Transport& transport, int peer, int rank, std::uint64_t batch, std::size_t count) {
  auto events = make_events(rank, batch, count);
  transport.send(peer, make_statement(rank, batch), events);
  EXPECT_TRUE(events.empty());
}

void expect_batch(const Batch& batch, int source, std::uint64_t number, std::size_t count) {
  SCOPED_TRACE(testing::Message() << "batch " << number << " of rank " << source);
  EXPECT_EQ(batch.source, source);
  const auto statement = make_statement(source, number);
  EXPECT_EQ(batch.statement.promise, statement.promise);
  EXPECT_EQ(batch.statement.received, statement.received);
  EXPECT_EQ(batch.statement.done, statement.done);
  const auto events = make_events(source, number, count);
  ASSERT_EQ(batch.events.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(batch.events[i].time, events[i].time);
    EXPECT_EQ(batch.events[i].to, events[i].to);
    EXPECT_EQ(batch.events[i].from, events[i].from);
    EXPECT_EQ(batch.events[i].sequence, events[i].sequence);
    EXPECT_EQ(batch.events[i].payload, events[i].payload);
  }
}

void receive(Transport& transport, int peer, Batch& batch) {
  while (!transport.try_receive(peer, batch)) sched_yield();
}

TEST(Transport, CarriesABatchOfManyMessagesWholeAndInOrder) {
  const auto comm = first_ranks(2);
  if (!comm) return;  // this rank sits the case out
  Transport transport{*comm, kMostEvents};
  const std::vector<std::pair<std::size_t, std::uint64_t>> messages_of{
      {1, 1}, {3, 1}, {4, 2}, {6, 2}, {10, 4}};
  std::uint64_t expected = 0, number = 0;
  Batch batch;
  for (const auto& [events, messages] : messages_of) {
    if (engine::mpi_rank(*comm) == 0) {
      send(transport, 1, 0, number, events);
    } else {
      receive(transport, 0, batch);
      expect_batch(batch, 0, number, events);
    }
    ++number;
    expected += messages;
  }
  EXPECT_EQ(transport.messages_sent() + transport.messages_received(), expected);
}

TEST(Transport, CarriesTheStatementOfAnEmptyBatch) {
  const auto comm = first_ranks(2);
  if (!comm) return;  // this rank sits the case out
  Transport transport{*comm, kMostEvents};
  const int rank = engine::mpi_rank(*comm), peer = 1 - rank;
  send(transport, peer, rank, 3, 0);
  Batch batch;
  batch.events = make_events(9, 9, 2);  // of an earlier batch
  receive(transport, peer, batch);
  expect_batch(batch, peer, 3, 0);
}

TEST(Transport, KeepsManyBatchesInFlightInBothDirections) {
  constexpr std::uint64_t kBatches = 20;
  const auto comm = first_ranks(2);
  if (!comm) return;  // this rank sits the case out
  Transport transport{*comm, kMostEvents};
  const int rank = engine::mpi_rank(*comm), peer = 1 - rank;
  for (std::uint64_t i = 0; i < kBatches; ++i) send(transport, peer, rank, i, i);
  Batch batch;
  for (std::uint64_t i = 0; i < kBatches; ++i) {
    receive(transport, peer, batch);
    expect_batch(batch, peer, i, i);
  }
  EXPECT_FALSE(transport.try_receive(peer, batch));
  EXPECT_EQ(transport.bytes_sent(), transport.bytes_received());
}

TEST(Transport, AnswersWhileItsOwnBatchesAreUnderWay) {
  constexpr std::uint64_t kRounds = 8;
  const auto comm = first_ranks(2);
  if (!comm) return;  // this rank sits the case out
  Transport transport{*comm, kMostEvents};
  const int rank = engine::mpi_rank(*comm), peer = 1 - rank;
  Batch batch;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    send(transport, peer, rank, 2 * round, 7);
    send(transport, peer, rank, 2 * round + 1, round);
    receive(transport, peer, batch);
    expect_batch(batch, peer, 2 * round, 7);
    receive(transport, peer, batch);
    expect_batch(batch, peer, 2 * round + 1, round);
  }
}

TEST(Transport, NeverMixesTheMessagesOfTwoSenders) {
  constexpr std::uint64_t kBatches = 6;
  const auto comm = first_ranks(3);
  if (!comm) return;  // this rank sits the case out
  Transport transport{*comm, kMostEvents};
  const int rank = engine::mpi_rank(*comm);
  if (rank != 0) {
    for (std::uint64_t i = 0; i < kBatches; ++i) send(transport, 0, rank, i, 10);
    return;
  }
  std::vector<std::uint64_t> next(3);
  Batch batch;
  for (std::uint64_t i = 0; i < 2 * kBatches; ++i) {
    while (!transport.try_receive(batch)) sched_yield();
    expect_batch(batch, batch.source, next[static_cast<std::size_t>(batch.source)]++, 10);
  }
  EXPECT_EQ(next, (std::vector<std::uint64_t>{0, kBatches, kBatches}));
}

}  // namespace
}  // namespace ouro::tests
