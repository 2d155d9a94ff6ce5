#pragma once

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/circular_buffer_fwd.hpp>
#include <boost/container/small_vector.hpp>
#include <boost/serialization/array.hpp>
#include <boost/serialization/deque.hpp>
#include <boost/serialization/is_bitwise_serializable.hpp>
#include <boost/serialization/level.hpp>
#include <boost/serialization/map.hpp>
#include <boost/serialization/split_free.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/tracking.hpp>
#include <boost/serialization/utility.hpp>
#include <boost/serialization/vector.hpp>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>

#include "engine/error.hpp"
#include "engine/event.hpp"
#include "engine/id.hpp"
#include "engine/quantity.hpp"
#include "engine/time.hpp"

// What a checkpoint is made of: Boost.Serialization's binary archives, of this machine's byte order, and how
// they take the types that Boost does not know.

namespace ouro::engine {

using StateWriter = boost::archive::binary_oarchive;
using StateReader = boost::archive::binary_iarchive;

/// Both ways, by the kind of archive: archive & a & b.
///
/// A class names all its fields in a structured binding first, also those that it does not archive because
/// the configuration gives them. So a field that is added does not compile until somebody has said which it
/// is:
///
///     auto& [model, queue, clock] = *this;
///     engine::archive_fields(archive, queue, clock);
template <class Archive, class... Fields>
void archive_fields(Archive& archive, Fields&... fields) {
  (archive & ... & fields);
}

/// An archive of one object, as bytes.
template <class State>
std::string to_bytes(const State& state) {
  std::stringbuf buffer{std::ios::out | std::ios::binary};
  {
    StateWriter archive{buffer, boost::archive::no_header};
    archive << state;
  }
  return std::move(buffer).str();
}

/// The way back.
/// @throws ContractError  if the bytes are not those of such an object, as far as their number tells
template <class State>
void from_bytes(std::string bytes, State& state) {
  std::stringbuf buffer{std::move(bytes), std::ios::in | std::ios::binary};
  try {
    StateReader archive{buffer, boost::archive::no_header};
    archive >> state;
  } catch (const boost::archive::archive_exception& error) {
    throw ContractError{std::string{"a state in a checkpoint ends early: "} + error.what()};
  }
  if (buffer.in_avail() > 0) throw ContractError{"a state in a checkpoint has more than its object takes"};
}

}  // namespace ouro::engine

/// For types without padding, pointers and references: archived as their bytes, arrays of them in one piece.
#define OURO_ARCHIVE_AS_BYTES(...)                                                              \
  static_assert(std::is_trivially_copyable_v<__VA_ARGS__>);                                     \
  static_assert(std::has_unique_object_representations_v<__VA_ARGS__>, "padding has no value"); \
  template <>                                                                                   \
  struct boost::serialization::is_bitwise_serializable<__VA_ARGS__> : boost::mpl::true_ {};     \
  template <>                                                                                   \
  struct boost::serialization::implementation_level_impl<const __VA_ARGS__>                     \
      : boost::mpl::int_<boost::serialization::primitive_type> {};                              \
  template <>                                                                                   \
  struct boost::serialization::tracking_level_impl<const __VA_ARGS__>                           \
      : boost::mpl::int_<boost::serialization::track_never> {}

OURO_ARCHIVE_AS_BYTES(ouro::engine::Duration);
OURO_ARCHIVE_AS_BYTES(ouro::engine::Time);
OURO_ARCHIVE_AS_BYTES(ouro::engine::Energy);

namespace boost::serialization {

template <class Archive, class T>
void save(Archive& archive, const std::optional<T>& value, unsigned /*version*/) {
  const bool has_value = value.has_value();
  archive << has_value;
  if (has_value) archive << *value;
}
template <class Archive, class T>
void load(Archive& archive, std::optional<T>& value, unsigned /*version*/) {
  bool has_value = false;
  archive >> has_value;
  value.reset();
  if (has_value) archive >> value.emplace();
}
template <class Archive, class T>
void serialize(Archive& archive, std::optional<T>& value, unsigned version) {
  split_free(archive, value, version);
}

template <class Archive, class Sequence>
void save_sequence(Archive& archive, const Sequence& sequence) {
  const std::uint64_t count = sequence.size();
  archive << count;
  for (const auto& element : sequence) archive << element;
}
template <class Archive, class Sequence>
void load_sequence(Archive& archive, Sequence& sequence) {
  std::uint64_t count = 0;
  archive >> count;
  sequence.clear();
  for (; count > 0; --count) {
    sequence.push_back({});
    archive >> sequence.back();
  }
}

template <class Archive, class T, std::size_t N>
void save(Archive& archive, const container::small_vector<T, N>& sequence, unsigned /*version*/) {
  save_sequence(archive, sequence);
}
template <class Archive, class T, std::size_t N>
void load(Archive& archive, container::small_vector<T, N>& sequence, unsigned /*version*/) {
  load_sequence(archive, sequence);
}
template <class Archive, class T, std::size_t N>
void serialize(Archive& archive, container::small_vector<T, N>& sequence, unsigned version) {
  split_free(archive, sequence, version);
}

/// Its capacity stays as it is.
template <class Archive, class T>
void save(Archive& archive, const circular_buffer<T>& sequence, unsigned /*version*/) {
  save_sequence(archive, sequence);
}
template <class Archive, class T>
void load(Archive& archive, circular_buffer<T>& sequence, unsigned /*version*/) {
  load_sequence(archive, sequence);
}
template <class Archive, class T>
void serialize(Archive& archive, circular_buffer<T>& sequence, unsigned version) {
  split_free(archive, sequence, version);
}

}  // namespace boost::serialization
