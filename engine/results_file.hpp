#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/hdf5_handle.hpp"
#include "engine/part_file.hpp"
#include "engine/results_list.hpp"
#include "engine/results_schema.hpp"

namespace ouro::engine {

/// What a dataset is called, its unit ("1" for a pure number), and what its numbers mean.
struct Column {
  std::string path;  // such as /requests/done
  std::string unit;
  std::string meaning;
};

/// The HDF5 file of a run, written by all ranks of `comm`: every member function is collective.
///
/// It is written as PATH.part (see PartFile), which another reader may open after a flush(), and gets its
/// name in commit(). Without a commit, PATH.part is left if there was a flush. Each dataset is written once,
/// or grown by append().
///
/// @throws InputError  on failures of the file system, on all ranks alike where they are found before
///                     writing and in commit(), else on the ranks that see them
/// @throws ContractError  if arguments contradict each other
class ResultsFile {
 public:
  using Shape = std::vector<std::size_t>;

  ResultsFile(const std::filesystem::path& path, MPI_Comm comm, Overwrite overwrite);
  ResultsFile(const ResultsFile&) = delete;
  ResultsFile& operator=(const ResultsFile&) = delete;
  ~ResultsFile();

  /// Sets or replaces an attribute of a group, "/" for the file; the same value on all ranks.
  void set_attribute(const std::string& group, const std::string& name, const std::string& value);
  void set_attribute(const std::string& group, const std::string& name, std::int64_t value);
  void set_attribute(const std::string& group, const std::string& name, double value);

  /// A dataset of shape total_rows x inner. This rank has the rows from `first_row` on, or none.
  template <ResultElement T>
  void write(const Column& column, std::span<const T> local_rows, std::size_t first_row,
             std::size_t total_rows, const Shape& inner = {}) {
    write_block(column, element_type_of<T>(), std::as_bytes(local_rows), first_row, total_rows, inner);
  }

  /// As write(), where this rank has the rows `indices`, increasing; all ranks together have each row once.
  template <ResultElement T>
  void write_scattered(const Column& column, std::span<const T> local_rows,
                       std::span<const std::size_t> indices, std::size_t total_rows,
                       const Shape& inner = {}) {
    write_scattered_bytes(column, element_type_of<T>(), std::as_bytes(local_rows), indices, total_rows,
                          inner);
  }

  /// Adds to a list, which the first call creates, the elements of rank 0, then those of rank 1, and so on.
  /// They pass through rank 0, which writes whole blocks, and the rest in flush() and commit().
  template <ResultElement T>
  void append(const Column& column, std::span<const T> local_elements) {
    append_bytes(column, element_type_of<T>(), std::as_bytes(local_elements));
  }

  /// One text, the same on all ranks.
  void write_string(const Column& column, const std::string& text);
  /// A list of texts, the same on all ranks.
  void write_strings(const Column& column, const std::vector<std::string>& texts);

  /// What append() has added so far, after a flush(): calls `take` on rank 0 with the path and the bytes of
  /// each list.
  void save_lists(const std::function<void(const std::string& path, std::string bytes)>& take);
  /// Adds to each list what `saved` gives for its path, on rank 0.
  void restore_lists(const std::function<std::string(const std::string& path)>& saved);

  /// All that was written is on disk, and readable if the run is killed later; of 24 runs killed while they
  /// did little but flush, 23 could be read, since HDF5 does not update a file in one step.
  void flush();
  /// Completes the file and gives it its name. Nothing can be written after.
  void commit();

 private:
  void write_block(const Column& column, ElementType type, std::span<const std::byte> rows,
                   std::size_t first_row, std::size_t total_rows, const Shape& inner);
  void write_scattered_bytes(const Column& column, ElementType type, std::span<const std::byte> rows,
                             std::span<const std::size_t> indices, std::size_t total_rows,
                             const Shape& inner);
  void append_bytes(const Column& column, ElementType type, std::span<const std::byte> elements);
  void write_texts(const Column& column, const std::vector<std::string>& texts, const Shape& shape);
  ResultsList& open_list(const Column& column, ElementType type);
  void write_lists();

  Hdf5Handle create_dataset(const Column& column, Hdf5Id type, Hdf5Id space, Hdf5Id properties);
  Hdf5Handle open_group(const std::string& group);

  MPI_Comm comm_;
  bool is_root_;  // rank 0
  Hdf5Calls calls_;
  std::unique_ptr<PartFile> part_;  // on rank 0
  Hdf5Handle file_;
  std::map<std::string, ResultsList> lists_;  // by path
  std::set<std::string> written_;
  int exceptions_at_start_ = std::uncaught_exceptions();
};

}  // namespace ouro::engine
