#include "tools/station_names.hpp"

namespace ouro::tools {
namespace {

const std::string kOfBlock = " of block ";

}  // namespace

StationNames::StationNames(const engine::ResultsReader& run) : names_{run.read_texts("/stages/home_names")} {
  for (const auto& name : names_) {
    const auto at = name.find(kOfBlock);
    const bool is_last = at == std::string::npos;  // the LM head, behind all blocks
    blocks_.push_back(is_last ? (blocks_.empty() ? 0 : blocks_.back() + 1)
                              : std::stoll(name.substr(at + kOfBlock.size())));
  }
}

}  // namespace ouro::tools
