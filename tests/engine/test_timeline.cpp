#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/timeline.hpp"

namespace ouro::engine {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kWindow = std::int64_t{1} << 20;

Time at(std::int64_t window) {
  return from_picoseconds(window * kWindow + 1);
}

TEST(Timeline, AddsUpWhatHappensInAWindow) {
  Timeline line;
  line.add(at(0), 2);
  line.add(at(2), 3);
  line.add(at(2), 4);
  EXPECT_THAT(line.values(), ElementsAre(2, 0, 7));
}

TEST(Timeline, CarriesALevelThroughWindowsInWhichItDoesNotChange) {
  Timeline line{Timeline::Merge::maximum};
  line.add(at(1), 5);
  line.add(at(3), 2);
  line.add(at(5), 1);
  EXPECT_THAT(line.values(), ElementsAre(0, 5, 5, 5, 2, 2)) << "a window begins with the level before it";
}

TEST(Timeline, KeepsTheHighestLevelOfWindowsThatAreMerged) {
  Timeline line{Timeline::Merge::maximum};
  line.add(at(0), 9);
  line.add(at(1), 1);
  line.widen_to(line.shift() + 1);
  line.add(at(6), 3);
  EXPECT_THAT(line.values(), ElementsAre(9, 1, 1, 3));
}

}  // namespace
}  // namespace ouro::engine
