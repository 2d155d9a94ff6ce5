#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "llm/calibration.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/station_log.hpp"

namespace ouro::llm {

/// How long the tokens of a run were on their way from a station to the next, from launch until they were
/// ready there.
struct ObservedWays {
  struct Sum {
    std::int64_t tokens = 0;
    engine::Duration time{};

    engine::Duration mean() const { return time / tokens; }
  };
  using ByLoad = std::array<Sum, Calibration::kMostLoad + 1>;

  std::array<std::array<ByLoad, kMatrixCount>, kPhaseCount> sums{};
  /// Between launches of a station, on average over `kTokensOfHeadway` in a row: a quarter of these averages
  /// are shorter. Zero if no station launched so many.
  engine::Duration headway{};

  static constexpr std::size_t kTokensOfHeadway = 64;
};

/// Those of tokens that are alone are left out, since `stage` has them anyway.
/// @param records  of all tokens that passed all stations, in any order
ObservedWays observe_ways(const PipelinePlan& plan, const LoadWindows& windows,
                          std::vector<StationRecord> records);

/// Finds the calibration with which `stage` has the ways of `packet`, in rounds: what the means differ by in
/// a run with the calibration so far is added to it, and changes who follows whom in the next run.
class CalibrationFit {
 public:
  static constexpr int kRounds = 6;  ///< [assumed] later ones change little

  /// @param packet  what is to be met
  /// @param stage   with a calibration of no delays: how much closer tokens are in a full pipeline there is
  ///                how much longer links are taken
  CalibrationFit(const ObservedWays& packet, const ObservedWays& stage);

  /// @param stage  of a run with `calibration()`
  void improve(const ObservedWays& stage);
  const Calibration& calibration() const { return calibration_; }

 private:
  void fill_unknown();

  ObservedWays packet_;
  Calibration calibration_;
  /// By phase, matrix and load: whether enough tokens were seen at both fidelities in one round.
  std::array<std::array<std::array<bool, Calibration::kMostLoad + 1>, kMatrixCount>, kPhaseCount> is_known_{};
  int rounds_ = 0;
};

}  // namespace ouro::llm
