#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "engine/hdf5_handle.hpp"
#include "engine/results_schema.hpp"

namespace ouro::engine {

struct DatasetInfo {
  std::string path;  // such as /requests/done
  ElementType type = ElementType::real64;
  std::vector<std::size_t> shape;  // empty for a single value
  std::string unit;
  std::string meaning;
};

using AttributeValue = std::variant<std::string, std::int64_t, double>;
using Attributes = std::map<std::string, AttributeValue>;

/// A results file opened for reading, by one process and without MPI.
///
/// @throws InputError  if the file is missing, damaged, or not a results file, and where it lacks what is
///                     asked for
class ResultsReader {
 public:
  explicit ResultsReader(const std::filesystem::path& path);

  const std::string& name() const { return calls_.file(); }
  /// Of each group, by its path; those of the whole file are of group "/".
  const std::map<std::string, Attributes>& attributes() const { return attributes_; }
  /// Null if there is no such attribute.
  const AttributeValue* find_attribute(const std::string& group, const std::string& name) const;
  std::int64_t attribute(const std::string& group, const std::string& name) const;
  /// Sorted by path.
  const std::vector<DatasetInfo>& datasets() const { return datasets_; }
  /// Null if there is no such dataset.
  const DatasetInfo* find(const std::string& path) const;

  /// All elements, the last dimension fastest. T is the type of the dataset, or one that holds all its
  /// values.
  template <ResultElement T>
  std::vector<T> read(const std::string& path) const {
    std::vector<T> elements(size_of(path));
    read_elements(path, element_type_of<T>(), elements.data());
    return elements;
  }
  std::vector<std::string> read_texts(const std::string& path) const;
  /// All elements of a dataset of numbers, in its own type.
  std::string read_bytes(const std::string& path) const;

 private:
  void check_schema() const;
  void list_attributes();
  void list_datasets();
  DatasetInfo describe(const std::string& path) const;
  const DatasetInfo& at(const std::string& path) const;
  std::size_t size_of(const std::string& path) const;
  void read_elements(const std::string& path, ElementType type, void* elements) const;

  Hdf5Calls calls_;
  Hdf5Handle file_;
  std::map<std::string, Attributes> attributes_;
  std::vector<DatasetInfo> datasets_;
};

}  // namespace ouro::engine
