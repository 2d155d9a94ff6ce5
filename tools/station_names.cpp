#include "tools/station_names.hpp"

#include <fmt/format.h>

namespace ouro::tools {
namespace {

const std::string kOfBlock = " of block ";

}  // namespace

StationNames::StationNames(const engine::ResultsReader& run)
    : has_router_{run.find("/experts/tokens") != nullptr} {
  if (run.find("/stages/home_names") == nullptr) return;
  names_ = run.read_texts("/stages/home_names");
  for (const auto& name : names_) {
    const auto at = name.find(kOfBlock);
    const bool is_last = at == std::string::npos;  // the LM head, behind all blocks
    blocks_.push_back(is_last ? (blocks_.empty() ? 0 : blocks_.back() + 1)
                              : std::stoll(name.substr(at + kOfBlock.size())));
  }
}

std::int64_t StationNames::block_of(std::int64_t station) const {
  return names_.empty() ? station / of_block() : blocks_.at(static_cast<std::size_t>(station));
}

std::string StationNames::name(std::int64_t station, std::int64_t stations) const {
  if (!names_.empty()) return names_.at(static_cast<std::size_t>(station));
  std::vector<const char*> of_a_block{"QKV", "O", "gate and up", "down"};
  if (has_router_) of_a_block.insert(of_a_block.begin() + 2, "router");
  if (station + 1 == stations) return "the LM head";
  return fmt::format("{} of block {}", of_a_block[static_cast<std::size_t>(station % of_block())],
                     station / of_block());
}

}  // namespace ouro::tools
