#include "tools/sweep_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>

#include "engine/error.hpp"
#include "engine/results_file.hpp"
#include "engine/results_reader.hpp"
#include "tools/run_figures.hpp"

namespace ouro::tools {
namespace {

using Integers = std::vector<std::int64_t>;
using Numbers = std::vector<double>;
using Texts = std::vector<std::string>;

/// A column of the table, with a value for each run.
struct TableColumn {
  std::string name;  // in CSV
  engine::Column column;
  std::variant<Integers, Numbers, Texts> values;
};

using Rows = std::vector<std::optional<Figures>>;  // by run; nothing for one without a result

Rows read_rows(const SweepPlan& plan, const SweepDirectory& directory) {
  Rows rows;
  rows.reserve(plan.runs.size());
  for (const auto& run : plan.runs) {
    auto& row = rows.emplace_back();
    if (directory.state_of(run) == RunState::done)
      row = read_figures(engine::ResultsReader{directory.result_of(run)});
  }
  return rows;
}

std::string plain_text(const engine::Value& value) {
  const auto* text = std::get_if<std::string>(&value.held);
  return text != nullptr ? *text : to_toml(value);
}

double number(const engine::Value& value) {
  const auto* whole = std::get_if<std::int64_t>(&value.held);
  return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value.held);
}

/// Integers if all values are, numbers if all are numbers, else texts.
std::variant<Integers, Numbers, Texts> values_of_key(const SweepPlan& plan, std::size_t key) {
  const auto all = [&](const auto& is_so) {
    return std::ranges::all_of(plan.runs, [&](const SweepRun& run) { return is_so(run.values[key]); });
  };
  const auto is_integer = [](const engine::Value& v) { return std::holds_alternative<std::int64_t>(v.held); };
  const auto is_number = [&](const engine::Value& v) {
    return is_integer(v) || std::holds_alternative<double>(v.held);
  };
  const auto convert = [&]<class T>(std::vector<T> column, const auto& to) {
    column.reserve(plan.runs.size());
    for (const auto& run : plan.runs) column.push_back(to(run.values[key]));
    return column;
  };
  if (all(is_integer)) {
    return convert(Integers{}, [](const engine::Value& value) { return std::get<std::int64_t>(value.held); });
  }
  if (all(is_number)) return convert(Numbers{}, number);
  return convert(Texts{}, plain_text);
}

/// The end of a figure's key, such as ttft_p50_ms; "1" for a count.
std::string unit_of(const std::string& key) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kUnits{{
      {"_per_s", "1/s"},
      {"_per_wall_s", "1/s"},
      {"_percent", "%"},
      {"_ms", "ms"},
      {"_mj", "mJ"},
      {"_mb", "MB"},
      {"_s", "s"},
      {"_j", "J"},
      {"_w", "W"},
  }};
  for (const auto& [end, unit] : kUnits) {
    if (key.ends_with(end)) return std::string{unit};
  }
  return "1";
}

/// Those that any run has, each as the first of them has it.
std::vector<const Figure*> all_figures(const Rows& rows) {
  std::vector<const Figure*> figures;
  for (const auto& row : rows) {
    if (!row) continue;
    for (const auto& figure : row->all()) {
      const auto is_same = [&](const Figure* known) { return known->key == figure.key; };
      if (figure.key != "complete" && std::ranges::none_of(figures, is_same)) figures.push_back(&figure);
    }
  }
  return figures;
}

/// A value for each run, `none` where it lacks the figure.
template <class T>
std::vector<T> values_of_figure(const Rows& rows, const std::string& key, const T& none) {
  std::vector<T> values;
  values.reserve(rows.size());
  for (const auto& row : rows) {
    const auto* figure = row ? row->find(key) : nullptr;
    if (figure == nullptr) {
      values.push_back(none);
    } else if constexpr (std::is_same_v<T, std::string>) {
      values.push_back(std::get<std::string>(figure->value));
    } else {
      values.push_back(row->number(key));
    }
  }
  return values;
}

TableColumn make_column(const Rows& rows, const Figure& figure) {
  const auto group = figure.of == Figure::Of::machine || figure.key == "digest" ? "/figures/" : "/engine/";
  TableColumn column{
      figure.key, {group + figure.key, unit_of(figure.key), "as `ouroboros summary` gives it"}, {}};
  if (std::holds_alternative<std::string>(figure.value)) {
    column.values = values_of_figure<std::string>(rows, figure.key, "");
  } else {
    column.values = values_of_figure(rows, figure.key, std::numeric_limits<double>::quiet_NaN());
  }
  return column;
}

std::vector<TableColumn> make_table(const SweepPlan& plan, const Rows& rows) {
  Texts names;
  Integers done;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    names.push_back(plan.runs[i].name);
    done.push_back(rows[i] ? 1 : 0);
  }
  std::vector<TableColumn> table;
  table.push_back({"run", {"/runs/name", "1", "of the run's files"}, std::move(names)});
  table.push_back({"done", {"/runs/done", "1", "1 if there is a result, else 0"}, std::move(done)});
  for (std::size_t key = 0; key < plan.keys.size(); ++key) {
    table.push_back({plan.keys[key],
                     {"/overrides/" + plan.keys[key], "1", "value of this key of the configuration"},
                     values_of_key(plan, key)});
  }
  for (const auto* figure : all_figures(rows)) table.push_back(make_column(rows, *figure));
  return table;
}

void write_hdf5(const std::filesystem::path& path, const std::vector<TableColumn>& table, MPI_Comm comm) {
  engine::ResultsFile file{path, comm, engine::Overwrite::allow};
  for (const auto& [name, column, values] : table) {
    if (const auto* texts = std::get_if<Texts>(&values)) {
      file.write_strings(column, *texts);
    } else if (const auto* integers = std::get_if<Integers>(&values)) {
      file.write<std::int64_t>(column, *integers, 0, integers->size());
    } else {
      const auto& numbers = std::get<Numbers>(values);
      file.write<double>(column, numbers, 0, numbers.size());
    }
  }
  file.commit();
}

/// Quoted where CSV wants it (RFC 4180).
std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char character : text) quoted += character == '"' ? "\"\"" : std::string{character};
  return quoted + '"';
}

std::string csv_field(const TableColumn& column, std::size_t row) {
  if (const auto* texts = std::get_if<Texts>(&column.values)) return csv_text((*texts)[row]);
  if (const auto* integers = std::get_if<Integers>(&column.values)) return std::to_string((*integers)[row]);
  const double value = std::get<Numbers>(column.values)[row];
  return std::isnan(value) ? "" : fmt::format("{}", value);
}

void write_csv(const std::filesystem::path& path, const std::vector<TableColumn>& table, std::size_t rows) {
  engine::PartFile file{path, engine::Overwrite::allow};
  std::ofstream out{file.part(), std::ios::trunc};
  const auto write_line = [&](const auto& field_of) {
    for (std::size_t c = 0; c < table.size(); ++c) out << (c == 0 ? "" : ",") << field_of(table[c]);
    out << '\n';
  };
  write_line([](const TableColumn& column) { return csv_text(column.name); });
  for (std::size_t row = 0; row < rows; ++row)
    write_line([&](const TableColumn& column) { return csv_field(column, row); });
  out.close();
  if (!out)
    throw engine::InputError{path.string(), fmt::format("cannot be written: {}", std::strerror(errno))};
  file.publish();
}

}  // namespace

std::size_t write_sweep_table(const SweepPlan& plan, const SweepDirectory& directory, MPI_Comm comm) {
  const auto rows = read_rows(plan, directory);
  const auto table = make_table(plan, rows);
  write_hdf5(directory.path() / "table.h5", table, comm);
  write_csv(directory.path() / "table.csv", table, rows.size());
  return static_cast<std::size_t>(
      std::ranges::count_if(rows, [](const auto& row) { return row.has_value(); }));
}

}  // namespace ouro::tools
