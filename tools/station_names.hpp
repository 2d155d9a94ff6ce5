#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// The stations of a run, as its file names them. The file of a killed run does not: they are then taken for
/// four of each block, five with a router.
class StationNames {
 public:
  explicit StationNames(const engine::ResultsReader& run);

  std::int64_t block_of(std::int64_t station) const;
  /// Such as "gate and up of block 3".
  /// @param stations  how many there are
  std::string name(std::int64_t station, std::int64_t stations) const;

 private:
  std::int64_t of_block() const { return has_router_ ? 5 : 4; }

  bool has_router_;
  std::vector<std::string> names_;
  std::vector<std::int64_t> blocks_;
};

}  // namespace ouro::tools
