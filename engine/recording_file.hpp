#pragma once

#include <mpi.h>

#include "engine/recorded_forms.hpp"
#include "engine/recorder.hpp"
#include "engine/recording.hpp"
#include "engine/results_file.hpp"
#include "engine/results_reader.hpp"

namespace ouro::engine {

/// Appends to group /recording of a results file what the recorders of all ranks have taken down, in an order
/// that depends neither on the ranks nor on when that is.
class RecordingWriter {
 public:
  /// Keeps `file`. Collective, as the next ones.
  RecordingWriter(ResultsFile& file, MPI_Comm comm, const Placement& placement,
                  const RecordedStretch& stretch = {});

  /// @param reached  every event before is handled, on all ranks; never less than before
  void append(Recorder& recorder, Time reached);

  /// After the last append(): the recording is whole.
  void finish();

  /// Recorded so far, on rank 0.
  std::int64_t events() const { return events_; }
  std::int64_t sends() const { return sends_; }

 private:
  void append_sends(std::vector<RecordedSend> local);
  void append_forms(const std::vector<RecordedForm>& forms);
  void append_work(std::vector<RecordedWork> local);

  ResultsFile& file_;
  MPI_Comm comm_;
  RecordedForms forms_;  // on rank 0
  Time last_sent_{};     // too
  std::int64_t events_ = 0;
  std::int64_t sends_ = 0;
};

/// @throws InputError  if there is no recording in the file, or not a whole one
Recording read_recording(const ResultsReader& file);

}  // namespace ouro::engine
