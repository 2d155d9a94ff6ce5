#include "llm/core_order.hpp"

#include <algorithm>

#include "engine/random.hpp"

namespace ouro::llm {

using wafer::CoreId;

namespace {

/// The cores of one rectangle, row by row; what lies beyond the wafer is left out.
void append_rows(std::vector<CoreId>& order, const wafer::Geometry& geometry, wafer::Coordinate corner,
                 int columns, int rows) {
  for (int y = corner.y; y < std::min(corner.y + rows, geometry.rows()); ++y) {
    for (int x = corner.x; x < std::min(corner.x + columns, geometry.columns()); ++x)
      order.push_back(geometry.core_at({x, y}));
  }
}

int square_side(int cores) {
  int side = 1;
  while (side * side < cores) ++side;
  return side;
}

}  // namespace

std::vector<CoreId> snake_order(const wafer::Geometry& geometry) {
  std::vector<CoreId> order;
  order.reserve(static_cast<std::size_t>(geometry.cores()));
  for (int die_row = 0; die_row < geometry.die_rows; ++die_row) {
    const bool eastward = die_row % 2 == 0;
    for (int i = 0; i < geometry.columns(); ++i) {
      const int x = eastward ? i : geometry.columns() - 1 - i;
      const bool southward = i % 2 == 0;
      for (int j = 0; j < geometry.core_rows; ++j) {
        const int y = southward ? j : geometry.core_rows - 1 - j;
        order.push_back(geometry.core_at({x, die_row * geometry.core_rows + y}));
      }
    }
  }
  return order;
}

std::vector<CoreId> row_order(const wafer::Geometry& geometry) {
  std::vector<CoreId> order;
  order.reserve(static_cast<std::size_t>(geometry.cores()));
  append_rows(order, geometry, {0, 0}, geometry.columns(), geometry.rows());
  return order;
}

std::vector<CoreId> square_order(const wafer::Geometry& geometry, int cores_of_square) {
  std::vector<CoreId> order;
  order.reserve(static_cast<std::size_t>(geometry.cores()));
  const int side = square_side(cores_of_square);
  for (int y = 0; y < geometry.rows(); y += side) {
    for (int x = 0; x < geometry.columns(); x += side) append_rows(order, geometry, {x, y}, side, side);
  }
  return order;
}

std::vector<CoreId> random_order(const wafer::Geometry& geometry, std::uint64_t seed) {
  auto order = row_order(geometry);
  for (std::size_t i = order.size(); i > 1; --i) {  // Fisher and Yates
    const auto other = engine::uniform_below(i, {seed, engine::random_purpose("random core order"), i});
    std::swap(order[i - 1], order[other]);
  }
  return order;
}

std::vector<CoreId> live_cores(const wafer::Geometry& geometry, const wafer::Faults& faults) {
  auto cores = row_order(geometry);
  std::erase_if(cores, [&](CoreId core) { return faults.core_is_dead(core); });
  return cores;
}

}  // namespace ouro::llm
