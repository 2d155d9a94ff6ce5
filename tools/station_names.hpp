#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// The stations of a run, as its file names them, also the one that a killed run left.
class StationNames {
 public:
  explicit StationNames(const engine::ResultsReader& run);

  std::int64_t block_of(std::int64_t station) const { return blocks_.at(static_cast<std::size_t>(station)); }
  /// Such as "gate and up of block 3".
  const std::string& name(std::int64_t station) const { return names_.at(static_cast<std::size_t>(station)); }

 private:
  std::vector<std::string> names_;
  std::vector<std::int64_t> blocks_;
};

}  // namespace ouro::tools
