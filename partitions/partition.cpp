#include "partitions/partition.hpp"

#include <algorithm>

namespace ouro::partitions {
namespace {

struct Rectangle {
  int x, y, columns, rows;
  int dies() const { return columns * rows; }
};

/// Where to cut `length` lines of `across` dies for `first` ranks of `ranks`: in proportion, but with a die
/// for every rank on both sides.
int cut_at(int length, int across, int first, int ranks) {
  const int second = ranks - first;
  const int least = (first + across - 1) / across;
  const int most = length - (second + across - 1) / across;
  const int proportional = (2 * length * first + ranks) / (2 * ranks);
  return std::clamp(proportional, least, most);
}

void split(Partition& partition, const wafer::Geometry& geometry, Rectangle part, int first_rank, int ranks) {
  if (ranks == 1) {
    for (int y = part.y; y < part.y + part.rows; ++y) {
      for (int x = part.x; x < part.x + part.columns; ++x) {
        partition[static_cast<std::size_t>(y * geometry.die_columns + x)] = first_rank;
      }
    }
    return;
  }
  const bool across_columns = part.columns >= part.rows;
  const int length = across_columns ? part.columns : part.rows;
  const int across = across_columns ? part.rows : part.columns;
  int first = ranks / 2;
  while ((first + across - 1) / across + (ranks - first + across - 1) / across > length)
    ++first;  // fill whole lines
  const int cut = cut_at(length, across, first, ranks);
  Rectangle left = part, right = part;
  (across_columns ? left.columns : left.rows) = cut;
  (across_columns ? right.columns : right.rows) = length - cut;
  (across_columns ? right.x : right.y) += cut;
  split(partition, geometry, left, first_rank, first);
  split(partition, geometry, right, first_rank + first, ranks - first);
}

}  // namespace

Partition by_rows(const wafer::Geometry& geometry, int ranks) {
  Partition partition(static_cast<std::size_t>(geometry.dies()));
  for (int i = 0; i < geometry.dies(); ++i) {
    const int row = i / geometry.die_columns;
    const int in_row = i % geometry.die_columns;
    const int column = row % 2 == 0 ? in_row : geometry.die_columns - 1 - in_row;
    partition[static_cast<std::size_t>(row * geometry.die_columns + column)] = i * ranks / geometry.dies();
  }
  return partition;
}

Partition by_rectangles(const wafer::Geometry& geometry, int ranks) {
  Partition partition(static_cast<std::size_t>(geometry.dies()));
  split(partition, geometry, {0, 0, geometry.die_columns, geometry.die_rows}, 0, ranks);
  return partition;
}

}  // namespace ouro::partitions
