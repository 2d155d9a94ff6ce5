#include "llm/length_histogram.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <string_view>

#include "engine/csv.hpp"
#include "engine/error.hpp"
#include "llm/embedded.hpp"
#include "llm/request.hpp"

namespace ouro::llm {
namespace {

using engine::CsvReader;
using engine::InputError;
using engine::open_text;

constexpr std::string_view kEnding = ".csv";
constexpr std::int64_t kMaxWeight = 1'000'000'000;  // so that the sum stays in 64 bits

struct Columns {
  std::size_t quantity;
  std::size_t from;
  std::size_t to;
  std::size_t weight;
};

Columns find_columns(const CsvReader& rows) {
  const auto find = [&](std::string_view name) {
    if (const auto column = rows.find_column(name)) return *column;
    throw InputError{rows.where(), fmt::format("no column '{}'", name),
                     "the header must be quantity,from,to,weight"};
  };
  return {find("quantity"), find("from"), find("to"), find("weight")};
}

LengthBin read_bin(const CsvReader& rows, const Columns& columns, const std::vector<LengthBin>& before) {
  const std::int64_t smallest = before.empty() ? 1 : before.back().to + 1;
  const auto from = rows.whole_number(columns.from, smallest, kMaxTokens);
  return {.from = static_cast<std::int32_t>(from),
          .to = static_cast<std::int32_t>(rows.whole_number(columns.to, from, kMaxTokens)),
          .weight = rows.whole_number(columns.weight, 1, kMaxWeight)};
}

LengthDistribution make_distribution(std::vector<LengthBin> bins, const std::string& name,
                                     std::string_view quantity) {
  if (bins.empty()) throw InputError{name, fmt::format("no row has the quantity '{}'", quantity)};
  return LengthDistribution{std::move(bins)};
}

}  // namespace

LengthDistribution::LengthDistribution(std::vector<LengthBin> bins) : bins_{std::move(bins)} {
  std::uint64_t sum = 0;
  for (const auto& bin : bins_) weights_up_to_.push_back(sum += static_cast<std::uint64_t>(bin.weight));
}

std::int32_t LengthDistribution::draw(const engine::RandomKey& key) const {
  const auto ticket = engine::uniform_below(weights_up_to_.back(), key, 0);
  const auto winner = std::ranges::upper_bound(weights_up_to_, ticket) - weights_up_to_.begin();
  const auto& bin = bins_[static_cast<std::size_t>(winner)];
  const auto width = static_cast<std::uint64_t>(bin.to - bin.from) + 1;
  return bin.from + static_cast<std::int32_t>(engine::uniform_below(width, key, 1));
}

LengthHistogram parse_length_histogram(std::unique_ptr<std::istream> text, const std::string& name) {
  CsvReader rows{std::move(text), name};
  const auto columns = find_columns(rows);
  std::vector<LengthBin> prompt;
  std::vector<LengthBin> output;
  while (rows.next()) {
    const auto quantity = rows.field(columns.quantity);
    if (quantity != "prompt" && quantity != "output") {
      throw InputError{rows.where(), fmt::format("quantity: '{}' is not accepted", quantity),
                       "it must be prompt or output"};
    }
    auto& bins = quantity == "prompt" ? prompt : output;
    bins.push_back(read_bin(rows, columns, bins));
  }
  return {make_distribution(std::move(prompt), name, "prompt"),
          make_distribution(std::move(output), name, "output")};
}

LengthHistogram load_length_histogram(const std::string& name) {
  if (name.ends_with(kEnding)) return parse_length_histogram(open_text(name), name);

  const auto file = fmt::format("{}{}", name, kEnding);
  const auto text = embedded_file(file);
  if (text.empty()) {
    throw InputError{"", fmt::format("no shipped length histogram '{}'", name),
                     fmt::format("there are {}; a file of yours ends in {}",
                                 fmt::join(shipped_length_histograms(), ", "), kEnding)};
  }
  return parse_length_histogram(std::make_unique<std::istringstream>(std::string{text}), file);
}

std::vector<std::string> shipped_length_histograms() {
  std::vector<std::string> names;
  for (auto file : embedded_files()) {
    if (file.ends_with(kEnding)) names.emplace_back(file.substr(0, file.size() - kEnding.size()));
  }
  return names;
}

}  // namespace ouro::llm
