#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "engine/config.hpp"
#include "engine/error.hpp"

namespace ouro::engine {
namespace {

using namespace std::chrono_literals;

const ConfigText kWafer{"wafer.toml", R"(seed = 1  # [chosen] any
[wafer]
clock = "1 GHz"  # [assumed] fit knob; sweep 0.2-1.0
name = "a # b"   # [paper] section 4
dies = 84        # [paper] section 4
[wafer.noc]
hop = "2 cycles"  # [assumed]
load = 0.5        # [assumed] share
adaptive = false  # [chosen]
vcs = [           # [chosen] one list over lines
  1,
  2,
]
)"};
const ConfigText kEnergy{"energy.toml", "[energy]\nlink = \"0.15 pJ/bit/mm\"  # [paper] table 2\n"};

Config with_user(const std::string& text) {
  return Config{{kWafer, kEnergy}, ConfigText{"exp.toml", text}};
}

Config with_set(const std::vector<std::string>& assignments) {
  return Config{{kWafer, kEnergy}, {}, assignments};
}

template <class Action>
std::string refusal_of(const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string user_refusal(const std::string& text) {
  return refusal_of([&] { with_user(text); });
}

std::string set_refusal(const std::string& assignment) {
  return refusal_of([&] { with_set({assignment}); });
}

Setting text_setting(const std::string& text) {
  return {"exp.toml:3: wafer.clock", Value{text}};
}

TEST(Config, GivesTheDefaultsWithTheirPlace) {
  const auto config = with_user("");
  EXPECT_EQ(config.at("seed").as_int(), 1);
  EXPECT_EQ(config.at("wafer.clock").as_clock_period(), 1ns);
  EXPECT_EQ(config.at("energy.link").as_femtojoules("/bit/mm"), 150);
  EXPECT_EQ(config.at("wafer.clock").where(), "default: wafer.clock");
  EXPECT_EQ(config.at("wafer.noc.vcs").as_int_list(), (std::vector<std::int64_t>{1, 2}));
}

TEST(Config, TheUsersFileCoversADefaultAndAnAssignmentCoversBoth) {
  const auto user = ConfigText{"exp.toml", "[wafer]\nclock = \"500 MHz\"\ndies = 4\n"};
  const Config config{{kWafer, kEnergy}, user, {"wafer.dies=20", "wafer.dies = 21"}};
  EXPECT_EQ(config.at("wafer.clock").as_clock_period(), 2ns);
  EXPECT_EQ(config.at("wafer.clock").where(), "exp.toml:2: wafer.clock");
  EXPECT_EQ(config.at("wafer.dies").as_int(), 21);
  EXPECT_EQ(config.at("wafer.dies").where(), "--set wafer.dies");
}

TEST(Config, AnAssignmentIsATomlValueOrElseText) {
  const auto config = with_set({"wafer.clock=1.5 GHz", "wafer.name=\"quoted = text\"", "wafer.noc.vcs=[3, 4]",
                                "wafer.noc.adaptive=true", "energy.link=0.2 pJ/bit/mm"});
  EXPECT_EQ(config.at("wafer.clock").as_string(), "1.5 GHz");
  EXPECT_EQ(config.at("wafer.name").as_string(), "quoted = text");
  EXPECT_EQ(config.at("wafer.noc.vcs").as_int_list(), (std::vector<std::int64_t>{3, 4}));
  EXPECT_TRUE(config.at("wafer.noc.adaptive").as_bool());
  EXPECT_EQ(config.at("energy.link").as_femtojoules("/bit/mm"), 200);
}

TEST(Config, AnAssignmentCannotBringASecondKey) {
  EXPECT_EQ(with_set({"wafer.name=\"x\"\nother = 1"}).at("wafer.name").as_string(), "\"x\"\nother = 1");
}

TEST(Config, RefusesAnUnknownKeyWithTheNearestKnownOne) {
  EXPECT_EQ(user_refusal("[wafer]\nclok = 1\n"),
            "exp.toml:2: unknown key 'wafer.clok'; did you mean 'wafer.clock'?");
  EXPECT_EQ(set_refusal("wafer.noc.hops=1"),
            "--set wafer.noc.hops: unknown key 'wafer.noc.hops'; did you mean 'wafer.noc.hop'?");
  EXPECT_EQ(set_refusal("waver.clock=1"),
            "--set waver.clock: unknown key 'waver.clock'; did you mean 'wafer.clock'?");
}

TEST(Config, ListsTheTableWhereNothingIsNear) {
  EXPECT_EQ(user_refusal("[wafer.noc]\ntemperature = 1\n"),
            "exp.toml:2: unknown key 'wafer.noc.temperature'; known there: hop, load, adaptive, vcs");
  EXPECT_EQ(set_refusal("a.temperature=1"),
            "--set a.temperature: unknown key 'a.temperature'; known tables: wafer, wafer.noc, energy");
}

TEST(Config, RefusesAnUnknownTableEvenIfEmpty) {
  EXPECT_EQ(user_refusal("\n[wafr]\n"), "exp.toml:2: unknown table 'wafr'; did you mean 'wafer'?");
  EXPECT_EQ(user_refusal("[temperature]\nx = 1\n"),
            "exp.toml:1: unknown table 'temperature'; known tables: wafer, wafer.noc, energy");
}

TEST(Config, TellsTablesFromKeys) {
  EXPECT_EQ(user_refusal("[wafer.clock]\n"), "exp.toml:1: 'wafer.clock' is a key, not a table");
  EXPECT_EQ(user_refusal("energy = 3\n"), "exp.toml:1: 'energy' is a table, not a key; its keys: link");
  EXPECT_NE(user_refusal("[[wafer]]\nclock = 1\n"), "accepted");
  EXPECT_EQ(user_refusal("\"wafer.clock\" = \"1 GHz\"\n"),
            "exp.toml:1: 'wafer.clock' is not the name of a key; names have letters, digits, '_' and '-', "
            "and no quotes");
}

TEST(Config, RefusesAValueOfAnotherType) {
  EXPECT_EQ(user_refusal("[wafer]\nclock = 1\n"),
            "exp.toml:2: wafer.clock: 1 is an integer; text such as \"1 GHz\" is needed");
  EXPECT_EQ(set_refusal("wafer.dies=1.5"),
            "--set wafer.dies: 1.5 is a number; an integer such as 84 is needed");
  EXPECT_EQ(set_refusal("wafer.noc.adaptive=yes"),
            "--set wafer.noc.adaptive: \"yes\" is text; true or false such as false is needed");
  EXPECT_EQ(set_refusal("wafer.noc.vcs=1"),
            "--set wafer.noc.vcs: 1 is an integer; a list such as [1, 2] is needed");
  EXPECT_NE(user_refusal("[wafer]\ndies = 2020-01-01\n"), "accepted");
}

TEST(Config, TakesAnIntegerForANumber) {
  EXPECT_EQ(with_set({"wafer.noc.load=1"}).at("wafer.noc.load").as_number(0, 1), 1.0);
}

TEST(Config, NamesTheLineOfASyntaxError) {
  EXPECT_EQ(user_refusal("seed = 1\n\nseed = 2\n"), "exp.toml:3: cannot redefine existing integer 'seed'");
  EXPECT_EQ(user_refusal("[wafer]\nclock = 1 GHz\n"),
            "exp.toml:2: expected a comment or whitespace, saw 'G'; text and values with units stand in "
            "double quotes");
  EXPECT_TRUE(user_refusal("[wafer\n").starts_with("exp.toml:1: "));
}

TEST(Config, RefusesWhatIsNoAssignment) {
  EXPECT_EQ(set_refusal("wafer.clock"),
            "--set wafer.clock: is not an assignment; write --set section.key=value");
  EXPECT_NE(set_refusal("=1"), "accepted");
  EXPECT_NE(set_refusal("wafer.clock="), "accepted");
  EXPECT_NE(set_refusal(""), "accepted");
}

TEST(Config, RefusesWhatIsNoReadableFile) {
  const auto directory = std::filesystem::temp_directory_path();
  EXPECT_EQ(refusal_of([] { read_config_text("/no/such.toml"); }), "/no/such.toml: there is no such file");
  EXPECT_EQ(refusal_of([&] { read_config_text(directory); }),
            directory.string() + ": is a directory; a TOML file is needed");
}

TEST(Config, ReadsAFile) {
  const auto path = std::filesystem::path{testing::TempDir()} / "test_config_reads.toml";
  std::ofstream{path} << "seed = 7\n";
  const auto text = read_config_text(path);
  EXPECT_EQ(text.name, path.string());
  EXPECT_EQ((Config{{kWafer}, text}.at("seed").as_int()), 7);
  std::filesystem::remove(path);
}

TEST(Config, TheDefaultsHaveEachKeyOnceAndAllThatIsAsked) {
  EXPECT_THROW((Config{{kWafer, kWafer}}), ContractError);
  EXPECT_THROW(with_user("").at("wafer.clok"), ContractError);
}

TEST(Config, PrintsEachLineWithWhereItsValueIsFrom) {
  const auto user = ConfigText{"exp.toml", "[wafer]\nclock = \"500 MHz\"  # mine\n"};
  const Config config{{kWafer, kEnergy}, user, {"wafer.dies=4"}};
  EXPECT_EQ(config.resolved_toml(), R"(seed = 1  # [chosen] any

[wafer]
clock = "500 MHz"  # set in exp.toml:2 (default: "1 GHz")
name = "a # b"  # [paper] section 4
dies = 4  # --set (default: 84)

[wafer.noc]
hop = "2 cycles"  # [assumed]
load = 0.5  # [assumed] share
adaptive = false  # [chosen]
vcs = [1, 2]  # [chosen] one list over lines

[energy]
link = "0.15 pJ/bit/mm"  # [paper] table 2
)");
}

TEST(Config, WhatItPrintsGivesTheSameValuesWhenReadBack) {
  const auto changed = with_set({"wafer.name=\"tab\\t quote\\\" back\\\\ line\\n bell\\u0007 é #\"",
                                 "wafer.noc.load=0.1", "wafer.noc.vcs=[]", "seed=-9223372036854775808"});
  const auto again = Config{{kWafer, kEnergy}, ConfigText{"odd\nname.toml", changed.resolved_toml()}};
  const auto third = Config{{kWafer, kEnergy}, ConfigText{"x", again.resolved_toml()}};
  for (const auto* config : {&again, &third}) {
    EXPECT_EQ(config->at("wafer.name").as_string(), "tab\t quote\" back\\ line\n bell\a é #");
    EXPECT_EQ(config->at("wafer.noc.load").as_number(), 0.1);
    EXPECT_TRUE(config->at("wafer.noc.vcs").as_int_list().empty());
    EXPECT_EQ(config->at("seed").as_int(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(config->at("wafer.clock").as_clock_period(), 1ns);
  }
}

TEST(Config, ItsChangesAloneGiveTheSameConfiguration) {
  const auto config = with_user("[wafer]\ndies = 63\n[wafer.noc]\nload = 1\n");
  const auto changes = config.changes_toml();
  EXPECT_EQ(changes,
            "\n[wafer]\ndies = 63  # set in exp.toml:2 (default: 84)\n"
            "\n[wafer.noc]\nload = 1  # set in exp.toml:4 (default: 0.5)\n");
  EXPECT_EQ(with_user(changes).values_toml(), config.values_toml());
  EXPECT_EQ(with_user("").changes_toml(), "");
}

TEST(Config, IsToldFromAnotherByItsValuesNotByWhereTheyAreFrom) {
  const auto said = with_user("# any\n\nseed = 2\n");
  EXPECT_EQ(said.values_toml(), with_set({"seed=2"}).values_toml());
  EXPECT_NE(said.values_toml(), with_user("").values_toml());
}

TEST(Config, AValueThatIsPutOverItIsCheckedAsOneOfAFile) {
  auto config = with_user("seed = 2\n");
  config.set("sweep.toml:7", "seed", {std::int64_t{3}});
  EXPECT_EQ(config.at("seed").as_int(), 3);
  EXPECT_EQ(config.at("seed").where(), "sweep.toml:7: seed");
  EXPECT_EQ(refusal_of([&] { config.set("sweep.toml:8", "sead", {std::int64_t{3}}); }),
            "sweep.toml:8: unknown key 'sead'; did you mean 'seed'?");
  EXPECT_EQ(refusal_of([&] { config.set("sweep.toml:8", "seed", {std::string{"x"}}); }),
            "sweep.toml:8: seed: \"x\" is text; an integer such as 1 is needed");
}

TEST(Setting, ChecksTheRangeAtItsEdges) {
  const Setting setting{"here", Value{std::int64_t{16}}};
  EXPECT_EQ(setting.as_int(16, 16), 16);
  EXPECT_EQ(refusal_of([&] { setting.as_int(1, 15); }), "here: 16 is out of range; 1 to 15 is needed");
  EXPECT_EQ(refusal_of([&] { setting.as_int(17); }), "here: 16 is out of range; at least 17 is needed");
  EXPECT_EQ(refusal_of([&] { setting.as_number(0, 1); }), "here: 16 is out of range; 0 to 1 is needed");
  EXPECT_THROW((Setting{"here", Value{NAN}}.as_number()), InputError);
  EXPECT_THROW((Setting{"here", Value{INFINITY}}.as_number()), InputError);
}

TEST(Setting, AClockIsAFrequencyOrAPeriod) {
  EXPECT_EQ(text_setting("1 GHz").as_clock_period(), 1ns);
  EXPECT_EQ(text_setting("800 MHz").as_clock_period(), Duration{1250});
  EXPECT_EQ(text_setting("3333 ps").as_clock_period(), Duration{3333});
  EXPECT_EQ(refusal_of([] { text_setting("300 MHz").as_clock_period(); }),
            "exp.toml:3: wafer.clock: a cycle of '300 MHz' is not a whole number of ps; write the period, "
            "such as \"3333 ps\"");
  EXPECT_EQ(refusal_of([] { text_setting("1 GHzz").as_clock_period(); }),
            "exp.toml:3: wafer.clock: '1 GHzz' has unit 'GHzz'; a frequency such as \"1 GHz\" is needed");
  EXPECT_THROW(text_setting("0 GHz").as_clock_period(), InputError);
  EXPECT_THROW(text_setting("0 ps").as_clock_period(), InputError);
  EXPECT_THROW(text_setting("2000 GHz").as_clock_period(), InputError);
}

TEST(Setting, ReadsQuantities) {
  EXPECT_EQ(text_setting("10 ms").as_duration(), 10ms);
  EXPECT_EQ(text_setting("1 cycle").as_cycles(), 1);
  EXPECT_EQ(text_setting("4 MiB").as_bytes(), 4 << 20);
  EXPECT_EQ(text_setting("256 bit").as_bits(), 256);
  EXPECT_EQ(text_setting("0.05 pJ/MAC").as_femtojoules("/MAC"), 50);
  EXPECT_EQ(text_setting("3 kW").as_watts(), 3000.0);
  EXPECT_EQ(text_setting("1.82 mm").as_millimetres(), 1.82);
}

TEST(Setting, NamesTheKnownChoices) {
  const auto choose = [](const std::string& word) {
    return refusal_of([&] { text_setting(word).as_choice({"rows", "rectangles", "list"}); });
  };
  EXPECT_EQ(choose("rows"), "accepted");
  EXPECT_EQ(choose("rectangle"),
            "exp.toml:3: wafer.clock: there is no 'rectangle'; did you mean 'rectangles'? known: rows, "
            "rectangles, list");
  EXPECT_EQ(choose("hilbert"),
            "exp.toml:3: wafer.clock: there is no 'hilbert'; known: rows, rectangles, list");
}

TEST(Setting, RefusesAListOfOtherThanIntegers) {
  const Setting setting{"here", Value{Value::List{Value{std::int64_t{1}}, Value{std::string{"x"}}}}};
  EXPECT_EQ(refusal_of([&] { setting.as_int_list(); }), "here: \"x\" is text; an integer is needed");
}

}  // namespace
}  // namespace ouro::engine
