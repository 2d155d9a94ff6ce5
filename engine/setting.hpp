#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/config_value.hpp"
#include "engine/error.hpp"
#include "engine/time.hpp"
#include "engine/units.hpp"

namespace ouro::engine {

/// One value of a configuration with the place it is from. Each reader below says what it needs in one
/// sentence if the value is something else (InputError).
class Setting {
 public:
  /// @param where  such as exp.toml:14: wafer.clock
  Setting(std::string where, Value value) : where_{std::move(where)}, value_{std::move(value)} {}

  const std::string& where() const { return where_; }
  /// To refuse the value for a reason that only the reader knows.
  InputError refusal(const std::string& what, const std::string& right = {}) const {
    return InputError{where_, what, right};
  }

  std::int64_t as_int(std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                      std::int64_t max = std::numeric_limits<std::int64_t>::max()) const;
  /// Finite.
  double as_number(double min = std::numeric_limits<double>::lowest(),
                   double max = std::numeric_limits<double>::max()) const;
  bool as_bool() const;
  const std::string& as_string() const;
  /// One of the known words.
  const std::string& as_choice(std::initializer_list<std::string_view> known) const;
  std::vector<std::int64_t> as_int_list() const;

  /// "10 ms", "0 ns"; a whole number of picoseconds.
  /// @param most  that makes sense
  Duration as_duration(Duration most = Duration::max()) const;
  /// Of a frequency "1 GHz" or a period "3333 ps"; above zero, a whole number of picoseconds.
  Duration as_clock_period() const;
  /// "2 cycles"; up to a million.
  std::int64_t as_cycles() const;
  /// "128 KiB" is 131072, "128 KB" is 128000.
  std::int64_t as_bytes() const;
  /// "256 bit".
  std::int64_t as_bits() const;
  /// Of a bandwidth such as "12 GB/s"; more than 0.
  std::int64_t as_bytes_per_second() const;
  /// "0.05 pJ/MAC" with per = "/MAC"; a whole number of femtojoules.
  std::int64_t as_femtojoules(std::string_view per) const;
  /// "3 kW".
  double as_watts() const;
  /// "1.82 mm".
  double as_millimetres() const;

 private:
  template <class T>
  const T& get() const;
  std::int64_t quantity(const UnitTable& table) const;

  std::string where_;
  Value value_;
};

}  // namespace ouro::engine
