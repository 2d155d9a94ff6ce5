#include "wafer/failures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/config.hpp"
#include "engine/csv.hpp"
#include "engine/random.hpp"
#include "wafer/fault_checker.hpp"

namespace ouro::wafer {
namespace {

using engine::Config;
using engine::Duration;
using engine::Time;
using Kind = Fault::Kind;

constexpr std::int64_t kMostFailures = 100'000;
constexpr Duration kLongestRun = std::chrono::hours{24};

std::vector<Failure> read_list(const std::string& file, const Geometry& geometry, FaultChecker& checker) {
  engine::CsvReader rows{engine::open_text(file), file};
  const FaultColumns columns{rows, geometry};
  const auto time = rows.find_column("time_ns");
  if (!time) throw engine::InputError{rows.where(), "no column 'time_ns'", "each failure has its time"};
  constexpr std::int64_t kLatest = std::chrono::nanoseconds{std::chrono::hours{24}}.count();
  std::vector<Failure> failures;
  while (rows.next()) {
    const auto fault = columns.read();
    checker.take(fault, rows.where());
    failures.push_back({Time{std::chrono::nanoseconds{rows.whole_number(*time, 0, kLatest)}}, fault});
  }
  return failures;
}

/// Draws what fails and when, by seed, kind and number alone.
class Draw {
 public:
  Draw(const Config& config, const Geometry& geometry, FaultChecker& checker)
      : config_{config},
        geometry_{geometry},
        checker_{checker},
        seed_{static_cast<std::uint64_t>(config.at("wafer.faults.runtime.seed").as_int(0))},
        from_{config.at("wafer.faults.runtime.from").as_duration(kLongestRun)},
        until_{config.at("wafer.faults.runtime.until").as_duration(kLongestRun)} {
    if (until_ > from_) return;
    throw config.at("wafer.faults.runtime.until")
        .refusal("leaves no time for failures", "later than wafer.faults.runtime.from");
  }

  void add(std::vector<Failure>& failures, Kind kind, const char* key) {
    const auto setting = config_.at(key);
    const auto count = setting.as_int(0, kMostFailures);
    for (std::int64_t i = 0; i < count; ++i) {
      const engine::RandomKey name{seed_, engine::random_purpose("failure at run time"),
                                   static_cast<std::uint64_t>(i) * 3 + static_cast<std::uint64_t>(kind)};
      const auto span = static_cast<std::uint64_t>((until_ - from_).count());
      const Time when = Time{from_} + Duration{engine::uniform_below(span, name)};
      const auto fault = draw_fault(kind, name);
      if (!fault)
        throw setting.refusal(fmt::format("after {} of them, hardly any is left to fail", i), "fewer");
      checker_.take(*fault, key);
      failures.push_back({when, *fault});
    }
  }

 private:
  /// The first that can still fail; none if many draws in a row cannot.
  std::optional<Fault> draw_fault(Kind kind, const engine::RandomKey& name) const {
    constexpr std::uint64_t kTries = 10'000;
    const auto cores = static_cast<std::uint64_t>(geometry_.cores());
    for (std::uint64_t draw = 1; draw <= kTries; ++draw) {
      const auto drawn = engine::uniform_below(kind == Kind::link ? 2 * cores : cores, name, draw);
      const Fault fault{.kind = kind,
                        .core = CoreId{static_cast<CoreId::Value>(drawn % cores)},
                        .direction = drawn < cores ? Direction::east : Direction::south};
      if (checker_.accepts(fault)) return fault;
    }
    return std::nullopt;
  }

  const Config& config_;
  const Geometry& geometry_;
  FaultChecker& checker_;
  std::uint64_t seed_;
  Duration from_;
  Duration until_;
};

}  // namespace

std::vector<Failure> read_failures(const Config& config, const Geometry& geometry, const Faults& made,
                                   Coordinate host) {
  FaultChecker checker{geometry, host};
  const auto map = config.at("wafer.faults.map_file").as_string();
  for (const auto& fault : made.list())
    checker.take(fault, map.empty() ? "wafer.faults.defect_density_per_cm2" : map);
  std::vector<Failure> failures;
  Draw draw{config, geometry, checker};
  draw.add(failures, Kind::core, "wafer.faults.runtime.cores");
  draw.add(failures, Kind::router, "wafer.faults.runtime.routers");
  draw.add(failures, Kind::link, "wafer.faults.runtime.links");
  const auto list = config.at("wafer.faults.runtime.file");
  if (!list.as_string().empty()) {
    if (!failures.empty()) {
      throw list.refusal("names what fails, and failures are drawn as well",
                         "wafer.faults.runtime.cores, routers and links = 0, or no file");
    }
    failures = read_list(list.as_string(), geometry, checker);
  }
  std::stable_sort(failures.begin(), failures.end(),
                   [](const Failure& a, const Failure& b) { return a.when < b.when; });
  return failures;
}

}  // namespace ouro::wafer
