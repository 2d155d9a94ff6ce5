#include "llm/mapping_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/results_reader.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;

const std::string kGrid = "/mapping/grid";
const std::string kTileCounts = "/mapping/tile_counts";
const std::string kTiles = "/mapping/tiles";
const std::string kKv = "/mapping/kv";
const std::string kLmHead = "/mapping/lm_head";

using Numbers = std::vector<std::int32_t>;

Numbers grid_of(const wafer::Geometry& geometry) {
  return {geometry.die_columns, geometry.die_rows, geometry.core_columns, geometry.core_rows};
}

/// Blocks, then tiles of each group of a block, then of the LM head. Models with latent attention have no
/// such file.
Numbers tile_counts(std::size_t blocks, const TiledModel& tiled) {
  Numbers counts{static_cast<std::int32_t>(blocks)};
  for (const auto matrix : {Matrix::qkv, Matrix::output, Matrix::router, Matrix::gate_up, Matrix::down})
    counts.push_back(static_cast<std::int32_t>(tiled.of(matrix).tiles.size()));
  counts.push_back(static_cast<std::int32_t>(tiled.lm_head.tiles.size()));
  return counts;
}

void append(Numbers& numbers, const std::vector<CoreId>& cores) {
  for (const CoreId core : cores) numbers.push_back(static_cast<std::int32_t>(core.value()));
}

/// Reads one file that may not fit.
class MappingReader {
 public:
  MappingReader(const std::string& path, std::string where, const wafer::WaferModel& wafer)
      : file_{path},
        where_{std::move(where)},
        wafer_{wafer},
        used_(static_cast<std::size_t>(wafer.geometry.cores())) {}

  Mapping read(const ModelDescription& model, const TiledModel& tiled) {
    for (const auto& path : {kGrid, kTileCounts, kTiles, kKv, kLmHead}) {
      if (file_.find(path) == nullptr)
        throw refusal(fmt::format("has no dataset '{}'", path), "a mapping is what `ouroboros map` writes");
    }
    check_grid();
    check_model(model, tiled);
    const auto tiles = file_.read<std::int32_t>(kTiles);
    const auto kv = file_.read<std::int32_t>(kKv);
    const auto& kv_shape = file_.find(kKv)->shape;
    const auto tiles_of_block = weight_cores(tiled.block);
    const auto blocks = static_cast<std::size_t>(model.layers);
    if (tiles.size() != blocks * tiles_of_block || kv_shape.size() != 2 || kv_shape[0] != blocks ||
        kv_shape[1] == 0)
      throw refusal("has tables of other sizes than it says", "a mapping is what `ouroboros map` writes");

    Mapping mapping;
    auto next_tile = tiles.begin();
    auto next_kv = kv.begin();
    for (std::size_t b = 0; b < blocks; ++b) {
      auto& block = mapping.blocks.emplace_back();
      for (std::size_t m = 0; m < kMatrixCount; ++m)
        block.tiles[m] = take(next_tile, tiled.block[m].tiles.size());
      block.kv = take(next_kv, kv_shape[1]);
    }
    const auto lm_head = file_.read<std::int32_t>(kLmHead);
    if (lm_head.size() != tiled.lm_head.tiles.size())
      throw refusal("has tables of other sizes than it says", "a mapping is what `ouroboros map` writes");
    auto next = lm_head.begin();
    mapping.lm_head = take(next, lm_head.size());
    return mapping;
  }

 private:
  engine::InputError refusal(const std::string& what, const std::string& right) const {
    return engine::InputError{where_, fmt::format("'{}' {}", file_.name(), what), right};
  }

  void check_grid() const {
    const auto has = file_.read<std::int32_t>(kGrid);
    const auto wanted = grid_of(wafer_.geometry);
    if (has == wanted) return;
    throw refusal(fmt::format("is for a wafer of {} dies and cores of a die", fmt::join(has, " x ")),
                  fmt::format("this one has {}", fmt::join(wanted, " x ")));
  }

  void check_model(const ModelDescription& model, const TiledModel& tiled) const {
    const auto has = file_.read<std::int32_t>(kTileCounts);
    const auto wanted = tile_counts(static_cast<std::size_t>(model.layers), tiled);
    if (has == wanted) return;
    throw refusal(
        fmt::format("is for a model of blocks, tiles of QKV, O, router, gate and up, down, LM head {}",
                    fmt::join(has, ", ")),
        fmt::format("'{}' has {}", model.name, fmt::join(wanted, ", ")));
  }

  std::vector<CoreId> take(Numbers::const_iterator& next, std::size_t count) {
    std::vector<CoreId> cores;
    cores.reserve(count);
    for (std::size_t i = 0; i < count; ++i) cores.push_back(check_core(*next++));
    return cores;
  }

  CoreId check_core(std::int32_t number) {
    if (number < 0 || static_cast<std::size_t>(number) >= used_.size())
      throw refusal(fmt::format("uses core {}", number), fmt::format("cores are 0 to {}", used_.size() - 1));
    const CoreId core{static_cast<CoreId::Value>(number)};
    const auto at = wafer_.geometry.coordinate(core);
    if (used_[core.value()])
      throw refusal(fmt::format("uses the core at {}, {} twice", at.x, at.y), "a core has one role");
    if (wafer_.faults.core_is_dead(core)) {
      throw refusal(fmt::format("uses the core at {}, {}, which is dead", at.x, at.y),
                    "map this wafer with its faults");
    }
    used_[core.value()] = true;
    return core;
  }

  engine::ResultsReader file_;
  std::string where_;
  const wafer::WaferModel& wafer_;
  std::vector<bool> used_;  // by core
};

}  // namespace

void write_mapping(engine::ResultsFile& file, MPI_Comm comm, const Mapping& mapping,
                   const wafer::Geometry& geometry, const TiledModel& tiled) {
  const auto write = [&](const engine::Column& column, const Numbers& numbers,
                         const engine::ResultsFile::Shape& inner = {}) {
    const std::span<const std::int32_t> mine{numbers.data(),
                                             engine::mpi_rank(comm) == 0 ? numbers.size() : 0};
    file.write<std::int32_t>(column, mine, 0, numbers.size() / (inner.empty() ? 1 : inner[0]), inner);
  };
  const auto blocks = mapping.blocks.size();
  Numbers tiles, kv, lm_head;
  for (const auto& block : mapping.blocks) {
    for (const auto& cores : block.tiles) append(tiles, cores);
    append(kv, block.kv);
  }
  append(lm_head, mapping.lm_head);
  write({kGrid, "1", "columns and rows of dies, columns and rows of cores of a die"}, grid_of(geometry));
  write(
      {kTileCounts, "1", "blocks; tiles of QKV, O, router, gate and up, down of each; tiles of the LM head"},
      tile_counts(blocks, tiled));
  write({kTiles, "1", "core of each tile, by block, in the order of tile_counts"}, tiles,
        {tiles.size() / blocks});
  write({kKv, "1", "core of each place in the ring of KV cores, by block"}, kv, {kv.size() / blocks});
  write({kLmHead, "1", "core of each tile of the LM head"}, lm_head);
}

Mapping read_mapping_file(const std::string& path, const std::string& where, const wafer::WaferModel& wafer,
                          const ModelDescription& model, const TiledModel& tiled) {
  return MappingReader{path, where, wafer}.read(model, tiled);
}

}  // namespace ouro::llm
