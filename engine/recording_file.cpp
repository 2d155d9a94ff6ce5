#include "engine/recording_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <variant>

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

RecordingWriter::RecordingWriter(ResultsFile& file, MPI_Comm comm, const Placement& placement,
                                 const RecordedStretch& stretch)
    : file_{file}, comm_{comm} {
  const std::vector<std::uint8_t> replicated =
      column_of<std::uint8_t>(placement, [](int rank) { return rank == kEveryRank; });
  const std::size_t mine = mpi_rank(comm) == 0 ? replicated.size() : 0;
  file_.write<std::uint8_t>(
      {path_of("replicated"), "1", "of each logical process, 1 if every rank has a copy of it"},
      std::span{replicated}.first(mine), 0, replicated.size());
  file_.set_attribute(kGroup, "window_ps", kRecordedWindow.count());
  file_.set_attribute(kGroup, "from_ps", picoseconds(stretch.from));
  file_.set_attribute(kGroup, "until_ps", picoseconds(stretch.until));
}

void RecordingWriter::append(Recorder& recorder, Time reached) {
  append_sends(recorder.take_sends());
  append_work(recorder.take_work(reached));
}

void RecordingWriter::append_sends(std::vector<RecordedSend> local) {
  auto sends = mpi_gather_rows(comm_, std::span<const RecordedSend>{local});
  std::sort(sends.begin(), sends.end());
  sends_ += static_cast<std::int64_t>(sends.size());
  std::vector<std::int64_t> gaps;
  std::vector<std::uint32_t> forms;
  for (const auto& send : sends) {
    gaps.push_back((send.sent - std::exchange(last_sent_, send.sent)).count());
    forms.push_back(forms_.number_of(form_of(send)));
  }
  file_.append<std::int64_t>({path_of("gap_ps"), "ps",
                              "a logical process sent another one an event: how long after that of the row "
                              "before, or the start of the run"},
                             gaps);
  file_.append<std::int64_t>(
      {path_of("cause_age_ps"), "ps",
       "how long before it was sent its cause arrived, the last event from another process that it follows "
       "from; -1 if none was recorded"},
      column_of<std::int64_t>(sends, cause_age));
  file_.append<std::uint32_t>({path_of("form"), "1", "its row in the form_ datasets"}, forms);
  append_forms(forms_.take_new());
}

void RecordingWriter::append_forms(const std::vector<RecordedForm>& forms) {
  const auto append = [&](const char* name, const char* meaning, const auto& get) {
    file_.append<std::uint32_t>({path_of(name), "1", meaning}, column_of<std::uint32_t>(forms, get));
  };
  append("form_from", "the process that sent it", [](const auto& form) { return form.from.value(); });
  append("form_to", "the process that it is for", [](const auto& form) { return form.to.value(); });
  append("form_kind", "equal for events of a process that can lead to the same",
         [](const auto& form) { return form.kind; });
  append("form_cause_kind", "kind of its cause", [](const auto& form) { return form.cause; });
  file_.append<std::int64_t>(
      {path_of("form_delay_ps"), "ps", "from when it is sent until it arrives"},
      column_of<std::int64_t>(forms, [](const auto& form) { return form.delay.count(); }));
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

Time read_time(const ResultsReader& file, const std::string& attribute) {
  return from_picoseconds(std::get<std::int64_t>(*file.find_attribute(kGroup, attribute)));
}

std::vector<RecordedForm> read_forms(const ResultsReader& file) {
  const auto from = file.read<std::uint32_t>(path_of("form_from"));
  const auto to = file.read<std::uint32_t>(path_of("form_to"));
  const auto kind = file.read<std::uint32_t>(path_of("form_kind"));
  const auto cause = file.read<std::uint32_t>(path_of("form_cause_kind"));
  const auto delay = file.read<std::int64_t>(path_of("form_delay_ps"));
  std::vector<RecordedForm> forms(from.size());
  for (std::size_t i = 0; i < forms.size(); ++i)
    forms[i] = {LpId{from[i]}, LpId{to[i]}, kind[i], cause[i], Duration{delay[i]}};
  return forms;
}

std::vector<RecordedSend> read_sends(const ResultsReader& file) {
  const auto forms = read_forms(file);
  const auto gap = file.read<std::int64_t>(path_of("gap_ps"));
  const auto cause_age = file.read<std::int64_t>(path_of("cause_age_ps"));
  const auto form = file.read<std::uint32_t>(path_of("form"));
  std::vector<RecordedSend> sends(gap.size());
  Time at{};
  for (std::size_t i = 0; i < sends.size(); ++i) {
    at += Duration{gap[i]};
    const auto& common = forms.at(form[i]);
    sends[i] = {.sent = at,
                .arrival = at + common.delay,
                .known = cause_age[i] == kNoCause ? RecordedSend::kFromTheStart : at - Duration{cause_age[i]},
                .from = common.from,
                .to = common.to,
                .kind = common.kind,
                .cause = common.cause,
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
  if (file.find(path_of("form")) == nullptr)
    throw InputError{file.name(), "was recorded by an earlier version", "record the run again"};
  if (file.find_attribute(kGroup, "events") == nullptr)
    throw InputError{file.name(), "is the recording of a run that did not end", "one of a whole run"};
  Recording recording{.stretch = {read_time(file, "from_ps"), read_time(file, "until_ps")},
                      .replicated = {},
                      .sends = read_sends(file),
                      .work = read_work(file)};
  if (recording.work.empty())
    throw InputError{file.name(), "is of a time in which nothing happened", "a stretch of the run"};
  for (const auto copied : file.read<std::uint8_t>(path_of("replicated")))
    recording.replicated.push_back(copied != 0);
  return recording;
}

}  // namespace ouro::engine
