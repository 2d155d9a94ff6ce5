#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/recording_file.hpp"
#include "engine/synchronizer.hpp"
#include "engine/verification.hpp"
#include "tests/engine/phold.hpp"
#include "tests/engine/phold_run.hpp"
#include "tests/engine/shared_directory.hpp"
#include "tests/mpi_ranks.hpp"

namespace ouro::tests {
namespace {

using namespace engine;

const PholdConfig kConfig{.objects = 16, .remote = 0.5, .seed = 9, .end = Time{Duration{20'000'000}}};

/// Collective.
RunVerdict record_phold(MPI_Comm comm, ResultsFile& file, std::int64_t stops, bool finish = true) {
  const auto placement = in_blocks(kConfig.objects, mpi_size(comm));
  Recorder recorder{mpi_rank(comm), placement, [](const Event& event) { return event.to.value(); }};
  Region region{mpi_rank(comm),
                mpi_size(comm),
                placement,
                [](LpId id) { return std::make_unique<PholdLp>(kConfig, id); },
                {.recorder = &recorder}};
  const auto synchronizer = make_synchronizer(comm, region);
  RecordingWriter writer{file, comm, placement};
  for (std::int64_t stop = 1; stop <= stops; ++stop) {
    const Time until{kConfig.end.time_since_epoch() * stop / stops};
    synchronizer->run_until(until);
    writer.append(recorder, until);
  }
  writer.append(recorder, kNever);
  if (finish) writer.finish();
  return verify_run(comm, region);
}

class RecordingOnRanks : public ::testing::TestWithParam<int> {};

TEST_P(RecordingOnRanks, IsReadAsItWasWrittenWhereverTheRunStopped) {
  const auto comm = first_ranks(GetParam());
  if (!comm) return;  // this rank sits the case out
  const SharedDirectory directory{*comm};
  std::vector<Recording> recordings;
  for (const std::int64_t stops : {1, 7}) {
    const auto path = directory / ("recording" + std::to_string(stops));
    ResultsFile file{path, *comm, Overwrite::refuse};
    const auto verdict = record_phold(*comm, file, stops);
    file.commit();
    const auto& recording = recordings.emplace_back(read_recording(ResultsReader{path}));
    std::uint64_t events = 0;
    for (const auto& work : recording.work) events += work.events;
    EXPECT_EQ(events, verdict.events);
    EXPECT_EQ(recording.replicated, std::vector<bool>(kConfig.objects, false));
  }
  const auto& [once, often] = std::tie(recordings[0], recordings[1]);
  ASSERT_EQ(once.sends.size(), often.sends.size());
  EXPECT_GT(once.sends.size(), 0U);
  for (std::size_t i = 0; i < once.sends.size(); ++i) {
    EXPECT_EQ(once.sends[i].sent, often.sends[i].sent);
    EXPECT_EQ(once.sends[i].arrival, often.sends[i].arrival);
    EXPECT_EQ(once.sends[i].known, often.sends[i].known);
    EXPECT_EQ(once.sends[i].to, often.sends[i].to);
    EXPECT_EQ(once.sends[i].kind, often.sends[i].to.value());
    EXPECT_LE(once.sends[i].known, once.sends[i].sent);
    EXPECT_GE(once.sends[i].arrival, once.sends[i].sent + kConfig.lookahead);
  }
  ASSERT_EQ(once.work.size(), often.work.size());
  for (std::size_t i = 0; i < once.work.size(); ++i) {
    EXPECT_EQ(once.work[i].window, often.work[i].window);
    EXPECT_EQ(once.work[i].lp, often.work[i].lp);
    EXPECT_EQ(once.work[i].events, often.work[i].events);
  }
}

TEST_P(RecordingOnRanks, IsRefusedIfTheRunDidNotEnd) {
  const auto comm = first_ranks(GetParam());
  if (!comm) return;  // this rank sits the case out
  const SharedDirectory directory{*comm};
  ResultsFile file{directory / "recording", *comm, Overwrite::refuse};
  record_phold(*comm, file, 1, false);
  file.commit();
  try {
    read_recording(ResultsReader{directory / "recording"});
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_NE(std::string{error.what()}.find("of a run that did not end"), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, RecordingOnRanks, ::testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace ouro::tests
