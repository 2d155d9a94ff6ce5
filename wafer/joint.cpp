#include "wafer/joint.hpp"

#include <algorithm>

#include "wafer/faults.hpp"

namespace ouro::wafer {

std::vector<int> evenly_spaced(int links, int columns) {
  std::vector<int> places;
  places.reserve(static_cast<std::size_t>(links));
  for (int i = 0; i < links; ++i) places.push_back((2 * i + 1) * columns / (2 * links));
  return places;
}

void leave_out_links(const Geometry& geometry, const Joint& joint, Faults& faults) {
  for (int wafer = 1; wafer < geometry.wafers; ++wafer) {
    for (int x = 0; x < geometry.columns(); ++x) {
      if (std::find(joint.columns.begin(), joint.columns.end(), x) != joint.columns.end()) continue;
      faults.leave_out(geometry.core_at({x, wafer * geometry.rows_of_wafer()}), Direction::north);
    }
  }
}

}  // namespace ouro::wafer
