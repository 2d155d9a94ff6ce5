#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tools/result_writing.hpp"

namespace ouro::tools {

/// A group with a row for each record, and a dataset of integers for each thing that is said of them.
template <class Record>
class RecordTable {
 public:
  /// Keeps references.
  /// @param group  such as "requests"
  RecordTable(ResultWriting& out, std::string group, const std::vector<Record>& records)
      : out_{out}, group_{std::move(group)}, records_{records} {}

  /// All ranks have the same records.
  template <class Get>
  void write(const char* name, const char* unit, const char* meaning, const Get& get) {
    out_.write_whole<std::int64_t>(column(name, unit, meaning), numbers(get));
  }
  /// As write(), at the end of what there is; only the records of rank 0 count.
  template <class Get>
  void append(const char* name, const char* unit, const char* meaning, const Get& get) {
    std::vector<std::int64_t> mine;
    if (out_.is_root()) mine = numbers(get);
    out_.file().template append<std::int64_t>(column(name, unit, meaning), mine);
  }

 private:
  engine::Column column(const char* name, const char* unit, const char* meaning) const {
    return {fmt::format("/{}/{}", group_, name), unit, meaning};
  }
  template <class Get>
  std::vector<std::int64_t> numbers(const Get& get) const {
    std::vector<std::int64_t> values;
    values.reserve(records_.size());
    for (const auto& record : records_) values.push_back(static_cast<std::int64_t>(get(record)));
    return values;
  }

  ResultWriting& out_;
  std::string group_;
  const std::vector<Record>& records_;
};

}  // namespace ouro::tools
