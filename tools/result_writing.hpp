#pragma once

#include <fmt/format.h>
#include <mpi.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/mpi.hpp"
#include "engine/results_file.hpp"
#include "llm/system.hpp"

namespace ouro::tools {

/// A result file that is being written, and whose result it is. All member functions that write or sum are
/// collective.
class ResultWriting {
 public:
  using Shape = engine::ResultsFile::Shape;

  /// Keeps references.
  ResultWriting(engine::ResultsFile& file, MPI_Comm comm, const llm::Experiment& experiment)
      : file_{file}, comm_{comm}, is_root_{engine::mpi_rank(comm) == 0}, experiment_{experiment} {}

  engine::ResultsFile& file() { return file_; }
  MPI_Comm comm() const { return comm_; }
  bool is_root() const { return is_root_; }
  const llm::Experiment& experiment() const { return experiment_; }
  /// Whether cores and links were simulated one by one.
  bool follows_packets() const { return experiment_.wafer.noc.fidelity != wafer::Fidelity::stage; }

  /// What every rank has alike.
  template <class T>
  void write_whole(const engine::Column& column, const std::vector<T>& values, const Shape& inner = {}) {
    std::size_t row = 1;
    for (const auto size : inner) row *= size;
    const std::span<const T> mine{values.data(), is_root_ ? values.size() : 0};
    file_.write<T>(column, mine, 0, values.size() / row, inner);
  }
  void write_number(const engine::Column& column, std::int64_t value) {
    write_whole<std::int64_t>(column, {value});
  }
  /// As write_whole(), in windows of 2^`shift` ps; the group gets their width as an attribute.
  /// @param group   such as "kv"
  /// @param column  its path is the name in the group
  void write_windows(const char* group, const engine::Column& column, int shift,
                     const std::vector<std::int64_t>& values, const Shape& inner = {}) {
    write_whole<std::int64_t>({fmt::format("/{}/{}", group, column.path), column.unit,
                               fmt::format("{}; windows of 2^{} ps from time 0", column.meaning, shift)},
                              values, inner);
    file_.set_attribute(fmt::format("/{}", group), fmt::format("{}_window_ps", column.path),
                        std::int64_t{1} << shift);
  }

  void sum_over_ranks(std::vector<std::int64_t>& values) const { reduce(values, MPI_INT64_T, MPI_SUM); }
  void sum_over_ranks(std::vector<std::uint64_t>& values) const { reduce(values, MPI_UINT64_T, MPI_SUM); }
  void most_over_ranks(std::vector<std::int64_t>& values) const { reduce(values, MPI_INT64_T, MPI_MAX); }

 private:
  template <class T>
  void reduce(std::vector<T>& values, MPI_Datatype type, MPI_Op op) const {
    MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), type, op, comm_);
  }

  engine::ResultsFile& file_;
  MPI_Comm comm_;
  bool is_root_;
  const llm::Experiment& experiment_;
};

inline std::vector<std::string> as_texts(std::span<const std::string_view> views) {
  return {views.begin(), views.end()};
}

}  // namespace ouro::tools
