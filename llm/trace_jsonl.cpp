#include "llm/trace_jsonl.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/csv.hpp"
#include "engine/error.hpp"
#include "llm/request.hpp"

namespace ouro::llm {
namespace {

using engine::InputError;
using nlohmann::json;

constexpr std::int64_t kPicosecondsOfSecond = engine::SimClock::period::den;
constexpr std::int64_t kLargestTime = 1'000'000'000'000'000'000;

Timestamp timestamp(std::int64_t count, std::int64_t of_second) {
  return {count / of_second, count % of_second * (kPicosecondsOfSecond / of_second)};
}

}  // namespace

TraceJsonlRows::TraceJsonlRows(const std::filesystem::path& file, std::int32_t block_tokens, bool times)
    : text_{engine::open_text(file)}, name_{file.string()}, block_tokens_{block_tokens}, times_{times} {}

std::string TraceJsonlRows::where() const {
  return fmt::format("{}:{}", name_, line_number_);
}

/// Blank lines are passed over.
bool TraceJsonlRows::read_line() {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  while (std::getline(*text_, line_)) {
    if (++line_number_ == 1 && line_.starts_with(kByteOrderMark)) line_.erase(0, kByteOrderMark.size());
    if (line_.find_first_not_of(" \t\r") != std::string::npos) return true;
  }
  if (text_->bad()) throw InputError{where(), "cannot be read any further"};
  return false;
}

bool TraceJsonlRows::next(WorkloadRow& row) {
  if (!read_line()) return false;
  constexpr bool kThrow = false;
  const json object = json::parse(line_, nullptr, kThrow);
  if (!object.is_object()) throw InputError{where(), "not a JSON object", "each line is one"};
  if (times_) read_time(object, row);
  row.prompt_tokens =
      static_cast<std::int32_t>(whole_number(object, "input_length", "input_toks", kMaxTokens));
  row.output_tokens =
      static_cast<std::int32_t>(whole_number(object, "output_length", "output_toks", kMaxTokens));
  row.priority.reset();
  if (object.contains("priority"))
    row.priority = static_cast<std::int32_t>(whole_number(object, "priority", nullptr, kMaxClasses - 1));
  read_blocks(object, row);
  return true;
}

const json* TraceJsonlRows::find(const json& object, const char* key, const char* other) const {
  const auto first = object.find(key);
  const auto second = other == nullptr ? object.end() : object.find(other);
  if (first != object.end() && second != object.end()) {
    throw InputError{where(), fmt::format("'{}' and '{}' mean the same", key, other),
                     "a row has one of them"};
  }
  if (first != object.end()) return &*first;
  return second == object.end() ? nullptr : &*second;
}

std::int64_t TraceJsonlRows::whole_number(const json& object, const char* key, const char* other,
                                          std::int64_t largest) const {
  const json* value = find(object, key, other);
  if (value == nullptr) {
    throw InputError{where(), fmt::format("no key '{}'", key),
                     other == nullptr ? "" : fmt::format("a row has it, or '{}'", other)};
  }
  if (value->is_number_unsigned() && *value <= largest) return value->get<std::int64_t>();
  throw InputError{where(), fmt::format("{}: {} is not accepted", key, value->dump()),
                   fmt::format("it must be a whole number from 0 to {}", largest)};
}

void TraceJsonlRows::read_time(const json& object, WorkloadRow& row) const {
  constexpr std::int64_t kMilliseconds = 1'000;
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  find(object, "timestamp", "arrival_time_ns");
  row.time =
      object.contains("arrival_time_ns")
          ? timestamp(whole_number(object, "arrival_time_ns", nullptr, kLargestTime), kNanoseconds)
          : timestamp(whole_number(object, "timestamp", "arrival_time_ns", kLargestTime), kMilliseconds);
}

void TraceJsonlRows::read_blocks(const json& object, WorkloadRow& row) const {
  row.prefix_blocks.clear();
  const auto found = object.find("hash_ids");
  if (found == object.end()) return;
  if (!found->is_array()) throw InputError{where(), "hash_ids: not a list", "it names the prompt's blocks"};
  row.prefix_blocks.reserve(found->size());
  for (const auto& id : *found) {
    if (!id.is_number_unsigned())
      throw InputError{where(), fmt::format("hash_ids: {} is not accepted", id.dump()),
                       "an id is a whole number from 0"};
    row.prefix_blocks.push_back(id.get<std::uint64_t>());
  }
  const auto blocks = static_cast<std::int64_t>(row.prefix_blocks.size());
  const auto full = row.prompt_tokens / block_tokens_;
  const auto begun = (row.prompt_tokens + block_tokens_ - 1) / block_tokens_;
  if (blocks == full || blocks == begun) return;
  throw InputError{where(),
                   fmt::format("hash_ids: {} blocks of {} tokens do not make a prompt of {} tokens", blocks,
                               block_tokens_, row.prompt_tokens),
                   "workload.prefix_block_tokens says how long the trace's blocks are"};
}

}  // namespace ouro::llm
