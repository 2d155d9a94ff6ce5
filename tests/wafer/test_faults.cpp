#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/error.hpp"
#include "wafer/fault_map.hpp"

namespace ouro::wafer {
namespace {

const Geometry kGeometry{2, 1, 3, 4};  // 6 x 4 cores

class FaultMap : public ::testing::Test {
 protected:
  Faults read(const std::string& rows) {
    std::ofstream{path_} << "kind,x,y,direction\n" << rows;
    return read_fault_map(path_, kGeometry, {0, 1});
  }
  /// Without the name of the file.
  std::string refusal(const std::string& rows) {
    try {
      read(rows);
    } catch (const engine::InputError& error) {
      std::string sentence = error.what();
      for (std::size_t at; (at = sentence.find(path_.string())) != std::string::npos;)
        sentence.replace(at, path_.string().size(), "map.csv");
      return sentence;
    }
    return "accepted";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  static CoreId core(int x, int y) { return kGeometry.core_at({x, y}); }

 private:
  std::filesystem::path path_ =
      std::filesystem::path{::testing::TempDir()} / fmt::format("ouro-{}-map.csv", getpid());
};

TEST_F(FaultMap, KillsACoreAndNotItsRouter) {
  const auto faults = read("core,2,3,\n");
  EXPECT_TRUE(faults.core_is_dead(core(2, 3)));
  EXPECT_FALSE(faults.router_is_dead(core(2, 3)));
  EXPECT_TRUE(faults.network_is_whole());
  EXPECT_EQ(faults.dead_cores(), 1);
}

TEST_F(FaultMap, KillsALinkBothWays) {
  const auto faults = read("link,2,3,east\n");
  EXPECT_TRUE(faults.link_is_dead(core(2, 3), Direction::east));
  EXPECT_TRUE(faults.link_is_dead(core(3, 3), Direction::west));
  EXPECT_FALSE(faults.link_is_dead(core(2, 3), Direction::north));
  EXPECT_FALSE(faults.network_is_whole());
  EXPECT_EQ(faults.dead_cores(), 0);
}

TEST_F(FaultMap, KillsWithARouterItsCoreAndItsLinks) {
  const auto faults = read("router,0,3,\nrouter,1,3,\n");  // neighbours: the link between is dead by both
  for (const int x : {0, 1}) {
    EXPECT_TRUE(faults.router_is_dead(core(x, 3)));
    EXPECT_TRUE(faults.core_is_dead(core(x, 3)));
    EXPECT_TRUE(faults.link_is_dead(core(x, 2), Direction::south));
  }
  EXPECT_TRUE(faults.link_is_dead(core(2, 3), Direction::west));
  EXPECT_EQ(faults.dead_cores(), 2);
  EXPECT_EQ(faults.list().size(), 2U);
}

TEST_F(FaultMap, RefusesWhatIsNotOnTheWafer) {
  EXPECT_EQ(refusal("core,1,1,\ncore,6,0,\n"),
            "map.csv:3: x: '6' is not accepted; it must be a whole number from 0 to 5");
  EXPECT_EQ(refusal("core,0,-1,\n"),
            "map.csv:2: y: '-1' is not accepted; it must be a whole number from 0 to 3");
  EXPECT_EQ(refusal("link,5,2,east\n"), "map.csv:2: the link east of (5, 2) leads off the wafer");
  EXPECT_EQ(refusal("link,0,1,west\n"), "map.csv:2: the link west of (0, 1) leads off the wafer");
}

TEST_F(FaultMap, RefusesWordsThatItDoesNotKnow) {
  EXPECT_EQ(refusal("wire,0,0,\n"), "map.csv:2: kind: 'wire' is not accepted; known: core, router, link");
  EXPECT_EQ(refusal("link,0,0,\n"),
            "map.csv:2: direction: '' is not accepted; known: east, west, north, south");
  EXPECT_EQ(refusal("core,0,0,east\n"),
            "map.csv:2: the core at (0, 0) has no direction; leave it empty; it is for links");
}

TEST_F(FaultMap, RefusesTheRouterOfTheHost) {
  EXPECT_EQ(refusal("router,0,1,\n"),
            "map.csv:2: the router at (0, 1) has the link to the host; it must be alive");
  EXPECT_EQ(refusal("core,0,1,\n"), "accepted");
}

TEST_F(FaultMap, RefusesWhatAnotherRowSaysToo) {
  for (const auto& [rows, name] : std::vector<std::pair<std::string, std::string>>{
           {"core,1,1,\ncore,1,1,\n", "the core at (1, 1)"},
           {"core,1,1,\nrouter,1,1,\n", "the router at (1, 1)"},
           {"router,1,1,\ncore,1,1,\n", "the core at (1, 1)"},
           {"router,1,1,\nrouter,1,1,\n", "the router at (1, 1)"},
           {"link,1,1,east\nlink,2,1,west\n", "the link west of (2, 1)"},
           {"router,1,1,\nlink,1,2,north\n", "the link north of (1, 2)"},
           {"link,1,2,north\nrouter,1,1,\n", "the router at (1, 1)"}}) {
    EXPECT_EQ(
        refusal(rows),
        fmt::format("map.csv:3: {} is already dead, or part of it: see map.csv:2; one row for each fault",
                    name));
  }
}

}  // namespace
}  // namespace ouro::wafer
