#include "engine/results_reader.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>

#include "engine/error.hpp"
#include "engine/hdf5_read.hpp"

namespace ouro::engine {
namespace {

Hdf5Handle open_file(const Hdf5Calls& calls) {
  const auto& name = calls.file();
  std::error_code ignored;
  if (!std::filesystem::exists(name, ignored)) throw InputError{name, "there is no such file"};
  if (std::filesystem::is_directory(name, ignored)) {
    throw InputError{name, "is a directory", "a results file is needed"};
  }
  if (H5Fis_hdf5(name.c_str()) <= 0) {
    throw InputError{name, "is not an HDF5 file, or its start is damaged", "a results file is needed"};
  }
  return calls.own(H5Fopen(name.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "open it");
}

}  // namespace

ResultsReader::ResultsReader(const std::filesystem::path& path)
    : calls_{path.string()}, file_{open_file(calls_)} {
  list_attributes();
  check_schema();
  list_datasets();
}

void ResultsReader::list_attributes() {
  for (const auto& path : object_paths(calls_, file_.get(), ObjectKind::group)) {
    const auto group = open_group(calls_, file_.get(), path);
    auto& attributes = attributes_[path];
    for (const auto& name : attribute_names(calls_, group.get()))
      attributes[name] = read_attribute(calls_, group.get(), name);
  }
}

void ResultsReader::check_schema() const {
  const auto* schema = find_attribute("/", kSchemaAttribute);
  if (!schema || *schema != AttributeValue{kSchema}) {
    throw InputError{name(), "is an HDF5 file, but not a results file of this program"};
  }
  const auto* version = find_attribute("/", kSchemaVersionAttribute);
  if (!version || *version != AttributeValue{kSchemaVersion}) {
    throw InputError{name(), "has another schema version",
                     fmt::format("this program reads {}", kSchemaVersion)};
  }
}

void ResultsReader::list_datasets() {
  for (const auto& path : object_paths(calls_, file_.get(), ObjectKind::dataset))
    datasets_.push_back(describe(path));
}

DatasetInfo ResultsReader::describe(const std::string& path) const {
  const auto dataset = open_dataset(calls_, file_.get(), path);
  const auto text_of = [&](const char* name) {
    const auto value = read_attribute(calls_, dataset.get(), name);
    const auto* text = std::get_if<std::string>(&value);
    return text ? *text : "";
  };
  return {path, element_type(calls_, dataset.get(), path), shape_of(calls_, dataset.get(), path),
          text_of(kUnitAttribute), text_of(kMeaningAttribute)};
}

const AttributeValue* ResultsReader::find_attribute(const std::string& group, const std::string& name) const {
  const auto attributes = attributes_.find(group);
  if (attributes == attributes_.end()) return nullptr;
  const auto found = attributes->second.find(name);
  return found == attributes->second.end() ? nullptr : &found->second;
}

std::int64_t ResultsReader::attribute(const std::string& group, const std::string& name) const {
  const auto* value = find_attribute(group, name);
  if (const auto* number = value ? std::get_if<std::int64_t>(value) : nullptr) return *number;
  throw InputError{this->name(), fmt::format("has no whole number '{}' as attribute of '{}'", name, group)};
}

const DatasetInfo* ResultsReader::find(const std::string& path) const {
  const auto found = std::find_if(datasets_.begin(), datasets_.end(),
                                  [&](const DatasetInfo& dataset) { return dataset.path == path; });
  return found == datasets_.end() ? nullptr : &*found;
}

const DatasetInfo& ResultsReader::at(const std::string& path) const {
  if (const auto* dataset = find(path)) return *dataset;
  throw InputError{name(), fmt::format("has no dataset '{}'", path)};
}

std::size_t ResultsReader::size_of(const std::string& path) const {
  std::size_t size = 1;
  for (const std::size_t extent : at(path).shape) size *= extent;
  return size;
}

void ResultsReader::read_elements(const std::string& path, ElementType type, void* elements) const {
  if (at(path).type == ElementType::text) throw InputError{name(), fmt::format("'{}' is text", path)};
  const auto dataset = open_dataset(calls_, file_.get(), path);
  calls_.check(H5Dread(dataset.get(), hdf5_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, elements),
               fmt::format("read '{}'", path));
}

std::string ResultsReader::read_bytes(const std::string& path) const {
  std::string bytes(size_of(path) * bytes_of(at(path).type), '\0');
  read_elements(path, at(path).type, bytes.data());
  return bytes;
}

std::vector<std::string> ResultsReader::read_texts(const std::string& path) const {
  if (at(path).type != ElementType::text) throw InputError{name(), fmt::format("'{}' is not text", path)};
  const auto dataset = open_dataset(calls_, file_.get(), path);
  const auto type = calls_.own(H5Dget_type(dataset.get()), H5Tclose, fmt::format("read '{}'", path));
  const std::size_t width = H5Tget_size(type.get());
  std::string padded(size_of(path) * width, '\0');
  calls_.check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, padded.data()),
               fmt::format("read '{}'", path));
  std::vector<std::string> texts;
  for (std::size_t start = 0; start < padded.size(); start += width) {
    texts.push_back(padded.substr(start, width));
    texts.back().erase(texts.back().find_last_not_of('\0') + 1);
  }
  return texts;
}

}  // namespace ouro::engine
