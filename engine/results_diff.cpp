#include "engine/results_diff.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <set>

namespace ouro::engine {
namespace {

struct Pair {
  const ResultsReader& a;
  const ResultsReader& b;
};

template <class T>
bool is_same(const T& a, const T& b) {
  return a == b;
}

bool is_same(double a, double b) {  // in every bit, so that a NaN equals itself
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool is_same(const AttributeValue& a, const AttributeValue& b) {
  const auto* real_a = std::get_if<double>(&a);
  const auto* real_b = std::get_if<double>(&b);
  return real_a && real_b ? is_same(*real_a, *real_b) : a == b;
}

std::string show(const std::string& text) {
  return fmt::format("'{}'", text);
}

template <class T>
std::string show(const T& number) {
  return fmt::format("{}", number);
}

std::string show(const AttributeValue& value) {
  return std::visit([](const auto& held) { return show(held); }, value);
}

std::string show_shape(const std::vector<std::size_t>& shape) {
  return shape.empty() ? "a single value" : fmt::format("shape {}", fmt::join(shape, " x "));
}

std::string show_index(std::size_t flat, const std::vector<std::size_t>& shape) {
  std::vector<std::size_t> index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; flat /= shape[i]) index[i] = flat % shape[i];
  return fmt::format("[{}]", fmt::join(index, ", "));
}

template <class T>
std::optional<std::string> compare_values(const Pair& files, const DatasetInfo& dataset,
                                          const std::vector<T>& a, const std::vector<T>& b) {
  std::size_t first = a.size();
  std::size_t differing = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    if (is_same(a[i], b[i])) continue;
    first = i;
    ++differing;
  }
  if (differing == 0) return std::nullopt;
  const auto unit = dataset.unit.empty() || dataset.unit == "1" ? "" : " " + dataset.unit;
  return fmt::format("'{}' differs in {} of {} values, first at {}: {}{} in {}, {}{} in {}", dataset.path,
                     differing, a.size(), show_index(first, dataset.shape), show(a[first]), unit,
                     files.a.name(), show(b[first]), unit, files.b.name());
}

template <class T>
std::optional<std::string> compare_numbers(const Pair& files, const DatasetInfo& dataset) {
  return compare_values(files, dataset, files.a.read<T>(dataset.path), files.b.read<T>(dataset.path));
}

std::optional<std::string> compare_contents(const Pair& files, const DatasetInfo& dataset) {
  switch (dataset.type) {
    case ElementType::uint8:
    case ElementType::uint32:
    case ElementType::uint64:
      return compare_numbers<std::uint64_t>(files, dataset);
    case ElementType::int32:
    case ElementType::int64:
      return compare_numbers<std::int64_t>(files, dataset);
    case ElementType::real64:
      return compare_numbers<double>(files, dataset);
    case ElementType::text:
      break;
  }
  return compare_values(files, dataset, files.a.read_texts(dataset.path), files.b.read_texts(dataset.path));
}

std::string only_in(const std::string& what, const Pair& files, bool is_in_a) {
  return fmt::format("{} is only in {}", what, is_in_a ? files.a.name() : files.b.name());
}

std::optional<std::string> compare_dataset(const Pair& files, const std::string& path) {
  const auto* a = files.a.find(path);
  const auto* b = files.b.find(path);
  if (!a || !b) return only_in(fmt::format("'{}'", path), files, a);
  const auto differs_in = [&](const std::string& in_a, const std::string& in_b) {
    return fmt::format("'{}' has {} in {}, {} in {}", path, in_a, files.a.name(), in_b, files.b.name());
  };
  if (a->shape != b->shape) return differs_in(show_shape(a->shape), show_shape(b->shape));
  if (a->unit != b->unit) return differs_in("unit " + show(a->unit), "unit " + show(b->unit));
  if (a->type != b->type) return differs_in(name_of(a->type), name_of(b->type));
  return compare_contents(files, *a);
}

using AttributeName = std::pair<std::string, std::string>;  // group and name

std::optional<std::string> compare_attribute(const Pair& files, const AttributeName& attribute) {
  const auto& [group, name] = attribute;
  const auto* a = files.a.find_attribute(group, name);
  const auto* b = files.b.find_attribute(group, name);
  const auto what = fmt::format("attribute '{}'{}", name, group == "/" ? "" : fmt::format(" of '{}'", group));
  if (!a || !b) return only_in(what, files, a);
  if (is_same(*a, *b)) return std::nullopt;
  return fmt::format("{} is {} in {}, {} in {}", what, show(*a), files.a.name(), show(*b), files.b.name());
}

bool is_ignored(const std::string& path, const DiffOptions& options) {
  return std::any_of(
      options.ignored_groups.begin(), options.ignored_groups.end(),
      [&](const std::string& group) { return path == group || path.starts_with(group + '/'); });
}

std::set<AttributeName> attributes_to_compare(const Pair& files, const DiffOptions& options) {
  std::set<AttributeName> names;
  for (const auto* file : {&files.a, &files.b}) {
    for (const auto& [group, attributes] : file->attributes()) {
      if (is_ignored(group, options)) continue;
      for (const auto& [name, value] : attributes) names.emplace(group, name);
    }
  }
  for (const auto& name : options.ignored_attributes) names.erase({"/", name});
  return names;
}

std::set<std::string> datasets_to_compare(const Pair& files, const DiffOptions& options) {
  std::set<std::string> paths;
  for (const auto* file : {&files.a, &files.b}) {
    for (const auto& dataset : file->datasets()) {
      if (!is_ignored(dataset.path, options)) paths.insert(dataset.path);
    }
  }
  return paths;
}

}  // namespace

std::vector<std::string> compare_results(const ResultsReader& a, const ResultsReader& b,
                                         const DiffOptions& options) {
  const Pair files{a, b};
  std::vector<std::string> differences;
  const auto compare_each = [&](const auto& names, auto compare) {
    for (const auto& name : names) {
      if (differences.size() >= options.at_most) return;
      if (auto difference = compare(files, name)) differences.push_back(std::move(*difference));
    }
  };
  compare_each(attributes_to_compare(files, options), compare_attribute);
  compare_each(datasets_to_compare(files, options), compare_dataset);
  return differences;
}

}  // namespace ouro::engine
