#include "engine/results_file.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "engine/error.hpp"
#include "engine/hdf5_write.hpp"
#include "engine/mpi.hpp"
#include "engine/rank_0.hpp"
#include "engine/results_reader.hpp"
#include "engine/row_exchange.hpp"

namespace ouro::engine {
namespace {

constexpr std::size_t kSmallestCompressed = 65'536;  // bytes; below, a block costs more than it saves
constexpr std::size_t kChunkBytes = 262'144;

std::size_t product(const ResultsFile::Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>{});
}

Hdf5Handle create_file(const Hdf5Calls& calls, MPI_Comm comm) {
  const auto access = calls.own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "choose an access");
  calls.check(H5Pset_fapl_mpio(access.get(), comm, MPI_INFO_NULL), "choose parallel access");
  return calls.own(H5Fcreate(calls.file().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose,
                   "create it");
}

}  // namespace

ResultsFile::ResultsFile(const std::filesystem::path& path, MPI_Comm comm, Overwrite overwrite)
    : comm_{comm}, is_root_{mpi_rank(comm) == 0}, calls_{path.string() + ".part"} {
  on_rank_0(comm_, [&] { part_ = std::make_unique<PartFile>(path, overwrite); });
  file_ = create_file(calls_, comm_);
  set_attribute("/", kSchemaAttribute, std::string{kSchema});
  set_attribute("/", kSchemaVersionAttribute, kSchemaVersion);
}

ResultsFile::~ResultsFile() {
  if (std::uncaught_exceptions() <= exceptions_at_start_) return;
  // the other ranks may never come to close with us, and closing would wait for them
  for (auto& [path, list] : lists_) list.leak();
  file_.leak();
}

Hdf5Handle ResultsFile::open_group(const std::string& group) {
  const auto doing = fmt::format("open group '{}'", group);
  if (group == "/" || calls_.check(H5Lexists(file_.get(), group.c_str(), H5P_DEFAULT), doing) > 0) {
    return calls_.own(H5Gopen2(file_.get(), group.c_str(), H5P_DEFAULT), H5Gclose, doing);
  }
  const auto links = intermediate_groups(calls_);
  return calls_.own(H5Gcreate2(file_.get(), group.c_str(), links.get(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
                    doing);
}

void ResultsFile::set_attribute(const std::string& group, const std::string& name, const std::string& value) {
  write_text_attribute(calls_, open_group(group).get(), name, value);
}

void ResultsFile::set_attribute(const std::string& group, const std::string& name, std::int64_t value) {
  write_attribute(calls_, open_group(group).get(), name, H5T_NATIVE_INT64, &value);
}

void ResultsFile::set_attribute(const std::string& group, const std::string& name, double value) {
  write_attribute(calls_, open_group(group).get(), name, H5T_NATIVE_DOUBLE, &value);
}

Hdf5Handle ResultsFile::create_dataset(const Column& column, Hdf5Id type, Hdf5Id space, Hdf5Id properties) {
  if (!written_.insert(column.path).second) {
    throw ContractError{fmt::format("dataset '{}' is written twice", column.path)};
  }
  const auto links = intermediate_groups(calls_);
  auto dataset = calls_.own(
      H5Dcreate2(file_.get(), column.path.c_str(), type, space, links.get(), properties, H5P_DEFAULT),
      H5Dclose, fmt::format("create '{}'", column.path));
  write_text_attribute(calls_, dataset.get(), kUnitAttribute, column.unit);
  write_text_attribute(calls_, dataset.get(), kMeaningAttribute, column.meaning);
  return dataset;
}

void ResultsFile::write_block(const Column& column, ElementType type, std::span<const std::byte> rows,
                              std::size_t first_row, std::size_t total_rows, const Shape& inner) {
  const std::size_t row_bytes = product(inner) * bytes_of(type);
  if (row_bytes == 0 || rows.size() % row_bytes != 0 || first_row + rows.size() / row_bytes > total_rows) {
    throw ContractError{fmt::format("'{}': {} bytes from row {} on do not fit {} rows of {} bytes",
                                    column.path, rows.size(), first_row, total_rows, row_bytes)};
  }
  Slab slab{.start = Shape(1 + inner.size(), 0), .count = inner};
  slab.start.front() = first_row;
  slab.count.insert(slab.count.begin(), rows.size() / row_bytes);
  Shape shape = inner;
  shape.insert(shape.begin(), total_rows);

  const bool is_large = total_rows * row_bytes >= kSmallestCompressed;
  Shape chunk = inner;
  chunk.insert(chunk.begin(),
               std::clamp<std::size_t>(kChunkBytes / row_bytes, 1, std::max<std::size_t>(1, total_rows)));
  const auto properties = is_large ? compressed(calls_, chunk) : plain(calls_);
  const auto dataset =
      create_dataset(column, hdf5_type(type), fixed_space(calls_, shape).get(), properties.get());
  if (total_rows > 0) write_slab(calls_, dataset.get(), column.path, hdf5_type(type), rows.data(), slab);
}

void ResultsFile::write_scattered_bytes(const Column& column, ElementType type,
                                        std::span<const std::byte> rows, std::span<const std::size_t> indices,
                                        std::size_t total_rows, const Shape& inner) {
  const auto block = gather_row_block(comm_, rows, product(inner) * bytes_of(type), indices, total_rows);
  write_block(column, type, block.rows, block.first, total_rows, inner);
}

ResultsList& ResultsFile::open_list(const Column& column, ElementType type) {
  const auto found = lists_.find(column.path);
  if (found != lists_.end()) return found->second;
  const auto properties = compressed(calls_, {ResultsList::kBlockBytes / bytes_of(type)});
  auto dataset = create_dataset(column, hdf5_type(type), growing_space(calls_).get(), properties.get());
  return lists_.try_emplace(column.path, comm_, column.path, type, std::move(dataset)).first->second;
}

void ResultsFile::append_bytes(const Column& column, ElementType type, std::span<const std::byte> elements) {
  open_list(column, type).append(calls_, elements);
}

void ResultsFile::write_lists() {
  for (auto& [path, list] : lists_) list.write_all(calls_);
}

void ResultsFile::save_lists(const std::function<void(const std::string&, std::string)>& take) {
  if (!is_root_) return;
  // Apart from the open file: what it has read of a block, it does not see change with the other ranks'.
  const ResultsReader written{calls_.file()};
  for (const auto& [path, list] : lists_) take(path, written.read_bytes(path));
}

void ResultsFile::restore_lists(const std::function<std::string(const std::string&)>& saved) {
  for (auto& [path, list] : lists_) {
    const std::string bytes = is_root_ ? saved(path) : std::string{};
    list.append(calls_, std::as_bytes(std::span{bytes}));
  }
}

void ResultsFile::write_string(const Column& column, const std::string& text) {
  write_texts(column, {text}, {});
}

void ResultsFile::write_strings(const Column& column, const std::vector<std::string>& texts) {
  write_texts(column, texts, {texts.size()});
}

void ResultsFile::write_texts(const Column& column, const std::vector<std::string>& texts,
                              const Shape& shape) {
  std::size_t longest = 1;
  for (const auto& text : texts) longest = std::max(longest, text.size());
  std::string padded;
  for (const auto& text : texts) padded += text + std::string(longest - text.size(), '\0');

  const auto type = fixed_text_type(calls_, longest);
  const auto dataset =
      create_dataset(column, type.get(), fixed_space(calls_, shape).get(), plain(calls_).get());
  if (!is_root_ || texts.empty()) return;  // an uncompressed dataset may be written by one rank
  calls_.check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, padded.data()),
               fmt::format("write '{}'", column.path));
}

void ResultsFile::flush() {
  write_lists();
  calls_.check(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), "flush it");
  if (part_) part_->keep();
}

void ResultsFile::commit() {
  write_lists();
  bool is_closed = true;
  for (auto& [path, list] : lists_) is_closed &= list.close();
  is_closed &= file_.close();
  const auto reason = is_closed ? "another rank could not write all of it" : calls_.reason();
  if (mpi_reduce_all(comm_, is_closed ? 1 : 0, MPI_MIN) == 0) {
    throw InputError{calls_.file(), fmt::format("cannot be completed: {}", reason)};
  }
  on_rank_0(comm_, [&] { part_->publish(); });
}

}  // namespace ouro::engine
