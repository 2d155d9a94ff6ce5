#include "engine/recording_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "engine/error.hpp"
#include "engine/mpi.hpp"

namespace ouro::engine {
namespace {

constexpr auto kGroup = "/recording";
constexpr std::int64_t kNoCause = -1;

/// @param get  of a row
template <class T, class Row, class Get>
std::vector<T> column_of(const std::vector<Row>& rows, const Get& get) {
  std::vector<T> values;
  values.reserve(rows.size());
  for (const auto& row : rows) values.push_back(static_cast<T>(get(row)));
  return values;
}

std::string path_of(const char* name) {
  return fmt::format("{}/{}", kGroup, name);
}

std::int64_t cause_age(const RecordedSend& send) {
  return send.known == RecordedSend::kFromTheStart ? kNoCause : (send.sent - send.known).count();
}

}  // namespace

RecordingWriter::RecordingWriter(ResultsFile& file, MPI_Comm comm, const Placement& placement)
    : file_{file}, comm_{comm} {
  const std::vector<std::uint8_t> replicated =
      column_of<std::uint8_t>(placement, [](int rank) { return rank == kEveryRank; });
  const std::size_t mine = mpi_rank(comm) == 0 ? replicated.size() : 0;
  file_.write<std::uint8_t>(
      {path_of("replicated"), "1", "of each logical process, 1 if every rank has a copy of it"},
      std::span{replicated}.first(mine), 0, replicated.size());
  file_.set_attribute(kGroup, "window_ps", kRecordedWindow.count());
}

void RecordingWriter::append(Recorder& recorder, Time reached) {
  append_sends(recorder.take_sends());
  append_work(recorder.take_work(reached));
}

void RecordingWriter::append_sends(std::vector<RecordedSend> local) {
  auto sends = mpi_gather_rows(comm_, std::span<const RecordedSend>{local});
  std::sort(sends.begin(), sends.end());
  sends_ += static_cast<std::int64_t>(sends.size());
  const auto append = [&]<class T>(const char* name, const char* unit, const char* meaning, T,
                                   const auto& get) {
    file_.append<T>({path_of(name), unit, meaning}, column_of<T>(sends, get));
  };
  append("sent_ps", "ps", "a logical process sent another one an event; rows are in this order",
         std::int64_t{}, [](const RecordedSend& send) { return picoseconds(send.sent); });
  append("delay_ps", "ps", "from then until the event arrives", std::int64_t{},
         [](const RecordedSend& send) { return (send.arrival - send.sent).count(); });
  append("cause_age_ps", "ps",
         "how long before it was sent its cause arrived, the last event from another process that it follows "
         "from; -1 if there is none",
         std::int64_t{}, cause_age);
  append("from", "1", "the process that sent it", std::uint32_t{},
         [](const RecordedSend& send) { return send.from.value(); });
  append("to", "1", "the process that it is for", std::uint32_t{},
         [](const RecordedSend& send) { return send.to.value(); });
  append("kind", "1", "equal for events of a process that can lead to the same", std::uint32_t{},
         [](const RecordedSend& send) { return send.kind; });
  append("cause_kind", "1", "kind of its cause", std::uint32_t{},
         [](const RecordedSend& send) { return send.cause; });
}

void RecordingWriter::append_work(std::vector<RecordedWork> local) {
  auto work = mpi_gather_rows(comm_, std::span<const RecordedWork>{local});
  std::sort(work.begin(), work.end());
  for (const auto& row : work) events_ += row.events;
  file_.append<std::int64_t>(
      {path_of("work_window"), "1", "a window of simulated time; rows are in this order"},
      column_of<std::int64_t>(work, [](const auto& row) { return row.window; }));
  file_.append<std::uint32_t>({path_of("work_process"), "1", "a logical process that handled events in it"},
                              column_of<std::uint32_t>(work, [](const auto& row) { return row.lp.value(); }));
  file_.append<std::uint32_t>({path_of("work_events"), "1", "how many"},
                              column_of<std::uint32_t>(work, [](const auto& row) { return row.events; }));
}

void RecordingWriter::finish() {
  std::int64_t counts[] = {events_, sends_};
  MPI_Bcast(counts, 2, MPI_INT64_T, 0, comm_);
  file_.set_attribute(kGroup, "events", counts[0]);
  file_.set_attribute(kGroup, "sends", counts[1]);
}

// ---- reading
// ------------------------------------------------------------------------------------------------

namespace {

std::vector<RecordedSend> read_sends(const ResultsReader& file) {
  const auto sent = file.read<std::int64_t>(path_of("sent_ps"));
  const auto delay = file.read<std::int64_t>(path_of("delay_ps"));
  const auto cause_age = file.read<std::int64_t>(path_of("cause_age_ps"));
  const auto from = file.read<std::uint32_t>(path_of("from"));
  const auto to = file.read<std::uint32_t>(path_of("to"));
  const auto kind = file.read<std::uint32_t>(path_of("kind"));
  const auto cause = file.read<std::uint32_t>(path_of("cause_kind"));
  std::vector<RecordedSend> sends(sent.size());
  for (std::size_t i = 0; i < sends.size(); ++i) {
    const Time at = from_picoseconds(sent[i]);
    sends[i] = {.sent = at,
                .arrival = at + Duration{delay[i]},
                .known = cause_age[i] == kNoCause ? RecordedSend::kFromTheStart : at - Duration{cause_age[i]},
                .from = LpId{from[i]},
                .to = LpId{to[i]},
                .kind = kind[i],
                .cause = cause[i],
                .sequence = i};
  }
  return sends;
}

std::vector<RecordedWork> read_work(const ResultsReader& file) {
  const auto window = file.read<std::int64_t>(path_of("work_window"));
  const auto lp = file.read<std::uint32_t>(path_of("work_process"));
  const auto events = file.read<std::uint32_t>(path_of("work_events"));
  std::vector<RecordedWork> work(window.size());
  for (std::size_t i = 0; i < work.size(); ++i) work[i] = {window[i], LpId{lp[i]}, events[i]};
  return work;
}

}  // namespace

Recording read_recording(const ResultsReader& file) {
  if (file.find(path_of("replicated")) == nullptr)
    throw InputError{file.name(), "holds no recording", "a file that 'ouroboros run --record' wrote"};
  if (file.find_attribute(kGroup, "events") == nullptr)
    throw InputError{file.name(), "is the recording of a run that did not end", "one of a whole run"};
  Recording recording{.replicated = {}, .sends = read_sends(file), .work = read_work(file)};
  for (const auto copied : file.read<std::uint8_t>(path_of("replicated")))
    recording.replicated.push_back(copied != 0);
  return recording;
}

}  // namespace ouro::engine
