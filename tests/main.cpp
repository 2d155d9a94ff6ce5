#include <gtest/gtest.h>
#include <mpi.h>

#include <iostream>
#include <sstream>
#include <string>

#include "engine/mpi.hpp"

namespace ouro::tests {
namespace {

/// The ranks where a flag is set, as "0, 2". Collective.
std::string ranks_where(bool flag) {
  const auto flags = engine::mpi_gather_all(MPI_COMM_WORLD, flag ? 1 : 0);
  std::string ranks;
  for (std::size_t rank = 0; rank < flags.size(); ++rank) {
    if (flags[rank] != 0) ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
  }
  return ranks;
}

/// Ends each test on all ranks together, and what fails on one rank fails on all. Stands in for GoogleTest's
/// printer on ranks other than 0, with the failures of the rank only.
class RankListener final : public testing::EmptyTestEventListener {
 public:
  explicit RankListener(int rank) : rank_{rank} {}

 private:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (rank_ == 0 || elsewhere_ || !result.failed()) return;
    std::ostringstream message;  // one write, since the ranks share the terminal
    message << "[rank " << rank_ << "] " << result << '\n';
    std::cerr << message.str() << std::flush;
  }

  void OnTestEnd(const testing::TestInfo& test) override {
    const std::string ranks = ranks_where(test.result()->Failed());
    if (ranks.empty() || test.result()->Failed()) return;
    elsewhere_ = true;
    ADD_FAILURE_AT(test.file(), test.line()) << "failed on rank " << ranks;
    elsewhere_ = false;
  }

  int rank_;
  bool elsewhere_ = false;  // the failure is another rank's, which has told it
};

int run_all_tests() {
  const int rank = engine::mpi_rank(MPI_COMM_WORLD);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (rank != 0) {
    delete listeners.Release(listeners.default_result_printer());
    delete listeners.Release(listeners.default_xml_generator());
  }
  // The last listener hears of a test's end first, so that the printer counts what this one adds.
  listeners.Append(new RankListener{rank});
  return static_cast<int>(engine::mpi_reduce_all(MPI_COMM_WORLD, RUN_ALL_TESTS(), MPI_MAX));
}

}  // namespace
}  // namespace ouro::tests

int main(int argc, char** argv) {
  const ouro::engine::MpiSession session{argc, argv};
  testing::InitGoogleTest(&argc, argv);
  return ouro::tests::run_all_tests();
}
