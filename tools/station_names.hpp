#pragma once

#include <cstdint>
#include <string>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// The stations of a run: four of each block, five with a router, then the LM head.
class StationNames {
 public:
  explicit StationNames(const engine::ResultsReader& run)
      : has_router_{run.find("/experts/tokens") != nullptr} {}

  std::int64_t of_block() const { return has_router_ ? 5 : 4; }
  /// Such as "gate and up of block 3".
  /// @param stations  how many there are
  std::string name(std::int64_t station, std::int64_t stations) const;

 private:
  bool has_router_;
};

}  // namespace ouro::tools
