#pragma once

#include <compare>
#include <cstdint>

namespace ouro::engine {

/// An index that cannot be passed for the index of something else.
template <class Tag>
class Id {
 public:
  using Value = std::uint32_t;

  constexpr Id() = default;
  constexpr explicit Id(Value value) : value_{value} {}
  constexpr Value value() const { return value_; }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  Value value_ = 0;
};

}  // namespace ouro::engine
