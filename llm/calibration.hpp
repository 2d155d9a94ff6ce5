#pragma once

#include <array>
#include <boost/circular_buffer.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/config.hpp"
#include "engine/state_archive.hpp"
#include "engine/time.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/stage.hpp"
#include "llm/tiling.hpp"

namespace ouro::llm {

/// What tokens wait for each other at `packet` fidelity beyond what `stage` follows, as measured on one
/// machine: `ouroboros calibrate` makes it, `stage` adds it. docs/design.md says how.
struct Calibration {
  /// How close others are to a token when a station launches it: 0 where it leads those that follow it after
  /// a long gap, else how many the station launched within a short time, itself included, at most so many.
  using Load = std::size_t;
  static constexpr Load kMostLoad = 16;
  /// By load; what launches more counts as the last. Negative where tokens wait less than `stage`
  /// has it.
  using Delays = std::array<engine::Duration, kMostLoad + 1>;

  static constexpr std::int64_t kWhole = 1000;
  /// How long the link to a home core is taken, in thousandths of what the vectors on it need.
  std::int64_t link_permille = kWhole;
  std::array<std::array<Delays, kMatrixCount>, kPhaseCount> delays{};

  /// Of a token on its way from a station of this matrix to the next.
  engine::Duration delay(Matrix matrix, Phase phase, Load load) const {
    return delays[static_cast<std::size_t>(phase)][static_cast<std::size_t>(matrix)][load];
  }
  engine::Duration on_link(engine::Duration vector) const { return vector * link_permille / kWhole; }

  friend bool operator==(const Calibration&, const Calibration&) = default;
};

/// How long launches of a station count.
struct LoadWindows {
  /// In this time the link to the slowest home core passes one token more than its buffer holds, so that the
  /// tokens of a full pipeline are seen to be close.
  engine::Duration close{};
  engine::Duration way{};  ///< of a lone token through the pipeline
};

/// The newest launches of a station.
class LaunchHistory {
 public:
  /// @return  the load of this launch; none where all tokens seem to be of one sequence that decodes
  std::optional<Calibration::Load> add(engine::Time now, const LoadWindows& windows);

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    archive& newest_;
  }

 private:
  boost::circular_buffer<engine::Time> newest_{Calibration::kMostLoad};
};

/// Tells machines apart that a calibration is not for both of: section [wafer] but for the fidelity and the
/// static power, the model, how tokens move, and all cores of the mapping. What else is in files that the
/// configuration names is not looked at.
std::uint64_t machine_digest(const engine::Config& config, const PipelinePlan& plan);

/// As TOML.
/// @param made_from  for the reader of the file
void write_calibration(const std::filesystem::path& path, const Calibration& calibration,
                       std::uint64_t machine, const std::string& made_from);

/// @param file     the setting that names it
/// @param machine  that it has to be for
/// @throws InputError  if it cannot be read, is none, or is for another machine
Calibration read_calibration(const engine::Setting& file, std::uint64_t machine);

}  // namespace ouro::llm
