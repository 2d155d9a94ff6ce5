#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "engine/error.hpp"
#include "engine/units.hpp"

namespace ouro::engine {
namespace {

constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();

std::int64_t duration(std::string_view text) {
  return parse_quantity("here", text, duration_units());
}

std::string refusal(std::string_view text, const UnitTable& table) {
  try {
    parse_quantity("here", text, table);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Units, DurationsAreWholePicoseconds) {
  EXPECT_EQ(duration("1 ps"), 1);
  EXPECT_EQ(duration("1.5 us"), 1'500'000);
  EXPECT_EQ(duration("10 ms"), 10'000'000'000);
  EXPECT_EQ(duration("2 min"), 120'000'000'000'000);
  EXPECT_EQ(duration("1 h"), 3'600'000'000'000'000);
  EXPECT_EQ(duration("0 s"), 0);
}

TEST(Units, SpaceAroundNumberAndUnitIsFree) {
  EXPECT_EQ(duration("10ns"), 10'000);
  EXPECT_EQ(duration("  10 \t ns "), 10'000);
}

TEST(Units, DecimalDigitsAreExactWhereADoubleIsNot) {
  ASSERT_NE(static_cast<std::int64_t>(0.29 * 100), 29);  // what this guards against
  EXPECT_EQ(parse_quantity("", "0.27 pJ/bit", energy_units("/bit")), 270);
  EXPECT_EQ(parse_quantity("", "0.15 pJ/bit/mm", energy_units("/bit/mm")), 150);
  EXPECT_EQ(parse_quantity("", "4.35 pJ", energy_units("")), 4350);
  EXPECT_EQ(duration("9007199254.740993 ms"), 9'007'199'254'740'993'000);  // 2^53 + 1
}

TEST(Units, ZerosAtTheEndOfAFractionChangeNothing) {
  EXPECT_EQ(duration("1.0 ps"), 1);
  EXPECT_EQ(duration("1.500000000000000000000000 ns"), 1'500);
}

TEST(Units, TheLargestCountIsAcceptedAndOneMoreIsRefused) {
  EXPECT_EQ(duration("9223372036854775807 ps"), kLargest);
  EXPECT_EQ(duration("9223372036854775.807 ns"), kLargest);
  EXPECT_EQ(refusal("9223372036854775808 ps", duration_units()),
            "here: '9223372036854775808 ps' has more digits than 64 bits can hold");
  EXPECT_EQ(refusal("2563 h", duration_units()), "here: '2563 h' is beyond the 64 bits that count ps");
  EXPECT_EQ(duration("2562 h"), 2562 * 3'600'000'000'000'000);
}

TEST(Units, APartOfABaseUnitIsRefused) {
  EXPECT_EQ(duration("0.001 ns"), 1);
  EXPECT_EQ(refusal("0.0015 ns", duration_units()), "here: '0.0015 ns' is not a whole number of ps");
  EXPECT_EQ(refusal("1.5 cycles", cycle_units()), "here: '1.5 cycles' is not a whole number of cycles");
}

TEST(Units, AMistakenUnitIsNamedWithWhatIsNeeded) {
  EXPECT_EQ(refusal("1 GHzz", frequency_units()),
            "here: '1 GHzz' has unit 'GHzz'; a frequency such as \"1 GHz\" is needed");
  EXPECT_EQ(refusal("1 pJ/bit", energy_units("/MAC")),
            "here: '1 pJ/bit' has unit 'pJ/bit'; an energy such as \"0.15 pJ/MAC\" is needed");
  EXPECT_EQ(refusal("0", duration_units()), "here: '0' has no unit; a duration such as \"10 ms\" is needed");
}

TEST(Units, WhatIsNoPlainDecimalNumberIsRefused) {
  for (const auto* text : {"", "ns", "inf ns", "nan ns", ".5 ns", "1. ns", "- 1 ns", "0x10 ns"}) {
    EXPECT_NE(refusal(text, duration_units()), "accepted") << text;
  }
  EXPECT_EQ(refusal("1e3 ns", duration_units()),
            "here: '1e3 ns' has unit 'e3 ns'; a duration such as \"10 ms\" is needed");
  EXPECT_EQ(refusal("-1 ns", duration_units()),
            "here: '-1 ns' is negative; a duration such as \"10 ms\" is needed");
}

TEST(Units, KilobytesAreDecimalAndKibibytesBinary) {
  EXPECT_EQ(parse_quantity("", "128 KB", byte_units()), 128'000);
  EXPECT_EQ(parse_quantity("", "128 KiB", byte_units()), 131'072);
  EXPECT_EQ(parse_quantity("", "4 MiB", byte_units()), 4'194'304);
  EXPECT_EQ(parse_quantity("", "0.5 KiB", byte_units()), 512);
  EXPECT_EQ(parse_quantity("", "1 TB", byte_units()), 1'000'000'000'000);
}

TEST(Units, RealQuantitiesAreTheNearestDouble) {
  EXPECT_EQ(parse_real_quantity("", "3 kW", power_units()), 3000.0);
  EXPECT_EQ(parse_real_quantity("", "0.07 kW", power_units()), 70.0);  // 0.07 * 1000 is not
  EXPECT_EQ(parse_real_quantity("", "1.82 mm", length_units()), 1.82);
  EXPECT_EQ(parse_real_quantity("", "21.5 cm", length_units()), 215.0);
  const auto huge = std::string(400, '9') + " W";
  EXPECT_THROW(parse_real_quantity("", huge, power_units()), InputError);
}

TEST(Units, TheKindOfAQuantityIsSeenFromItsUnit) {
  EXPECT_TRUE(has_unit_of("3333 ps", duration_units()));
  EXPECT_FALSE(has_unit_of("1 GHz", duration_units()));
  EXPECT_FALSE(has_unit_of("GHz", frequency_units()));
}

}  // namespace
}  // namespace ouro::engine
