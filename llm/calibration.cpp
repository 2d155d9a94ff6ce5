#include "llm/calibration.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

#include "engine/digest.hpp"
#include "engine/error.hpp"

namespace ouro::llm {
namespace {

using engine::Duration;

constexpr std::int64_t kMostPermille = 10 * Calibration::kWhole;
constexpr auto kMachineKey = "calibration.machine";
constexpr auto kLinkKey = "calibration.link_permille";

std::string table_of(std::size_t phase) {
  return fmt::format("calibration.{}_ps", kPhaseNames[phase]);
}

/// The keys that a file may have, and what counts where it has none.
engine::ConfigText schema() {
  auto text =
      fmt::format("[calibration]\nmachine = \"\"  # none\nlink_permille = {}  # none\n", Calibration::kWhole);
  for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
    text += fmt::format("\n[{}]\n", table_of(phase));
    for (const auto name : kMatrixNames) text += fmt::format("{} = []  # none\n", name);
  }
  return {"calibration", std::move(text)};
}

std::string hexadecimal(std::uint64_t digest) {
  return fmt::format("{:016x}", digest);
}

Calibration::Delays read_delays(const engine::Setting& setting) {
  const auto listed = setting.as_int_list();
  Calibration::Delays delays{};
  if (listed.empty()) return delays;
  if (listed.size() != delays.size())
    throw setting.refusal(fmt::format("has {} delays", listed.size()),
                          fmt::format("one for each load from 0 to {}, or none", delays.size() - 1));
  std::transform(listed.begin(), listed.end(), delays.begin(), [](std::int64_t ps) { return Duration{ps}; });
  return delays;
}

std::vector<std::int64_t> in_picoseconds(const Calibration::Delays& delays) {
  std::vector<std::int64_t> listed(delays.size());
  std::transform(delays.begin(), delays.end(), listed.begin(), [](Duration delay) { return delay.count(); });
  return listed;
}

/// Of the values of a configuration, the lines that say what machine it is.
std::string machine_text(const engine::Config& config) {
  std::istringstream values{config.values_toml()};
  std::string table, kept;
  const auto counts = [&table](std::string_view line) {
    if (table == "[serving]") return line.starts_with("pipelining") || line.starts_with("kv_fragments");
    if (table == "[wafer.noc]") return !line.starts_with("fidelity") && !line.starts_with("calibration");
    if (table == "[wafer]") return !line.starts_with("static_power");
    if (table == "[model]") return !line.starts_with("name") && !line.starts_with("config");
    return table.starts_with("[wafer.") && table != "[wafer.static_percent]";
  };
  for (std::string line; std::getline(values, line);) {
    if (line.starts_with('[')) {
      table = line;
    } else if (counts(line)) {
      kept += table + line + '\n';
    }
  }
  return kept;
}

/// The model by what it is, whatever its name or file.
std::string plan_text(const PipelinePlan& plan) {
  const auto& model = plan.model();
  auto text = fmt::format("{} {} {} {} {} {}\n", model.layers, model.hidden_size, model.attention_heads,
                          model.kv_heads, model.head_dim, model.vocab_size);
  const auto add = [&text](const std::vector<wafer::CoreId>& cores) {
    for (const auto core : cores) text += fmt::format("{} ", core.value());
    text += '\n';
  };
  for (const auto& station : plan.stations()) {
    add({station.home});
    add(*station.cores);
    if (station.attends) add(plan.ring(station.block));
  }
  return text;
}

}  // namespace

/// A lone sequence comes by at most once in three halves of a way, and in a bunch of sequences the first has
/// the others a way ahead, less what they are apart **[assumed]**.
std::optional<Calibration::Load> LaunchHistory::add(engine::Time now, const LoadWindows& windows) {
  const auto launched_since = [&](Duration ago) {
    return static_cast<std::size_t>(std::count_if(newest_.begin(), newest_.end(),
                                                  [&](engine::Time launch) { return launch > now - ago; }));
  };
  newest_.push_back(now);
  if (const auto close = launched_since(windows.close); close > 1) return close;
  if (launched_since(windows.way * 3 / 2) <= 2) return std::nullopt;
  return launched_since(windows.way * 3 / 4) > 1 ? 1 : 0;
}

std::uint64_t machine_digest(const engine::Config& config, const PipelinePlan& plan) {
  return engine::digest_of(machine_text(config) + plan_text(plan));
}

void write_calibration(const std::filesystem::path& path, const Calibration& calibration,
                       std::uint64_t machine, const std::string& made_from) {
  std::ofstream out{path};
  out << fmt::format(
      "# Written by `ouroboros calibrate`, to be named by wafer.noc.calibration: what tokens wait for each\n"
      "# other at fidelity packet beyond what fidelity stage follows.\n# {}\n\n"
      "[calibration]\nmachine = \"{}\"  # the machine that it is for\n"
      "link_permille = {}  # how long links to home cores are taken, in thousandths of their vectors' time\n",
      made_from, hexadecimal(machine), calibration.link_permille);
  for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
    out << fmt::format(
        "\n# Delay of a {} token on its way from a station with these tiles to the next, in ps: where it "
        "leads\n"
        "# others, and where the station has launched 1, 2, ... within the time that docs/design.md "
        "says.\n[{}]\n",
        kPhaseNames[phase], table_of(phase));
    for (std::size_t matrix = 0; matrix < kMatrixCount; ++matrix) {
      const auto& delays = calibration.delays[phase][matrix];
      if (delays == Calibration::Delays{}) continue;
      out << fmt::format("{} = [{}]\n", kMatrixNames[matrix], fmt::join(in_picoseconds(delays), ", "));
    }
  }
  out.close();
  if (!out) throw engine::InputError{path.string(), "cannot be written", "--out names a file with room"};
}

Calibration read_calibration(const engine::Setting& file, std::uint64_t machine) {
  const engine::Config config{{schema()}, engine::read_config_text(file.as_string())};
  const auto made_for = config.at(kMachineKey);
  if (made_for.as_string().empty())
    throw made_for.refusal("is missing", "a calibration is what `ouroboros calibrate` writes");
  if (made_for.as_string() != hexadecimal(machine)) {
    throw file.refusal(fmt::format("'{}' is for another wafer, model or mapping", file.as_string()),
                       "`ouroboros calibrate` with this configuration, or \"\" for none");
  }
  Calibration calibration;
  calibration.link_permille = config.at(kLinkKey).as_int(Calibration::kWhole, kMostPermille);
  for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
    for (std::size_t matrix = 0; matrix < kMatrixCount; ++matrix) {
      const auto key = fmt::format("{}.{}", table_of(phase), kMatrixNames[matrix]);
      calibration.delays[phase][matrix] = read_delays(config.at(key));
    }
  }
  return calibration;
}

}  // namespace ouro::llm
