#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/error.hpp"
#include "tools/sweep_names.hpp"
#include "tools/sweep_plan.hpp"

namespace ouro::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Sweep : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    write("base.toml", "[workload]\nrequests = 2\n");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream{directory_ / name} << text;
  }

  SweepPlan read(const std::string& text) const {
    write("sweep.toml", text);
    return read_sweep(directory_ / "sweep.toml");
  }

  std::string refusal(const std::string& text) const {
    try {
      read(text);
    } catch (const engine::InputError& error) {
      return error.what();
    }
    return "accepted";
  }

  std::string refusal_of_tables(const std::string& tables) const {
    return refusal("[sweep]\nexperiment = \"base.toml\"\n" + tables);
  }

 private:
  std::filesystem::path directory_ =
      std::filesystem::path{testing::TempDir()} /
      (std::string{"sweep."} + testing::UnitTest::GetInstance()->current_test_info()->name());
};

std::vector<std::string> names_of(const SweepPlan& plan) {
  std::vector<std::string> names;
  for (const auto& run : plan.runs) names.push_back(run.name);
  return names;
}

TEST_F(Sweep, AGridIsAllCombinationsAndItsLastKeyVariesFastest) {
  const auto plan = read(R"([sweep]
experiment = "base.toml"
ranks = 3
[grid]
serving.admission_threshold = [0.0, 0.25]
wafer.noc.fidelity = ["packet", "stage"]
)");
  EXPECT_EQ(plan.ranks, 3);
  EXPECT_THAT(plan.keys, ElementsAre("serving.admission_threshold", "wafer.noc.fidelity"));
  EXPECT_THAT(
      names_of(plan),
      ElementsAre("admission_threshold=0.0,fidelity=packet", "admission_threshold=0.0,fidelity=stage",
                  "admission_threshold=0.25,fidelity=packet", "admission_threshold=0.25,fidelity=stage"));
  EXPECT_EQ(plan.runs[2].config.at("serving.admission_threshold").as_number(), 0.25);
  EXPECT_EQ(plan.runs[2].config.at("wafer.noc.fidelity").as_string(), "packet");
  EXPECT_EQ(plan.runs[2].config.at("workload.requests").as_int(), 2)
      << "the base counts where nothing is set";
}

TEST_F(Sweep, InAListTheNthValuesGoTogetherAndTheGridIsAroundIt) {
  const auto plan = read(R"([sweep]
experiment = "base.toml"
[set]
workload.requests = 5
[list]
workload.seed = [1, 2, 3]
wafer.faults.seed = [7, 8, 9]
[grid]
wafer.clock = ["1 GHz", "500 MHz"]
)");
  ASSERT_EQ(plan.runs.size(), 6U);
  EXPECT_EQ(plan.runs[1].name, "clock=1GHz,workload.seed=2,faults.seed=8");
  EXPECT_EQ(plan.runs[5].config.at("wafer.faults.seed").as_int(), 9);
  EXPECT_EQ(plan.runs[5].config.at("workload.requests").as_int(), 5);
}

TEST_F(Sweep, AKeyWhoseValueIsAListVariesOverLists) {
  const auto plan = read(R"([sweep]
experiment = "base.toml"
[grid]
partition.regions = [[0, 1], [1, 0]]
)");
  EXPECT_THAT(names_of(plan), ElementsAre("regions=0-1", "regions=1-0"));
  EXPECT_THAT(plan.runs[1].config.at("partition.regions").as_int_list(), ElementsAre(1, 0));
}

TEST_F(Sweep, EveryRunHasANameThatFitsAFileAndNoOtherRunHas) {
  const std::string longest(400, 'x');
  const auto plan = read(
      "[sweep]\nexperiment = \"base.toml\"\n[grid]\nworkload.trace_file = [\"\", "
      "\"a/chat log.csv\", \"b/chat log.csv\", \"" +
      longest + "1\", \"" + longest + "2\"]\n");
  const auto names = names_of(plan);
  EXPECT_THAT(std::vector(names.begin(), names.begin() + 3),
              ElementsAre("trace_file=none", "trace_file=chatlog.csv", "trace_file=chatlog.csv-2"));
  EXPECT_NE(names[3], names[4]);
  EXPECT_LT(names[4].size(), 200U);
}

TEST_F(Sweep, WhatIsWrongInItIsNamedWithItsLine) {
  EXPECT_THAT(refusal_of_tables("[grid]\nwafer.clok = [\"1 GHz\"]\n"),
              HasSubstr("sweep.toml:4: unknown key 'wafer.clok'; did you mean 'wafer.clock'?"));
  EXPECT_THAT(refusal_of_tables("[grid]\nworkload.seed = []\n"),
              HasSubstr("sweep.toml:4: workload.seed has no value"));
  EXPECT_THAT(refusal_of_tables("[grid]\nworkload.seed = 3\n"),
              HasSubstr("a list of values such as [3] is needed"));
  EXPECT_THAT(refusal_of_tables("[grid]\nworkload.seed = [1, \"two\"]\n"),
              HasSubstr("sweep.toml:4: workload.seed: \"two\" is text; an integer such as 1 is needed"));
  EXPECT_THAT(refusal_of_tables("[grid]\nworkload.seed = [1, 2, 1]\n"),
              HasSubstr("the runs seed=1 and seed=1-2 are the same"));
  EXPECT_THAT(refusal_of_tables("[grid]\nworkload.seed = [1]\n[set]\nworkload.seed = 2\n"),
              HasSubstr("sweep.toml:6: 'workload.seed' is given twice"));
  EXPECT_THAT(refusal_of_tables("[list]\nworkload.seed = [1, 2]\nwafer.faults.seed = [1]\n"),
              HasSubstr("sweep.toml:5: wafer.faults.seed has 1 values, workload.seed has 2"));
  EXPECT_THAT(refusal_of_tables("[frid]\nworkload.seed = [1]\n"),
              HasSubstr("sweep.toml:4: 'frid.workload.seed' has no use in a sweep"));
  EXPECT_THAT(refusal_of_tables(""), HasSubstr("sweep.toml: nothing is varied"));
  EXPECT_THAT(refusal_of_tables("ranks = 0\n[grid]\nworkload.seed = [1]\n"),
              HasSubstr("sweep.toml:3: sweep.ranks"));
  EXPECT_THAT(refusal_of_tables("rank = 2\n[grid]\nworkload.seed = [1]\n"),
              HasSubstr("unknown key 'sweep.rank'; known there: experiment, ranks"));
  EXPECT_THAT(refusal("[grid]\nworkload.seed = [1]\n"), HasSubstr("no base is named"));
  EXPECT_THAT(refusal("[sweep]\nexperiment = \"none.toml\"\n[grid]\nworkload.seed = [1]\n"),
              HasSubstr("none.toml: there is no such file"));
}

TEST_F(Sweep, AGridThatNobodyCanRunIsRefused) {
  std::string tables = "[grid]\n";
  for (const auto* key : {"workload.seed", "wafer.faults.seed", "traffic.seed"}) {
    tables += std::string{key} + " = [0";
    for (int i = 1; i < 50; ++i) tables += ", " + std::to_string(i);
    tables += "]\n";
  }
  EXPECT_THAT(refusal_of_tables(tables), HasSubstr("more than 100000 runs"));
}

TEST(ShortKeys, AreTheEndsThatTellKeysApart) {
  EXPECT_THAT(short_keys({"wafer.faults.seed", "workload.seed", "wafer.clock"}),
              ElementsAre("faults.seed", "workload.seed", "clock"));
}

}  // namespace
}  // namespace ouro::tools
