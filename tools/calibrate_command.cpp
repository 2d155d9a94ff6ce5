#include "tools/calibrate_command.hpp"

#include <fmt/format.h>

#include <iostream>
#include <optional>

#include "engine/mpi.hpp"
#include "engine/part_file.hpp"
#include "engine/rank_0.hpp"
#include "llm/calibration_fit.hpp"
#include "partitions/read_partition.hpp"
#include "tools/prepared_run.hpp"
#include "tools/run_statistics.hpp"
#include "tools/together.hpp"

namespace ouro::tools {
namespace {

using engine::Duration;

/// Alike on all ranks but for the ways, which rank 0 has.
struct Observed {
  Duration makespan{};
  llm::ObservedWays ways;
};

Observed observe(const PreparedRun& prepared, const llm::LoadWindows& windows, MPI_Comm comm) {
  const auto system = prepared.run(comm);
  const auto records = system->take_station_records();
  auto all = engine::mpi_gather_rows(comm, std::span<const llm::StationRecord>{records});
  return {gather_statistics(comm, *prepared.experiment, *system).makespan,
          llm::observe_ways(*prepared.experiment->plan, windows, std::move(all))};
}

llm::LoadWindows windows_of(const llm::Experiment& experiment) {
  return llm::StageTiming{*experiment.plan, experiment.make_kv_controller(),
                          experiment.summary.longest_context, std::nullopt}
      .load_windows();
}

/// What rank 0 found, on all.
llm::Calibration take_from_rank_0(llm::Calibration calibration, MPI_Comm comm) {
  static_assert(std::is_trivially_copyable_v<llm::Calibration>);
  MPI_Bcast(&calibration, sizeof calibration, MPI_BYTE, 0, comm);
  return calibration;
}

std::filesystem::path output_path(const CalibrateArguments& arguments) {
  if (!arguments.out.empty()) return arguments.out;
  return arguments.configuration.file.stem().string() + ".calibration.toml";
}

double percent_more(Duration a, Duration b) {
  return 100 * (engine::seconds(a) / engine::seconds(b) - 1);
}

}  // namespace

int calibrate(const CalibrateArguments& arguments, MPI_Comm comm, spdlog::logger& logger) {
  constexpr int kInputAtFault = 2;
  const auto path = output_path(arguments);
  PreparedRun packet, stage;
  std::optional<engine::PartFile> file;  // on rank 0
  const auto prepare_both = [&] {
    const auto overwrite = arguments.force ? engine::Overwrite::allow : engine::Overwrite::refuse;
    if (engine::mpi_rank(comm) == 0) file.emplace(path, overwrite);
    const auto prepare = [&](const char* fidelity) {
      return prepare_run(arguments.configuration,
                         {fidelity, "wafer.noc.calibration=\"\"", "output.record_stations_every=1"}, comm);
    };
    packet = prepare("wafer.noc.fidelity=packet");
    stage = prepare("wafer.noc.fidelity=stage");
  };
  if (!succeed_together(comm, logger, prepare_both)) return kInputAtFault;
  for (auto* run : {&packet, &stage}) partitions::take_from_rank_0(run->partition, comm);

  logger.info("{} at fidelity packet", packet.experiment->model.name);
  const auto windows = windows_of(*stage.experiment);
  const auto observe_stage = [&](const std::optional<llm::Calibration>& with) {
    stage.experiment->calibration = with;
    return observe(stage, windows, comm);
  };
  const auto wanted = observe(packet, windows, comm);
  logger.info("{} times at fidelity stage", llm::CalibrationFit::kRounds + 3);
  const auto without = observe_stage(std::nullopt);
  llm::CalibrationFit fit{wanted.ways, observe_stage(llm::Calibration{}).ways};
  auto calibration = take_from_rank_0(fit.calibration(), comm);
  for (int round = 0; round < llm::CalibrationFit::kRounds; ++round) {
    fit.improve(observe_stage(calibration).ways);
    calibration = take_from_rank_0(fit.calibration(), comm);
  }
  const auto with = observe_stage(calibration);

  const auto& experiment = *stage.experiment;
  const auto result = fmt::format("{}, {} requests: makespan {:+.2f} % of that at packet, without {:+.2f} %",
                                  experiment.model.name, experiment.summary.requests,
                                  percent_more(with.makespan, wanted.makespan),
                                  percent_more(without.makespan, wanted.makespan));
  engine::on_rank_0(comm, [&] {
    llm::write_calibration(file->part(), calibration, experiment.machine, result);
    file->publish();
  });
  if (engine::mpi_rank(comm) == 0)
    std::cout << fmt::format("{}\n{} is for wafer.noc.calibration\n", result, path.string());
  return 0;
}

}  // namespace ouro::tools
