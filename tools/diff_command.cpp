#include "tools/diff_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "engine/error.hpp"
#include "engine/nearest.hpp"
#include "engine/results_diff.hpp"
#include "tools/run_figures.hpp"

namespace ouro::tools {
namespace {

using engine::InputError;
using engine::ResultsReader;

bool compare_bits(const ResultsReader& a, const ResultsReader& b) {
  const engine::DiffOptions options{.ignored_groups = {"/engine", "/configuration"},
                                    .ignored_attributes = {"code_version"}};
  const auto differences = engine::compare_results(a, b, options);
  for (const auto& difference : differences) fmt::print("{}\n", difference);
  if (differences.empty()) fmt::print("every simulated quantity is equal\n");
  if (differences.size() == options.at_most) fmt::print("these are the first; there may be more\n");
  return differences.empty();
}

std::map<std::string, double> parse_tolerances(const std::vector<std::string>& texts) {
  std::map<std::string, double> tolerances;
  for (const auto& text : texts) {
    const auto equals = std::min(text.rfind('='), text.size());
    double value = -1;
    const char* const end = text.data() + text.size();
    if (equals < text.size()) {
      const auto [rest, error] = std::from_chars(text.data() + equals + 1, end, value);
      if (error != std::errc{} || rest != end) value = -1;
    }
    if (!(value >= 0)) {
      throw InputError{"--tolerance", fmt::format("'{}' is no tolerance", text),
                       "write NAME=x, such as ttft_p99_ms=0.05"};
    }
    tolerances[text.substr(0, equals)] = value;
  }
  return tolerances;
}

/// Of b from a; infinite where a is 0 and b is not.
double relative_difference(double a, double b) {
  if (a == b) return 0;
  return a == 0 ? std::copysign(std::numeric_limits<double>::infinity(), b) : (b - a) / std::abs(a);
}

/// Prints a line for each quantity that differs, and remembers whether one is beyond its tolerance.
class Comparison {
 public:
  void compare(const std::string& name, double a, double b, double tolerance) {
    ++compared_;
    if (a == b) return;
    const double difference = relative_difference(a, b);
    const bool beyond = !(std::abs(difference) <= tolerance);
    if (differing_++ == 0) fmt::print("{:<40} {:>12} {:>12} {:>11}\n", "quantity", "A", "B", "(B - A) / A");
    fmt::print("{:<40} {:>12.6g} {:>12.6g} {:>+10.3f}%{}\n", name, a, b, 100 * difference,
               beyond ? fmt::format("  beyond {:g}%", 100 * tolerance) : "");
    if (beyond) ++beyond_;
  }
  void lacks(const std::string& name, const ResultsReader& file) {
    ++compared_;
    ++beyond_;
    fmt::print("{:<40} is not in {}\n", name, file.name());
  }
  bool finish() const {
    fmt::print("{} of {} quantities differ, {} beyond the tolerance\n", differing_, compared_, beyond_);
    return beyond_ == 0;
  }

 private:
  int compared_ = 0;
  int differing_ = 0;
  int beyond_ = 0;
};

struct NamedFigures {
  const ResultsReader& file;
  Figures figures;
};

/// Compares the figures that either has.
/// @param tolerances  those that name a figure are taken out
void compare_figures(Comparison& comparison, const NamedFigures& a, const NamedFigures& b, double tolerance,
                     std::map<std::string, double>& tolerances) {
  const auto tolerance_of = [&](const std::string& key) {
    const auto own = tolerances.extract(key);
    return own ? own.mapped() : tolerance;
  };
  const auto is_compared = [](const Figure& figure) {
    return figure.of == Figure::Of::machine && !std::holds_alternative<std::string>(figure.value);
  };
  for (const auto& figure : a.figures.all()) {
    if (!is_compared(figure)) continue;
    const double own = tolerance_of(figure.key);
    if (b.figures.find(figure.key)) {
      comparison.compare(figure.key, a.figures.number(figure.key), b.figures.number(figure.key), own);
    } else {
      comparison.lacks(figure.key, b.file);
    }
  }
  for (const auto& figure : b.figures.all()) {
    if (!is_compared(figure) || a.figures.find(figure.key)) continue;
    tolerances.erase(figure.key);
    comparison.lacks(figure.key, a.file);
  }
}

std::string index_of(std::size_t flat, const std::vector<std::size_t>& shape) {
  std::vector<std::size_t> index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; flat /= shape[i]) index[i] = flat % shape[i];
  return fmt::format("[{}]", fmt::join(index, ","));
}

/// Compares each element; the one with the largest relative difference stands for all.
void compare_dataset(Comparison& comparison, const ResultsReader& a, const ResultsReader& b,
                     const std::string& path, double tolerance) {
  const auto shape = a.find(path)->shape;
  if (shape != b.find(path)->shape) {
    throw InputError{path, fmt::format("has other shapes in {} and {}", a.name(), b.name()),
                     "only datasets of one shape can be compared"};
  }
  const auto of_a = a.read<double>(path);
  const auto of_b = b.read<double>(path);
  std::size_t worst = 0;
  double most = 0;
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    const double difference = std::abs(relative_difference(of_a[i], of_b[i]));
    if (difference <= most) continue;
    most = difference;
    worst = i;
  }
  if (!of_a.empty()) comparison.compare(path + index_of(worst, shape), of_a[worst], of_b[worst], tolerance);
}

InputError unknown_name(const std::string& name, const ResultsReader& file, const Figures& figures) {
  std::vector<std::string> known;
  for (const auto& figure : figures.all()) known.push_back(figure.key);
  for (const auto& dataset : file.datasets()) known.push_back(dataset.path);
  const auto near = engine::nearest(name, known);
  return {"--tolerance", fmt::format("neither a figure nor a dataset of both files is called '{}'", name),
          near ? fmt::format("did you mean '{}'?", *near) : "`ouroboros summary --json` lists the figures"};
}

bool compare_models(const ResultsReader& a, const ResultsReader& b, const DiffArguments& arguments) {
  auto tolerances = parse_tolerances(arguments.tolerances);
  const NamedFigures of_a{a, read_figures(a)};
  const NamedFigures of_b{b, read_figures(b)};
  for (const auto& [name, tolerance] : tolerances) {
    const bool known = of_a.figures.find(name) || of_b.figures.find(name) || (a.find(name) && b.find(name));
    if (!known) throw unknown_name(name, a, of_a.figures);
  }
  Comparison comparison;
  compare_figures(comparison, of_a, of_b, arguments.tolerance.value_or(0), tolerances);
  for (const auto& [path, tolerance] : tolerances) compare_dataset(comparison, a, b, path, tolerance);
  return comparison.finish();
}

}  // namespace

bool diff(const DiffArguments& arguments) {
  const ResultsReader a{arguments.a};
  const ResultsReader b{arguments.b};
  return arguments.compares_models() ? compare_models(a, b, arguments) : compare_bits(a, b);
}

}  // namespace ouro::tools
