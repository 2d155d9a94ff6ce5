#include "tools/mapping_picture.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace ouro::tools {
namespace {

using wafer::CoreId;

enum class Use { spare, dead, tile, home, kv };

struct CoreUse {
  Use use = Use::spare;
  std::size_t group = 0;  ///< of a tile or home core: as kLetters
  std::size_t block = 0;  ///< of a KV core
};

// in the order of llm::Matrix, and last the LM head
constexpr std::size_t kGroups = llm::kMatrixCount + 1;
constexpr std::array<char, kGroups> kLetters{'q', 'u', 'a', 'b', 'o', 's', 'c', 'p', 'r', 'g', 'd', 'h'};
constexpr std::array<std::string_view, kGroups> kColours{"#c0392b", "#e6b0aa", "#f5cba7", "#fad7a0",
                                                         "#d68910", "#76d7c4", "#45b39d", "#117a65",
                                                         "#7f8c8d", "#1e8449", "#2471a3", "#6c3483"};
static_assert(kLetters.back() != 0 && !kColours.back().empty());  // each group has one

std::vector<CoreUse> uses_of(const llm::Mapping& mapping, const wafer::Geometry& geometry,
                             const wafer::Faults& faults) {
  std::vector<CoreUse> uses(static_cast<std::size_t>(geometry.cores()));
  for (CoreId::Value core = 0; core < uses.size(); ++core) {
    if (faults.core_is_dead(CoreId{core})) uses[core].use = Use::dead;
  }
  const auto put_group = [&](const std::vector<CoreId>& cores, std::size_t group, std::size_t block) {
    for (const CoreId core : cores) uses[core.value()] = {Use::tile, group, block};
    uses[cores.front().value()].use = Use::home;
  };
  for (std::size_t b = 0; b < mapping.blocks.size(); ++b) {
    const auto& block = mapping.blocks[b];
    for (std::size_t m = 0; m < llm::kMatrixCount; ++m) {
      if (!block.tiles[m].empty()) put_group(block.tiles[m], m, b);
    }
    for (const CoreId core : block.kv) uses[core.value()] = {Use::kv, 0, b};
  }
  put_group(mapping.lm_head, llm::kMatrixCount, mapping.blocks.size());
  return uses;
}

char letter_of(const CoreUse& core) {
  switch (core.use) {
    case Use::spare:
      return '.';
    case Use::dead:
      return 'x';
    case Use::tile:
      return kLetters[core.group];
    case Use::home:
      return static_cast<char>(kLetters[core.group] - 'a' + 'A');
    case Use::kv:
      break;
  }
  return static_cast<char>('0' + core.block % 10);
}

std::string colour_of(const CoreUse& core) {
  switch (core.use) {
    case Use::spare:
      return "#ffffff";
    case Use::dead:
      return "#000000";
    case Use::tile:
    case Use::home:
      return std::string{kColours[core.group]};
    case Use::kv:
      break;
  }
  return fmt::format("hsl({}, 35%, 85%)", core.block * 137 % 360);  // neighbours in number differ in hue
}

/// Home cores in the order in which a token meets them.
std::vector<CoreId> homes_of(const llm::Mapping& mapping) {
  std::vector<CoreId> homes;
  homes.reserve(mapping.blocks.size() * llm::kMatrixCount + 1);
  for (const auto& block : mapping.blocks) {
    for (const auto& tiles : block.tiles) {
      if (!tiles.empty()) homes.push_back(tiles.front());
    }
  }
  homes.push_back(mapping.lm_head.front());
  return homes;
}

}  // namespace

std::string draw_text(const llm::Mapping& mapping, const wafer::Geometry& geometry,
                      const wafer::Faults& faults) {
  const auto uses = uses_of(mapping, geometry, faults);
  std::string text;
  for (int y = 0; y < geometry.rows(); ++y) {
    if (y > 0 && y % geometry.core_rows == 0) text += '\n';
    for (int x = 0; x < geometry.columns(); ++x) {
      if (x > 0 && x % geometry.core_columns == 0) text += ' ';
      text += letter_of(uses[geometry.core_at({x, y}).value()]);
    }
    text += '\n';
  }
  return text;
}

std::string draw_svg(const llm::Mapping& mapping, const wafer::Geometry& geometry,
                     const wafer::Faults& faults) {
  constexpr int kSide = 10;  // of a core
  const auto uses = uses_of(mapping, geometry, faults);
  const int width = geometry.columns() * kSide;
  const int height = geometry.rows() * kSide;
  auto svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" shape-rendering=\"crispEdges\">\n",
      width, height);
  for (CoreId::Value core = 0; core < uses.size(); ++core) {
    const auto at = geometry.coordinate(CoreId{core});
    svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", at.x * kSide,
                       at.y * kSide, kSide, kSide, colour_of(uses[core]));
  }
  for (int x = 1; x < geometry.die_columns; ++x) {
    const int at = x * geometry.core_columns * kSide;
    svg += fmt::format("<path d=\"M{} 0V{}\" stroke=\"#555\"/>\n", at, height);
  }
  for (int y = 1; y < geometry.die_rows; ++y) {
    const int at = y * geometry.core_rows * kSide;
    svg += fmt::format("<path d=\"M0 {}H{}\" stroke=\"#555\"/>\n", at, width);
  }
  svg += "<path fill=\"none\" stroke=\"#000\" stroke-width=\"2\" d=\"";
  char step = 'M';
  for (const CoreId home : homes_of(mapping)) {
    const auto at = geometry.coordinate(home);
    svg += fmt::format("{}{} {}", step, at.x * kSide + kSide / 2, at.y * kSide + kSide / 2);
    step = 'L';
  }
  return svg + "\"/>\n</svg>\n";
}

}  // namespace ouro::tools
