#pragma once

#include <cstddef>

#include "wafer/geometry.hpp"

namespace ouro::wafer {

/// Ports of a router: the four directions, then to and from its core.
inline constexpr int kInjection = 4;
inline constexpr int kEjection = 5;
inline constexpr int kLinksPerCore = 6;

/// Numbers the links of a die such that the links of a straight way are neighbours in memory, which is what a
/// packet's walk costs: a port's links together, along x, but along y for north and south.
class DieLinks {
 public:
  explicit DieLinks(const Geometry& geometry) : columns_{geometry.core_columns}, rows_{geometry.core_rows} {}

  std::size_t count() const { return static_cast<std::size_t>(kLinksPerCore * columns_ * rows_); }

  /// @param x, y  of the core, within the die
  std::size_t number(int x, int y, int port) const {
    const bool vertical =
        port == static_cast<int>(Direction::north) || port == static_cast<int>(Direction::south);
    return static_cast<std::size_t>(port * columns_ * rows_ + (vertical ? x * rows_ + y : y * columns_ + x));
  }
  /// @param core  number within the die
  std::size_t number(int core, int port) const { return number(core % columns_, core / columns_, port); }

 private:
  int columns_;
  int rows_;
};

}  // namespace ouro::wafer
