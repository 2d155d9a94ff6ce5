#include "llm/mapping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "engine/error.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;

/// The live cores of a wafer, handed out along a line.
class CoreLine {
 public:
  void append(CoreId core) { cores_.push_back(core); }

  std::vector<CoreId> take(std::size_t count) {
    const auto begin = cores_.begin() + static_cast<std::ptrdiff_t>(taken_);
    taken_ += count;
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

  std::size_t left() const { return cores_.size() - taken_; }

 private:
  std::vector<CoreId> cores_;
  std::size_t taken_ = 0;
};

/// By wafer.
std::vector<CoreLine> live_lines(const std::vector<CoreId>& order, const wafer::Geometry& geometry,
                                 const wafer::Faults& faults) {
  std::vector<CoreLine> lines(static_cast<std::size_t>(geometry.wafers));
  for (const auto core : order) {
    if (!faults.core_is_dead(core)) lines[static_cast<std::size_t>(geometry.wafer_of(core))].append(core);
  }
  return lines;
}

/// What of the wafers is shared out.
struct Shares {
  std::vector<std::size_t> weights;  ///< cores, by block
  std::size_t lm_head;               ///< cores; on the last wafer

  std::size_t blocks() const { return weights.size(); }
  std::size_t all_weights() const { return std::accumulate(weights.begin(), weights.end(), lm_head); }
};

/// Blocks that fit on each wafer if each has `kv_cores`.
std::vector<std::size_t> blocks_that_fit(const std::vector<CoreLine>& wafers, const Shares& shares,
                                         std::size_t kv_cores) {
  std::vector<std::size_t> fit;
  std::size_t block = 0;
  fit.reserve(wafers.size());
  for (std::size_t w = 0; w < wafers.size(); ++w) {
    const auto lm_head = w + 1 == wafers.size() ? shares.lm_head : 0;
    auto cores = std::max(wafers[w].left(), lm_head) - lm_head;
    const auto first = block;
    for (; block < shares.blocks() && shares.weights[block] + kv_cores <= cores; ++block)
      cores -= shares.weights[block] + kv_cores;
    fit.push_back(block - first);
  }
  return fit;
}

/// Most KV cores that each block can have; 0 if there is none for each.
std::size_t most_kv_cores(const std::vector<CoreLine>& wafers, const Shares& shares) {
  std::size_t cores = 0;
  for (const auto& wafer : wafers) cores += wafer.left();
  const auto weights = shares.all_weights();
  auto kv_cores =
      cores > weights && wafers.back().left() >= shares.lm_head ? (cores - weights) / shares.blocks() : 0;
  const auto do_not_fit = [&] {
    const auto fit = blocks_that_fit(wafers, shares, kv_cores);
    return std::accumulate(fit.begin(), fit.end(), std::size_t{0}) < shares.blocks();
  };
  while (kv_cores > 0 && do_not_fit()) --kv_cores;
  return kv_cores;
}

engine::InputError too_few_cores(const wafer::Geometry& geometry, const wafer::Faults& faults,
                                 const ModelDescription& model, const Shares& shares) {
  const auto needed = static_cast<int>(shares.all_weights() + shares.blocks());
  const auto live = geometry.cores() - faults.dead_cores();
  const auto dead =
      faults.dead_cores() == 0 ? std::string{} : fmt::format(" and {} dead ones", faults.dead_cores());
  const bool several = geometry.wafers > 1;
  const auto lack = needed > live ? fmt::format("it lacks {}", needed - live)
                                  : std::string{"too few are together, since each block is on one wafer"};
  return engine::InputError{
      "model " + model.name,
      fmt::format("needs {} cores for weights, LM head and a KV core for each block, and the "
                  "{} {}{}: {}",
                  needed, several ? fmt::format("{} wafers have", geometry.wafers) : "wafer has", live, dead,
                  lack),
      "a smaller model, larger wafers or more of them fit"};
}

}  // namespace

Mapping map_along(const std::vector<CoreId>& order, const wafer::Geometry& geometry,
                  const wafer::Faults& faults, const ModelDescription& model, const TiledModel& tiled) {
  Shares shares{{}, tiled.lm_head.tiles.size()};
  for (int block = 0; block < blocks(model); ++block)
    shares.weights.push_back(weight_cores(tiled.of_block(block)));
  auto wafers = live_lines(order, geometry, faults);
  const auto kv_cores = most_kv_cores(wafers, shares);
  if (kv_cores == 0) throw too_few_cores(geometry, faults, model, shares);
  Mapping mapping;
  const auto fit = blocks_that_fit(wafers, shares, kv_cores);
  for (std::size_t w = 0; w < wafers.size(); ++w) {
    for (std::size_t i = 0; i < fit[w]; ++i) {
      const auto& groups = tiled.of_block(static_cast<int>(mapping.blocks.size()));
      auto& block = mapping.blocks.emplace_back();
      for (std::size_t m = 0; m < kMatrixCount; ++m) {
        block.tiles[m] = wafers[w].take(groups[m].tiles.size());
        if (static_cast<Matrix>(m) == Matrix::head_key) block.kv = wafers[w].take(kv_cores);
      }
    }
  }
  mapping.lm_head = wafers.back().take(shares.lm_head);
  return mapping;
}

Mapping map_in_snake_order(const wafer::Geometry& geometry, const wafer::Faults& faults,
                           const ModelDescription& model, const TiledModel& tiled) {
  return map_along(snake_order(geometry), geometry, faults, model, tiled);
}

}  // namespace ouro::llm
