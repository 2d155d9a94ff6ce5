// A batch of more than 2^31 bytes from rank 0 to rank 1, through Transport as the synchronizers use it.
//
//   mpirun -n 2 build/release/tests/large_batch_bench [millions of events]
//
// Needs about 9 GB of memory for the 34 million events, 2.2 GB, that it sends by default. Each event is
// checked where it arrives.

#include <fmt/core.h>
#include <mpi.h>
#include <sched.h>

#include <cstdlib>
#include <vector>

#include "engine/mpi.hpp"
#include "engine/transport.hpp"

namespace {

using namespace ouro::engine;

Event make_event(std::uint64_t number) {
  Event event{from_picoseconds(static_cast<std::int64_t>(number)), LpId{7}, LpId{3}, number, {}};
  event.set(number * 0x9e3779b97f4a7c15);
  return event;
}

bool is_right(const Event& event, std::uint64_t number) {
  const auto right = make_event(number);
  return event.time == right.time && event.to == right.to && event.from == right.from &&
         event.sequence == right.sequence && event.payload == right.payload;
}

void send(Transport& transport, std::uint64_t count) {
  std::vector<Event> events;
  events.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) events.push_back(make_event(i));
  transport.send(1, {.promise = from_picoseconds(42)}, events);
}

/// @return  events that are not what was sent
std::uint64_t receive(Transport& transport, std::uint64_t count) {
  Batch batch;
  while (!transport.try_receive(0, batch)) sched_yield();
  std::uint64_t wrong =
      batch.statement.promise == from_picoseconds(42) && batch.events.size() == count ? 0 : 1;
  for (std::uint64_t i = 0; i < batch.events.size(); ++i) wrong += is_right(batch.events[i], i) ? 0 : 1;
  return wrong;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::uint64_t kMillion = 1'000'000;
  const auto count = kMillion * (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 34);
  const MpiSession mpi{argc, argv};
  if (mpi_size(MPI_COMM_WORLD) != 2) {
    fmt::print(stderr, "needs two ranks\n");
    return 2;
  }
  std::uint64_t wrong = 0;
  {
    Transport transport{MPI_COMM_WORLD};
    const double begin = MPI_Wtime();
    if (mpi_rank(MPI_COMM_WORLD) == 0) {
      send(transport, count);
    } else {
      wrong = receive(transport, count);
      fmt::print("{} bytes in {} messages, {:.2f} s, {} events wrong\n", transport.bytes_received(),
                 transport.messages_received(), MPI_Wtime() - begin, wrong);
    }
  }
  return wrong == 0 ? 0 : 1;
}
