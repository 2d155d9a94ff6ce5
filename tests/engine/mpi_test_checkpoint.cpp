#include <gtest/gtest.h>

#include <map>
#include <string>

#include "engine/digest.hpp"
#include "engine/error.hpp"
#include "tests/engine/phold_run.hpp"
#include "tests/mpi_ranks.hpp"

namespace ouro::tests {
namespace {

using engine::LpId;
using engine::Region;
using engine::SynchronizerKind;
using engine::Time;

const PholdConfig kPhold{.objects = 48, .start_events = 2, .remote = 0.3};

/// The states of all LPs, on every rank. Collective.
std::map<LpId, std::string> gather_states(MPI_Comm comm, const Region& region) {
  std::map<LpId, std::string> own, all;
  region.save([&](LpId id, std::string bytes) { own[id] = std::move(bytes); });
  for (std::uint32_t i = 0; i < region.placement().size(); ++i) {
    auto& bytes = all[LpId{i}];
    const int owner = region.placement()[i];
    if (owner == region.rank()) bytes = own.at(LpId{i});
    auto size = bytes.size();
    MPI_Bcast(&size, 1, MPI_UINT64_T, owner, comm);
    bytes.resize(size);
    MPI_Bcast(bytes.data(), static_cast<int>(size), MPI_BYTE, owner, comm);
  }
  return all;
}

Region make_region(MPI_Comm comm, const engine::SavedState& saved = {}) {
  const int ranks = engine::mpi_size(comm);
  return {engine::mpi_rank(comm),
          ranks,
          in_blocks(kPhold.objects, ranks),
          [](LpId id) { return std::make_unique<PholdLp>(kPhold, id); },
          {.saved = saved}};
}

struct Way {
  int before;
  SynchronizerKind kind_before;
  int after;
  SynchronizerKind kind_after;
};

class PholdThatGoesOn : public ::testing::TestWithParam<Way> {};

TEST_P(PholdThatGoesOn, EndsAsIfItHadNotStopped) {
  const auto [before, kind_before, after, kind_after] = GetParam();
  std::map<LpId, std::string> states;
  if (const auto comm = first_ranks(before)) {
    auto region = make_region(*comm);
    engine::make_synchronizer(*comm, region, {.kind = kind_before})
        ->run_until(Time{(kPhold.end - Time{}) / 3});
    states = gather_states(*comm, region);
  }
  if (before < engine::mpi_size(MPI_COMM_WORLD)) {  // all that sat it out need the states, too
    for (std::uint32_t i = 0; i < kPhold.objects; ++i) {
      auto& bytes = states[LpId{i}];
      auto size = bytes.size();
      MPI_Bcast(&size, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
      bytes.resize(size);
      MPI_Bcast(bytes.data(), static_cast<int>(size), MPI_BYTE, 0, MPI_COMM_WORLD);
    }
  }
  const auto comm = first_ranks(after);
  if (!comm) return;
  auto region = make_region(*comm, [&](LpId id) { return states.at(id); });
  engine::make_synchronizer(*comm, region, {.kind = kind_after})->run_until(kPhold.end);
  const auto verdict = engine::verify_run(*comm, region);
  const auto expected = run_phold(*comm, kPhold, in_blocks(kPhold.objects, after));
  EXPECT_EQ(verdict.digest, expected.digest);
  EXPECT_EQ(verdict.events, expected.events);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, PholdThatGoesOn,
    ::testing::Values(Way{1, SynchronizerKind::window, 3, SynchronizerKind::window},
                      Way{3, SynchronizerKind::window, 2, SynchronizerKind::null_message},
                      Way{4, SynchronizerKind::null_message, 1, SynchronizerKind::window},
                      Way{3, SynchronizerKind::null_message, 4, SynchronizerKind::null_message}));

TEST(Replicas, WithStatesThatDifferEndTheRun) {
  const auto comm = first_ranks(3);
  if (!comm) return;
  EXPECT_NO_THROW(engine::check_copies(*comm, LpId{0}, "hold", engine::digest_of("state")));
  const bool is_last = engine::mpi_rank(*comm) == 2;
  EXPECT_THROW(engine::check_copies(*comm, LpId{0}, "hold", engine::digest_of(is_last ? "other" : "state")),
               engine::ContractError);
}

}  // namespace
}  // namespace ouro::tests
