#include "engine/verification.hpp"

#include <fmt/format.h>

#include "engine/error.hpp"
#include "engine/mpi.hpp"

namespace ouro::engine {

void check_copies(MPI_Comm comm, LpId lp, const char* what, std::uint64_t digest) {
  const auto digests = mpi_gather_all(comm, digest);
  for (std::size_t rank = 1; rank < digests.size(); ++rank) {
    if (digests[rank] == digests[0]) continue;
    throw ContractError{fmt::format(
        "the copies of LP {} differ in what they {}: digest {:016x} on rank 0, {:016x} on rank {}",
        lp.value(), what, digests[0], digests[rank], rank)};
  }
}

void check_replicas(MPI_Comm comm, const Region& region) {
  for (const auto& report : region.reports()) {
    if (!report.replicated) continue;
    check_copies(comm, report.id, "handled", report.digest);
    check_copies(comm, report.id, "sent", report.sent_digest);
  }
}

RunVerdict verify_run(MPI_Comm comm, const Region& region) {
  check_replicas(comm, region);
  RunVerdict verdict;
  for (const auto& report : region.reports()) {
    if (report.replicated && region.rank() != 0) continue;
    verdict.digest += digest_term(report.id, report.digest);
    verdict.events += report.events;
  }
  MPI_Allreduce(MPI_IN_PLACE, &verdict.digest, 1, MPI_UINT64_T, MPI_SUM, comm);
  MPI_Allreduce(MPI_IN_PLACE, &verdict.events, 1, MPI_UINT64_T, MPI_SUM, comm);
  return verdict;
}

}  // namespace ouro::engine
