#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ouro::engine {

/// A unit that users may write, as a whole number of base units.
struct Unit {
  std::string name;
  std::int64_t in_base_units = 1;
};

/// The units of one kind of quantity.
struct UnitTable {
  std::string needed;  // for messages, such as: a duration such as "10 ms"
  std::string base;    // the unit of the result, such as ps
  std::vector<Unit> units;
};

/// The whole number of base units in a text such as "1.5 us". Exact: the decimal digits are scaled as
/// integers, so that "0.27 pJ" is 270 fJ. Space between number and unit is free.
///
/// @param where  for messages: the place the text is from
/// @throws InputError  if the text is not a plain decimal number with a unit of the table, or is negative,
///                     not a whole number of base units, or beyond 64 bits
std::int64_t parse_quantity(const std::string& where, std::string_view text, const UnitTable& table);

/// As parse_quantity, for a unit of which a part is meaningful: the nearest double.
double parse_real_quantity(const std::string& where, std::string_view text, const UnitTable& table);

/// True if the text ends in a unit of the table.
bool has_unit_of(std::string_view text, const UnitTable& table);

/// ps, ns, us, ms, s, min, h; in picoseconds.
UnitTable duration_units();
/// Hz, kHz, MHz, GHz; in hertz.
UnitTable frequency_units();
/// cycle, cycles.
UnitTable cycle_units();
/// B; KB, MB, GB, TB are powers of 1000 and KiB, MiB, GiB, TiB powers of 1024; in bytes.
UnitTable byte_units();
/// B/s, KB/s, MB/s, GB/s, TB/s, powers of 1000; in bytes/s.
UnitTable bandwidth_units();
/// bit, bits.
UnitTable bit_units();
/// fJ, pJ, nJ, each followed by `per`, such as "/bit/mm"; in femtojoules.
UnitTable energy_units(std::string_view per);
/// W, kW; in watts.
UnitTable power_units();
/// mm, cm, in millimetres.
UnitTable length_units();

}  // namespace ouro::engine
