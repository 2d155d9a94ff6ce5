#include "tools/station_names.hpp"

#include <fmt/format.h>

#include <vector>

namespace ouro::tools {

std::string StationNames::name(std::int64_t station, std::int64_t stations) const {
  std::vector<const char*> of_a_block{"QKV", "O", "gate and up", "down"};
  if (has_router_) of_a_block.insert(of_a_block.begin() + 2, "router");
  if (station + 1 == stations) return "the LM head";
  return fmt::format("{} of block {}", of_a_block[static_cast<std::size_t>(station % of_block())],
                     station / of_block());
}

}  // namespace ouro::tools
