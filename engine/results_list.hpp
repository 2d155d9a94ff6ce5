#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/hdf5_handle.hpp"
#include "engine/results_schema.hpp"

namespace ouro::engine {

/// A dataset that grows. What is added passes through rank 0, which writes whole compressed blocks: to write
/// a block twice would leave a hole in the file. Member functions but leak() are
/// collective.
class ResultsList {
 public:
  static constexpr std::size_t kBlockBytes = 65'536;

  /// @param dataset  of one dimension, empty, in blocks of kBlockBytes
  /// @param path     for messages
  ResultsList(MPI_Comm comm, std::string path, ElementType type, Hdf5Handle dataset);

  /// The elements of rank 0, then those of rank 1, and so on.
  void append(const Hdf5Calls& calls, std::span<const std::byte> local_elements);
  /// Also those elements that do not fill a block.
  void write_all(const Hdf5Calls& calls) { write(calls, pending_); }
  /// False if that failed.
  bool close() { return dataset_.close(); }
  void leak() { dataset_.leak(); }

 private:
  void write(const Hdf5Calls& calls, std::size_t count);

  MPI_Comm comm_;
  std::string path_;
  ElementType type_;
  std::size_t element_bytes_ = bytes_of(type_);
  Hdf5Handle dataset_;
  std::size_t written_ = 0;         // elements in the file
  std::size_t pending_ = 0;         // elements that wait for their block to fill up
  std::vector<std::byte> waiting_;  // these elements, on rank 0
};

}  // namespace ouro::engine
