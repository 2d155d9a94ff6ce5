#include "tools/core_table.hpp"

#include <algorithm>

namespace ouro::tools {

CoreTable::CoreTable(ResultWriting& out, const llm::System& system)
    : out_{out},
      geometry_{out.experiment().wafer.geometry},
      dies_(static_cast<std::size_t>(geometry_.dies())) {
  for (const auto* die : system.dies()) {
    for (int i = 0; i < geometry_.cores_of_die(); ++i) cores_.push_back(geometry_.core_of_die(die->die(), i));
  }
  std::sort(cores_.begin(), cores_.end());
  for (const auto core : cores_) rows_.push_back(core.value());
  for (const auto* die : system.packet_dies()) dies_[die->die().value()] = die;
}

}  // namespace ouro::tools
