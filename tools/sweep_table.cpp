#include "tools/sweep_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <variant>

#include "engine/error.hpp"
#include "engine/results_file.hpp"
#include "engine/results_reader.hpp"
#include "tools/sweep_figures.hpp"

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

/// What the table takes from the result of a run.
struct Row {
  std::vector<SweepFigure> figures;
  std::string digest;
  std::string code_version;
};

std::string text_attribute(const engine::ResultsReader& result, const std::string& name) {
  const auto* value = result.find_attribute("/", name);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text != nullptr ? *text : "";
}

std::vector<std::optional<Row>> read_rows(const SweepPlan& plan, const SweepDirectory& directory) {
  std::vector<std::optional<Row>> rows;
  rows.reserve(plan.runs.size());
  for (const auto& run : plan.runs) {
    auto& row = rows.emplace_back();
    if (directory.state_of(run) != RunState::done) continue;
    const engine::ResultsReader result{directory.result_of(run)};
    row =
        Row{sweep_figures(result), text_attribute(result, "digest"), text_attribute(result, "code_version")};
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

void add_figures(const std::vector<std::optional<Row>>& rows, std::vector<TableColumn>& table) {
  const auto whole = std::ranges::find_if(rows, [](const auto& row) { return row.has_value(); });
  if (whole == rows.end()) return;  // nobody knows the figures' names
  const auto& figures = (*whole)->figures;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    Numbers values;
    values.reserve(rows.size());
    for (const auto& row : rows)
      values.push_back(row ? row->figures[i].value : std::numeric_limits<double>::quiet_NaN());
    table.push_back({figures[i].name,
                     {"/figures/" + figures[i].name, figures[i].unit, figures[i].meaning},
                     std::move(values)});
  }
}

std::vector<TableColumn> make_table(const SweepPlan& plan, const std::vector<std::optional<Row>>& rows) {
  std::vector<TableColumn> table;
  Texts names, digests, versions;
  Integers done;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    names.push_back(plan.runs[i].name);
    done.push_back(rows[i] ? 1 : 0);
    digests.push_back(rows[i] ? rows[i]->digest : "");
    versions.push_back(rows[i] ? rows[i]->code_version : "");
  }
  table.push_back({"run", {"/runs/name", "1", "of the run's files"}, std::move(names)});
  table.push_back({"done", {"/runs/done", "1", "1 if there is a result, else 0"}, std::move(done)});
  for (std::size_t key = 0; key < plan.keys.size(); ++key) {
    table.push_back({plan.keys[key],
                     {"/overrides/" + plan.keys[key], "1", "value of this key of the configuration"},
                     values_of_key(plan, key)});
  }
  add_figures(rows, table);
  table.push_back({"digest", {"/runs/digest", "1", "of the run's events"}, std::move(digests)});
  table.push_back({"code_version",
                   {"/engine/code_version", "1", "of the program that made the result"},
                   std::move(versions)});
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
