#pragma once

#include <cstdint>
#include <vector>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// A recorded token at a station; times in ps.
struct Passage {
  std::int64_t number = 0;  ///< of the token
  std::int64_t request = 0;
  std::int64_t station = 0;
  std::int64_t begin = 0;  ///< the station before sent it on; at the first one, its first part is there
  std::int64_t entered = 0;
  std::int64_t gathered = 0;
  std::int64_t ready = 0;
  std::int64_t launched = 0;
};

/// Group /passages, token by token, each along the stations; empty if the file has none.
std::vector<Passage> read_passages(const engine::ResultsReader& run);

}  // namespace ouro::tools
