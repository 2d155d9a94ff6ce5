#include "tools/checkpoint.hpp"

#include <fmt/format.h>

#include <array>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string_view>

#include "engine/digest.hpp"
#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/rank_0.hpp"
#include "engine/stopwatch.hpp"
#include "engine/verification.hpp"
#include "tools/configuration.hpp"
#include "tools/version.hpp"

namespace ouro::tools {
namespace {

using engine::InputError;
using engine::LpId;

constexpr std::string_view kSuffix = ".checkpoint";
constexpr std::string_view kOldSuffix = ".checkpoint.old";
constexpr int kStateTag = 10;

// parts of a checkpoint
constexpr auto kProgramPart = "program";
constexpr auto kHeadPart = "head";
std::string part_of(LpId id) {
  return fmt::format("lp/{}", id.value());
}
std::string part_of(const std::string& list) {
  return "list" + list;
}

std::string program() {
  return fmt::format("ouroboros {} {}", kVersion, kRevision);
}

std::vector<LpState> states_of(const engine::Region& region) {
  std::vector<LpState> states;
  region.save([&](LpId id, std::string bytes) { states.push_back({id, std::move(bytes)}); });
  return states;
}

void send_state(MPI_Comm comm, const LpState& state) {
  const std::array<std::uint64_t, 2> head{state.id.value(), state.bytes.size()};
  MPI_Send(head.data(), 2, MPI_UINT64_T, 0, kStateTag, comm);
  MPI_Send(state.bytes.data(), static_cast<int>(state.bytes.size()), MPI_BYTE, 0, kStateTag, comm);
}

LpState receive_state(MPI_Comm comm, int rank) {
  std::array<std::uint64_t, 2> head{};
  MPI_Recv(head.data(), 2, MPI_UINT64_T, rank, kStateTag, comm, MPI_STATUS_IGNORE);
  LpState state{LpId{static_cast<LpId::Value>(head[0])}, std::string(head[1], '\0')};
  MPI_Recv(state.bytes.data(), static_cast<int>(head[1]), MPI_BYTE, rank, kStateTag, comm, MPI_STATUS_IGNORE);
  return state;
}

/// Does steps until one fails, passes over the others, and throws that failure in the end.
class Steps {
 public:
  void take(const std::function<void()>& step) {
    if (failure_) return;
    try {
      step();
    } catch (const InputError&) {
      failure_ = std::current_exception();
    }
  }
  void end() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::exception_ptr failure_;
};

bool drives_the_run_only(std::string_view assignment) {
  const auto key = assignment.substr(0, assignment.find('='));
  return key.starts_with("engine.") || key.starts_with("partition.") ||
         key.starts_with("output.flush_interval");
}

}  // namespace

std::vector<InputFile> read_input_files(const engine::Config& config) {
  std::vector<InputFile> files;
  for (const char* key :
       {"model.config", "model.expert_weights", "mapping.file", "workload.trace_file", "workload.histogram",
        "wafer.faults.map_file", "wafer.faults.runtime.file", "wafer.noc.calibration"}) {
    const std::string path = config.at(key).as_string();  // the setting is gone at the end of the line
    const bool is_shipped = key == std::string_view{"workload.histogram"} && !path.ends_with(".csv");
    if (path.empty() || is_shipped) continue;
    std::ifstream file{path, std::ios::binary};
    const std::string content{std::istreambuf_iterator<char>{file}, {}};
    files.push_back({key, path, engine::digest_of(content)});
  }
  return files;
}

// ---- names
// -----------------------------------------------------------------------------------------------------

CheckpointFiles::CheckpointFiles(const std::filesystem::path& result)
    : newest_{result.string() + std::string{kSuffix}}, previous_{result.string() + std::string{kOldSuffix}} {}

std::filesystem::path CheckpointFiles::result_of(const std::filesystem::path& checkpoint) {
  const auto name = checkpoint.string();
  for (const auto suffix : {kOldSuffix, kSuffix}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return {};
}

bool CheckpointFiles::any_exists() const {
  return std::filesystem::exists(newest_) || std::filesystem::exists(previous_);
}

void CheckpointFiles::remove() const {
  std::filesystem::remove(newest_);
  std::filesystem::remove(previous_);
}

// ---- writing
// ---------------------------------------------------------------------------------------------------

CheckpointKeeper::CheckpointKeeper(const CheckpointFiles& files, MPI_Comm comm, CheckpointHead head,
                                   const std::filesystem::path& good)
    : files_{files}, comm_{comm}, head_{std::move(head)}, newest_is_good_{good == files.newest()} {}

std::string CheckpointKeeper::write(engine::Time reached, const engine::Region& region,
                                    engine::ResultsFile& results) {
  const engine::Stopwatch watch{seconds_};
  engine::check_replicas(comm_, region);
  const auto states = states_of(region);
  for (const auto& state : states) {
    if (region.is_replicated(state.id))
      engine::check_copies(comm_, state.id, "hold", engine::digest_of(state.bytes));
  }
  results.flush();
  head_.reached = reached;
  try {
    for (const auto& state : states) {
      if (region.rank() != 0 && !region.is_replicated(state.id)) send_state(comm_, state);
    }
    engine::on_rank_0(comm_, [&] { write_file(states, region.placement(), results); });
  } catch (const InputError& error) {
    return error.what();
  }
  ++written_;
  return {};
}

void CheckpointKeeper::write_file(const std::vector<LpState>& own, const engine::Placement& placement,
                                  engine::ResultsFile& results) {
  std::unique_ptr<engine::CheckpointWriter> writer;
  Steps steps;  // the other ranks send, whatever fails here
  steps.take([&] {
    writer = std::make_unique<engine::CheckpointWriter>(files_.newest());
    writer->add(kProgramPart, program());
    writer->add(kHeadPart, engine::to_bytes(head_));
  });
  auto next = own.begin();
  for (const int rank : placement) {
    const auto state = rank > 0 ? receive_state(comm_, rank) : *next++;
    steps.take([&] { writer->add(part_of(state.id), state.bytes); });
  }
  steps.take([&] {
    results.save_lists(
        [&](const std::string& path, const std::string& bytes) { writer->add(part_of(path), bytes); });
    writer->publish(newest_is_good_ ? files_.previous() : std::filesystem::path{});
  });
  steps.end();
  newest_is_good_ = true;
}

// ---- going on
// --------------------------------------------------------------------------------------------------

namespace {

/// Collective: rank 0 reads every byte before any rank makes something of them.
const std::filesystem::path& checked(const std::filesystem::path& file, MPI_Comm comm) {
  engine::on_rank_0(comm, [&] { engine::check_checkpoint(file); });
  return file;
}

}  // namespace

Restart::Restart(const std::filesystem::path& file, MPI_Comm comm)
    : file_{file}, reader_{checked(file, comm)} {
  const auto writer = reader_.part(kProgramPart);
  if (writer != program()) {
    throw InputError{file.string(), fmt::format("was written by {}", writer),
                     fmt::format("this is {}; go on with the program that wrote it", program())};
  }
  engine::from_bytes(reader_.part(kHeadPart), head_);
}

engine::Config Restart::configuration(const std::vector<std::string>& assignments) const {
  for (const auto& assignment : assignments) {
    if (drives_the_run_only(assignment)) continue;
    throw InputError{"--set " + assignment, "a run that goes on keeps what it simulates",
                     "sections engine and partition and output.flush_interval can be set"};
  }
  return make_configuration({file_.string(), head_.resolved_toml}, assignments);
}

void Restart::check_inputs(const engine::Config& config) const {
  const auto found = read_input_files(config);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].digest == head_.inputs.at(i).digest) continue;
    throw InputError{
        file_.string(),
        fmt::format("{} '{}' is not what it was when the run began", found[i].key, found[i].path),
        "put the file back that the run had"};
  }
}

engine::SavedState Restart::states() {
  return [this](LpId id) { return reader_.part(part_of(id)); };
}

void Restart::restore_lists(engine::ResultsFile& results) {
  results.restore_lists([this](const std::string& path) { return reader_.part(part_of(path)); });
}

}  // namespace ouro::tools
