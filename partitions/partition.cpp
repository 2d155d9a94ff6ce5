#include "partitions/partition.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.hpp"

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

Partition read_list(const engine::Setting& setting, const wafer::Geometry& geometry, int ranks) {
  const auto regions = setting.as_int_list();
  if (regions.size() != static_cast<std::size_t>(geometry.dies())) {
    throw setting.refusal(fmt::format("has {} regions for {} dies", regions.size(), geometry.dies()),
                          "one for each die, row by row");
  }
  std::vector<bool> used(static_cast<std::size_t>(ranks), false);
  Partition partition;
  for (const auto region : regions) {
    if (region < 0 || region >= ranks) {
      throw setting.refusal(fmt::format("{} is not a rank of this run", region),
                            fmt::format("ranks are 0 to {}", ranks - 1));
    }
    used[static_cast<std::size_t>(region)] = true;
    partition.push_back(static_cast<int>(region));
  }
  const auto idle = std::find(used.begin(), used.end(), false);
  if (idle != used.end()) {
    throw setting.refusal(fmt::format("gives rank {} no die", idle - used.begin()), "every rank needs one");
  }
  return partition;
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

Partition read_partition(const engine::Config& config, const wafer::Geometry& geometry, int ranks) {
  if (ranks > geometry.dies()) {
    throw engine::InputError{
        "", fmt::format("{} ranks are more than the {} dies that can be shared out", ranks, geometry.dies()),
        fmt::format("the largest useful number is {}", geometry.dies())};
  }
  const auto method = config.at("partition.method").as_choice({"rows", "rectangles", "list"});
  if (method == "rectangles") return by_rectangles(geometry, ranks);
  if (method == "list") return read_list(config.at("partition.regions"), geometry, ranks);
  return by_rows(geometry, ranks);
}

}  // namespace ouro::partitions
