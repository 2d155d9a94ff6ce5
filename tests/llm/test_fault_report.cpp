#include <gtest/gtest.h>

#include "llm/fault_report.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::tests {
namespace {

/// Two blocks on 4 x 3 cores along the snake: of block b QKV, KV, O, gate and up (G), down (D); the LM head
/// (L).
///
///   Q0  Q1  K1  spare
///   K0  D0  O1  L
///   O0  G0  G1  D1
llm::FaultReport report(const std::string& rows) {
  const TemporaryFile map{"map.csv", "kind,x,y,direction\n" + rows};
  const auto experiment =
      read_toy({.layers = 2}, {"wafer.die_columns=1", "wafer.die_rows=1", "wafer.core_columns=4",
                               "wafer.core_rows=3", "wafer.faults.map_file=" + map.path()});
  return llm::report_faults(*experiment->plan, experiment->mapping);
}

int without_effect(const std::string& rows) {
  return report(rows).without_effect;
}

TEST(FaultReport, CountsWhatIsDead) {
  const auto found = report("core,3,0,\nlink,1,2,east\n");
  EXPECT_EQ(found.cores, 1);
  EXPECT_EQ(found.routers, 0);
  EXPECT_EQ(found.links, 1);
  EXPECT_EQ(describe(found), "dead: 1 core, 0 routers, 1 link; 2 of these have no effect on the model");
  EXPECT_EQ(report("").faults(), 0);
}

TEST(FaultReport, KnowsTheCoresThatTheModelWouldUse) {
  EXPECT_EQ(without_effect("core,3,0,\n"), 1);
  EXPECT_EQ(without_effect("core,1,1,\n"), 0);  // the spare core takes part instead
}

TEST(FaultReport, KnowsTheLinksThatPacketsWouldTake) {
  EXPECT_EQ(without_effect("link,1,2,east\n"), 1);   // G0 and G1 have nothing to do with each other
  EXPECT_EQ(without_effect("link,1,1,east\n"), 0);   // L to the host, all along its row
  EXPECT_EQ(without_effect("link,3,0,west\n"), 0);   // the host to L, along its row first
  EXPECT_EQ(without_effect("link,0,1,south\n"), 0);  // K0 to O0
  EXPECT_EQ(without_effect("link,2,0,south\n"), 0);  // O1 from K1
}

TEST(FaultReport, KnowsTheRoutersThatPacketsWouldPass) {
  EXPECT_EQ(without_effect("router,3,0,\n"), 0);  // its core is spare, but the host's credits turn there
}

}  // namespace
}  // namespace ouro::tests
