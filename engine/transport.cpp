#include "engine/transport.hpp"

#include <utility>

#include "engine/byte_archive.hpp"

namespace ouro::engine {
namespace {

constexpr int kBatchTag = 1;

}  // namespace

Transport::~Transport() {
  for (auto& sending : sending_) MPI_Wait(&sending.request, MPI_STATUS_IGNORE);
}

void Transport::forget_sent() {
  while (!sending_.empty()) {
    int done = 0;
    MPI_Test(&sending_.front().request, &done, MPI_STATUS_IGNORE);
    if (done == 0) return;
    spare_.push_back(std::move(sending_.front().bytes));
    sending_.pop_front();
  }
}

void Transport::send(int peer, const Statement& statement, std::vector<Event>& events) {
  std::span<const Event> rest{events};
  while (rest.size() > most_events_) {
    send_part(peer, statement, rest.first(most_events_), true);
    rest = rest.subspan(most_events_);
  }
  send_part(peer, statement, rest, false);
  events.clear();
}

void Transport::send_part(int peer, const Statement& statement, std::span<const Event> events, bool more) {
  forget_sent();
  auto& sending = sending_.emplace_back();
  if (!spare_.empty()) {
    sending.bytes = std::move(spare_.back());
    spare_.pop_back();
    sending.bytes.clear();
  }
  ByteWriter archive{sending.bytes};
  const std::uint64_t count = events.size();
  archive << more << count;
  if (!more) archive << statement;
  archive << boost::serialization::make_array(events.data(), events.size());
  MPI_Isend(sending.bytes.data(), static_cast<int>(sending.bytes.size()), MPI_BYTE, peer, kBatchTag, comm_,
            &sending.request);
  ++messages_sent_;
  bytes_sent_ += sending.bytes.size();
}

bool Transport::try_receive(int peer, Batch& batch) {
  int found = 0;
  MPI_Message message = MPI_MESSAGE_NULL;
  MPI_Status status;
  MPI_Improbe(peer, kBatchTag, comm_, &found, &message, &status);
  if (found == 0) return false;
  batch.events.clear();
  while (unpack(message, status, batch)) MPI_Mprobe(batch.source, kBatchTag, comm_, &message, &status);
  return true;
}

/// Adds a message to its batch.
/// @return  whether the batch has more
bool Transport::unpack(MPI_Message message, const MPI_Status& status, Batch& batch) {
  int bytes = 0;
  MPI_Get_count(&status, MPI_BYTE, &bytes);
  incoming_.resize(static_cast<std::size_t>(bytes));
  MPI_Mrecv(incoming_.data(), bytes, MPI_BYTE, &message, MPI_STATUS_IGNORE);
  ++messages_received_;
  bytes_received_ += incoming_.size();

  ByteReader archive{incoming_};
  bool more = false;
  std::uint64_t count = 0;
  archive >> more >> count;
  batch.source = status.MPI_SOURCE;
  if (!more) archive >> batch.statement;
  const auto before = batch.events.size();
  batch.events.resize(before + count);
  archive >> boost::serialization::make_array(batch.events.data() + before, count);
  return more;
}

}  // namespace ouro::engine
