#pragma once

#include <string>

#include "llm/mapping.hpp"
#include "wafer/faults.hpp"
#include "wafer/geometry.hpp"

namespace ouro::tools {

/// A letter for each core, row by row, with lines between dies: q QKV, o O, g gate and up, d down, h LM head,
/// capital where it is the home core of the group; a digit for a KV core, the last one of its block's number;
/// '.' spare, 'x' dead.
std::string draw_text(const llm::Mapping& mapping, const wafer::Geometry& geometry,
                      const wafer::Faults& faults);

/// The same as an SVG picture: a colour for each group of matrices, KV cores in a tint of their block, and
/// the way from home core to home core.
std::string draw_svg(const llm::Mapping& mapping, const wafer::Geometry& geometry,
                     const wafer::Faults& faults);

}  // namespace ouro::tools
