#include <gtest/gtest.h>

#include <numeric>

#include "llm/system.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::tests {
namespace {

/// On 3 x 2 cores, of which one holds KV.
std::int64_t collisions(const ToyModel& model, int prompt, int outputs) {
  std::vector<std::string> assignments{"wafer.die_columns=1",    "wafer.die_rows=1",
                                       "wafer.core_columns=3",   "wafer.core_rows=2",
                                       "workload.lengths=fixed", "workload.requests=1"};
  assignments.push_back(fmt::format("workload.prompt_tokens={}", prompt));
  assignments.push_back(fmt::format("workload.output_tokens={}", outputs));
  const auto experiment = read_toy(model, assignments);
  EXPECT_EQ(experiment->plan->ring(0).size(), 1U);
  llm::System system{*experiment, 0, 1, {0}};
  system.region().run_before(engine::kNever);
  system.check_finished();
  const auto& values = system.packet_dies().front()->kv_collisions().values();
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

TEST(KvCollisions, AreNoneWhereOneHeadDecodesAlone) {
  EXPECT_EQ(collisions({.heads = 1, .kv_heads = 1, .head_dim = 128}, 1, 40), 0);
}

// The second head's K comes some cycles after the first's, which takes 64 to be written.
TEST(KvCollisions, AreOneForEachTokenWhereTwoHeadsShareACore) {
  EXPECT_EQ(collisions({.heads = 2, .kv_heads = 2, .head_dim = 64}, 1, 40), 40);
}

}  // namespace
}  // namespace ouro::tests
