#include "engine/stall_watch.hpp"

#include <fmt/format.h>

#include <vector>

#include "engine/error.hpp"
#include "engine/mpi.hpp"

namespace ouro::engine {
namespace {

constexpr int kQuestionTag = 2;
constexpr int kAnswerTag = 3;
constexpr double kSecondsForAnswers = 5;

}  // namespace

StallWatch::StallWatch(MPI_Comm comm, std::function<std::string()> describe, double limit_seconds)
    : comm_{comm}, describe_{std::move(describe)}, limit_{limit_seconds}, since_{MPI_Wtime()} {}

void StallWatch::look_closely(std::uint64_t progress) {
  answer();
  const double now = MPI_Wtime();
  if (progress != progress_) {
    progress_ = progress;
    since_ = now;
  } else if (now - since_ > limit_) {
    end_the_run();
  }
}

/// Tells a rank that asks where this one stands.
void StallWatch::answer() {
  int asked = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, kQuestionTag, comm_, &asked, &status);
  if (asked == 0) return;
  MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, kQuestionTag, comm_, MPI_STATUS_IGNORE);
  const auto state = describe_();
  MPI_Send(state.data(), static_cast<int>(state.size()), MPI_BYTE, status.MPI_SOURCE, kAnswerTag, comm_);
}

void StallWatch::end_the_run() {
  const int ranks = mpi_size(comm_), me = mpi_rank(comm_);
  std::vector<std::string> states(static_cast<std::size_t>(ranks), "does not answer: it is busy or dead");
  states[static_cast<std::size_t>(me)] = describe_();
  for (int rank = 0; rank < ranks; ++rank) {
    if (rank != me) MPI_Send(nullptr, 0, MPI_BYTE, rank, kQuestionTag, comm_);
  }
  int missing = ranks - 1;
  for (const double start = MPI_Wtime(); missing > 0 && MPI_Wtime() - start < kSecondsForAnswers;) {
    answer();  // others may ask at the same time
    int come = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, kAnswerTag, comm_, &come, &status);
    if (come == 0) continue;
    int bytes = 0;
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    auto& state = states[static_cast<std::size_t>(status.MPI_SOURCE)];
    state.resize(static_cast<std::size_t>(bytes));
    MPI_Recv(state.data(), bytes, MPI_BYTE, status.MPI_SOURCE, kAnswerTag, comm_, MPI_STATUS_IGNORE);
    --missing;
  }
  std::string message = fmt::format("no event was handled for {} s:", limit_);
  for (int rank = 0; rank < ranks; ++rank)
    message += fmt::format("\n  rank {}: {}", rank, states[static_cast<std::size_t>(rank)]);
  throw ContractError{message};
}

}  // namespace ouro::engine
