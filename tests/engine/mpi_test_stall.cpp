#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/synchronizer.hpp"
#include "tests/mpi_ranks.hpp"

namespace ouro::tests {
namespace {

using namespace std::chrono_literals;
using engine::Event;
using engine::LpId;
using engine::Scheduler;
using engine::SynchronizerKind;
using engine::Time;

constexpr int kStopTag = 0;

struct Ping {
  std::uint64_t number;
};

/// The test has seen what it wanted.
class Stopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// LP 0 wakes LP 1 at 1 ns and waits for its own event at 10 ns. LP 1 then sends to itself without delay, for
/// ever, until a message on `signals` throws it out.
class LivelockLp final : public engine::LogicalProcess {
 public:
  LivelockLp(LpId id, MPI_Comm signals) : id_{id}, signals_{signals} {}

  std::string name() const override { return "livelock " + std::to_string(id_.value()); }
  engine::Channels channels() const override { return {{{LpId{1 - id_.value()}, 1ns}}, {}}; }

  void start(Scheduler& scheduler) override {
    if (id_ == LpId{1}) return;
    scheduler.send(LpId{1}, 1ns, Ping{0});
    scheduler.send(id_, 10ns, Ping{0});
  }

  void handle(const Event& event, Scheduler& scheduler) override {
    if (id_ == LpId{0}) return;
    const auto number = event.as<Ping>().number;
    if (number % kEventsBetweenLooks == 0) look_for_signal();
    scheduler.send(id_, 0ns, Ping{number + 1});
  }

 private:
  static constexpr std::uint64_t kEventsBetweenLooks = 4096;

  void look_for_signal() const {
    int come = 0;
    MPI_Iprobe(0, kStopTag, signals_, &come, MPI_STATUS_IGNORE);
    if (come == 0) return;
    MPI_Recv(nullptr, 0, MPI_BYTE, 0, kStopTag, signals_, MPI_STATUS_IGNORE);
    throw Stopped{"the other rank has ended its run"};
  }

  LpId id_;
  MPI_Comm signals_;
};

/// @return  how the run ended here; nothing if it ended well. Rank 0 tells rank 1 when its own has ended.
std::optional<std::string> run_livelock(MPI_Comm comm, MPI_Comm signals, SynchronizerKind kind) {
  const int rank = engine::mpi_rank(comm);
  std::optional<std::string> end;
  try {
    engine::Region region{
        rank, 2, {0, 1}, [&](LpId id) { return std::make_unique<LivelockLp>(id, signals); }};
    engine::make_synchronizer(comm, region, {.kind = kind, .stall_limit_seconds = 1})->run_until(Time{20ns});
  } catch (const engine::ContractError& error) {
    end = error.what();
  } catch (const Stopped& stopped) {
    end = stopped.what();
  }
  if (rank == 0) MPI_Send(nullptr, 0, MPI_BYTE, 1, kStopTag, signals);
  return end;
}

void expect_line(const std::string& message, const std::string& rank, const std::string& state) {
  const auto begin = message.find("\n  " + rank + ": ");
  ASSERT_NE(begin, std::string::npos) << "no line for " << rank << " in: " << message;
  const auto line = message.substr(begin + 1, message.find('\n', begin + 1) - begin - 1);
  EXPECT_NE(line.find(state), std::string::npos) << "no '" << state << "' in: " << line;
}

void expect_the_state_of_both_ranks(MPI_Comm comm, MPI_Comm signals, SynchronizerKind kind) {
  const auto end = run_livelock(comm, signals, kind);
  ASSERT_TRUE(end) << "the run ended";
  if (engine::mpi_rank(comm) == 1) {
    EXPECT_EQ(*end, "the other rank has ended its run");
    return;
  }
  EXPECT_EQ(end->substr(0, end->find('\n')), "no event was handled for 1 s:");
  const bool here = kind == SynchronizerKind::window;
  expect_line(*end, "rank 0", here ? "next event here at 10000 ps" : "next event at 10000 ps");
  expect_line(*end, "rank 1", here ? "next event here at 1000 ps" : "next event at 1000 ps");
  if (!here) expect_line(*end, "rank 0", "nothing from it before 2000 ps; blocked by rank 1");
}

TEST(Stall, OfNeighboursEndsTheRunOfTheOneThatWaitsWithTheStateOfBoth) {
  const auto comm = first_ranks(2), signals = first_ranks(2);
  if (!comm) return;  // this rank sits the case out
  expect_the_state_of_both_ranks(*comm, *signals, SynchronizerKind::null_message);
  MPI_Barrier(*signals);
}

TEST(Stall, OfAWindowEndsTheRunOfTheRankThatWaitsWithTheStateOfBoth) {
  const auto signals = first_ranks(2);
  if (!signals) return;  // this rank sits the case out
  // Never freed: rank 0 leaves its run in the middle of an all-reduce, which rank 1 never joins.
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_dup(*signals, &comm);
  expect_the_state_of_both_ranks(comm, *signals, SynchronizerKind::window);
  MPI_Barrier(*signals);
}

}  // namespace
}  // namespace ouro::tests
