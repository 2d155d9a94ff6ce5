#include "tools/sweep_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "engine/error.hpp"
#include "engine/nearest.hpp"
#include "tools/configuration.hpp"
#include "tools/sweep_names.hpp"

namespace ouro::tools {
namespace {

using engine::InputError;
using engine::Value;

constexpr std::int64_t kMostRanks = 100'000;
constexpr std::size_t kMostRuns = 100'000;

/// A key that the sweep varies, and where its file says so.
struct SweptKey {
  std::string key;
  std::string place;
};

/// Keys that vary together: row n has the n-th value of each.
struct Axis {
  std::vector<SweptKey> keys;
  std::vector<Value::List> rows;
};

struct SweepFile {
  std::string experiment;
  std::int64_t ranks = 1;
  std::vector<std::pair<SweptKey, Value>> set;
  std::vector<Axis> axes;
};

class SweepReader {
 public:
  explicit SweepReader(const engine::ConfigText& text) : name_{text.name} {
    for (const auto& setting : parse_config(text).settings) read(setting);
    if (content_.experiment.empty()) {
      throw InputError{name_, "no base is named", R"(write [sweep] experiment = "FILE.toml")"};
    }
    if (!list_.keys.empty()) content_.axes.push_back(std::move(list_));
    if (content_.axes.empty()) {
      throw InputError{name_, "nothing is varied", "write keys with lists of values in [grid] or [list]"};
    }
  }

  SweepFile take() { return std::move(content_); }

 private:
  void read(const engine::ParsedSetting& setting) {
    const auto place = fmt::format("{}:{}", name_, setting.line);
    const auto dot = std::min(setting.key.find('.'), setting.key.size());
    const auto table = setting.key.substr(0, dot);
    const auto key = setting.key.substr(std::min(dot + 1, setting.key.size()));
    if (table == "sweep") return read_general(place, setting);
    if (table != "set" && table != "grid" && table != "list") {
      throw InputError{place, fmt::format("'{}' has no use in a sweep", setting.key),
                       "its tables are sweep, set, grid and list"};
    }
    if (key.empty()) throw InputError{place, fmt::format("'{}' is a table, not a key", table)};
    if (!seen_.insert(key).second)
      throw InputError{place, fmt::format("'{}' is given twice", key), "a key has one place in a sweep"};
    const SweptKey swept{key, place};
    if (table == "set") {
      content_.set.emplace_back(swept, setting.value);
    } else if (table == "grid") {
      add_to_grid(swept, values_of(swept, setting.value));
    } else {
      add_to_list(swept, values_of(swept, setting.value));
    }
  }

  void read_general(const std::string& place, const engine::ParsedSetting& setting) {
    const engine::Setting value{fmt::format("{}: {}", place, setting.key), setting.value};
    if (setting.key == "sweep.experiment") {
      content_.experiment = value.as_string();
    } else if (setting.key == "sweep.ranks") {
      content_.ranks = value.as_int(1, kMostRanks);
    } else {
      throw InputError{place, fmt::format("unknown key '{}'", setting.key), "known there: experiment, ranks"};
    }
  }

  static const Value::List& values_of(const SweptKey& swept, const Value& value) {
    const auto* list = std::get_if<Value::List>(&value.held);
    if (list == nullptr) {
      throw InputError{swept.place, fmt::format("{}: {} is {}", swept.key, to_toml(value), type_name(value)),
                       fmt::format("a list of values such as [{}] is needed", to_toml(value))};
    }
    if (list->empty()) throw InputError{swept.place, fmt::format("{} has no value", swept.key)};
    return *list;
  }

  void add_to_grid(const SweptKey& swept, const Value::List& values) {
    Axis axis{.keys = {swept}, .rows = {}};
    for (const auto& value : values) axis.rows.push_back({value});
    content_.axes.push_back(std::move(axis));
  }

  void add_to_list(const SweptKey& swept, const Value::List& values) {
    if (list_.keys.empty()) list_.rows.resize(values.size());
    if (values.size() != list_.rows.size()) {
      throw InputError{swept.place,
                       fmt::format("{} has {} values, {} has {}", swept.key, values.size(),
                                   list_.keys.front().key, list_.rows.size()),
                       "in [list] the n-th values of all keys go together"};
    }
    list_.keys.push_back(swept);
    for (std::size_t n = 0; n < values.size(); ++n) list_.rows[n].push_back(values[n]);
  }

  std::string name_;
  SweepFile content_;
  Axis list_;
  std::set<std::string> seen_;
};

/// Of the whole sweep; refuses a product that nobody can want.
std::size_t number_of_runs(const std::string& name, const std::vector<Axis>& axes) {
  std::size_t runs = 1;
  for (const auto& axis : axes) {
    runs *= axis.rows.size();
    if (runs > kMostRuns)
      throw InputError{name, fmt::format("more than {} runs", kMostRuns), "a smaller grid"};
  }
  return runs;
}

/// Number `index` of all combinations of the axes' rows, the last axis varying fastest.
std::vector<std::size_t> combination(const std::vector<Axis>& axes, std::size_t index) {
  std::vector<std::size_t> rows(axes.size());
  for (std::size_t i = axes.size(); i-- > 0;) {
    rows[i] = index % axes[i].rows.size();
    index /= axes[i].rows.size();
  }
  return rows;
}

SweepRun make_run(const engine::Config& base, const std::vector<Axis>& axes, std::size_t index) {
  SweepRun run{.name = {}, .values = {}, .config = base};
  const auto rows = combination(axes, index);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto& values = axes[i].rows[rows[i]];
    for (std::size_t k = 0; k < values.size(); ++k) {
      run.config.set(axes[i].keys[k].place, axes[i].keys[k].key, values[k]);
      run.values.push_back(values[k]);
    }
  }
  return run;
}

void refuse_equal_runs(const std::string& name, const SweepPlan& plan) {
  std::map<std::string, const SweepRun*> by_values;
  for (const auto& run : plan.runs) {
    const auto [found, is_new] = by_values.emplace(run.config.values_toml(), &run);
    if (is_new) continue;
    throw InputError{name, fmt::format("the runs {} and {} are the same", found->second->name, run.name),
                     "each value once"};
  }
}

engine::Config read_base(const std::filesystem::path& sweep, const SweepFile& content) {
  auto base = load_configuration({sweep.parent_path() / content.experiment, {}});
  for (const auto& [swept, value] : content.set) base.set(swept.place, swept.key, value);
  return base;
}

}  // namespace

SweepPlan read_sweep(const std::filesystem::path& file) {
  const auto content = SweepReader{engine::read_config_text(file)}.take();
  const auto base = read_base(file, content);
  SweepPlan plan{.ranks = static_cast<int>(content.ranks), .keys = {}, .runs = {}};
  for (const auto& axis : content.axes) {
    for (const auto& swept : axis.keys) plan.keys.push_back(swept.key);
  }
  const auto runs = number_of_runs(file.string(), content.axes);
  plan.runs.reserve(runs);
  for (std::size_t index = 0; index < runs; ++index) plan.runs.push_back(make_run(base, content.axes, index));
  name_runs(plan);
  refuse_equal_runs(file.string(), plan);
  return plan;
}

}  // namespace ouro::tools
