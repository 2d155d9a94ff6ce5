#include "engine/transport.hpp"

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/vector.hpp>
#include <limits>
#include <streambuf>

#include "engine/error.hpp"

namespace ouro::engine {
namespace {

constexpr int kBatchTag = 1;
constexpr auto kBare = boost::archive::no_header | boost::archive::no_codecvt;

/// Writes to the end of a string that it does not own.
class StringSink final : public std::streambuf {
 public:
  explicit StringSink(std::string& target) : target_{target} {}

 private:
  std::streamsize xsputn(const char* data, std::streamsize count) override {
    target_.append(data, static_cast<std::size_t>(count));
    return count;
  }
  int_type overflow(int_type c) override {
    target_.push_back(static_cast<char>(c));
    return c;
  }
  std::string& target_;
};

/// Reads from bytes that it does not own.
class StringSource final : public std::streambuf {
 public:
  explicit StringSource(std::string& bytes) { setg(bytes.data(), bytes.data(), bytes.data() + bytes.size()); }
};

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

void Transport::send(int peer, std::vector<Event>& events) {
  forget_sent();
  auto& sending = sending_.emplace_back();
  if (!spare_.empty()) {
    sending.bytes = std::move(spare_.back());
    spare_.pop_back();
    sending.bytes.clear();
  }
  if (!events.empty()) {
    StringSink sink{sending.bytes};
    boost::archive::binary_oarchive archive{sink, kBare};
    archive << events;
    events.clear();
  }
  if (sending.bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw ContractError{"a batch of events is above the 2 GiB that one MPI message carries"};
  }
  MPI_Isend(sending.bytes.data(), static_cast<int>(sending.bytes.size()), MPI_BYTE, peer, kBatchTag, comm_,
            &sending.request);
  ++messages_sent_;
  bytes_sent_ += sending.bytes.size();
}

std::vector<Event> Transport::receive(int peer) {
  MPI_Message message = MPI_MESSAGE_NULL;
  MPI_Status status;
  MPI_Mprobe(peer, kBatchTag, comm_, &message, &status);
  int count = 0;
  MPI_Get_count(&status, MPI_BYTE, &count);
  std::string bytes(static_cast<std::size_t>(count), '\0');
  MPI_Mrecv(bytes.data(), count, MPI_BYTE, &message, MPI_STATUS_IGNORE);
  ++messages_received_;
  bytes_received_ += bytes.size();

  std::vector<Event> events;
  if (bytes.empty()) return events;
  StringSource source{bytes};
  boost::archive::binary_iarchive archive{source, kBare};
  archive >> events;
  return events;
}

}  // namespace ouro::engine
