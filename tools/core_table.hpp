#pragma once

#include <vector>

#include "tools/result_writing.hpp"

namespace ouro::tools {

/// Datasets with a row for each core, numbered as CoreId. A rank writes those of its dies.
class CoreTable {
 public:
  /// Keeps references.
  CoreTable(ResultWriting& out, const llm::System& system);

  /// @param get  the value of a CoreId
  template <class T, class Get>
  void write(const engine::Column& column, const Get& get) {
    std::vector<T> values;
    values.reserve(cores_.size());
    for (const auto core : cores_) values.push_back(static_cast<T>(get(core)));
    write_rows(column, values);
  }
  /// @param get  of a CoreId and a number below `inner`
  template <class T, class Get>
  void write(const engine::Column& column, std::size_t inner, const Get& get) {
    std::vector<T> values;
    values.reserve(cores_.size() * inner);
    for (const auto core : cores_) {
      for (std::size_t i = 0; i < inner; ++i) values.push_back(static_cast<T>(get(core, i)));
    }
    write_rows(column, values, {inner});
  }

  /// The die of a core of this rank, at `packet` fidelity.
  const llm::DieProcess& die_of(wafer::CoreId core) const { return *dies_[geometry_.die_of(core).value()]; }
  int index_in_die(wafer::CoreId core) const { return geometry_.index_in_die(core); }

 private:
  template <class T>
  void write_rows(const engine::Column& column, const std::vector<T>& values,
                  const ResultWriting::Shape& inner = {}) {
    out_.file().write_scattered<T>(column, values, rows_, static_cast<std::size_t>(geometry_.cores()), inner);
  }

  ResultWriting& out_;
  const wafer::Geometry& geometry_;
  std::vector<wafer::CoreId> cores_;
  std::vector<std::size_t> rows_;
  std::vector<const llm::DieProcess*> dies_;  // by DieId; null on the other ranks
};

}  // namespace ouro::tools
