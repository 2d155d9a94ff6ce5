#pragma once

#include <boost/mpl/bool.hpp>
#include <boost/serialization/array_wrapper.hpp>
#include <boost/serialization/is_bitwise_serializable.hpp>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace ouro::engine {

/// Archives in the sense of Boost.Serialization for messages between ranks of one run: bytes without headers,
/// class information or streams. They take what is bitwise serializable, alone or as an array.
class ByteWriter {
 public:
  using is_loading = boost::mpl::false_;  // NOLINT(readability-identifier-naming): Boost's name
  using is_saving = boost::mpl::true_;    // NOLINT(readability-identifier-naming): Boost's name

  /// Appends to `target`.
  explicit ByteWriter(std::string& target) : target_{target} {}

  template <class T>
  ByteWriter& operator<<(const T& value) {
    static_assert(boost::serialization::is_bitwise_serializable<T>::value || std::is_arithmetic_v<T>);
    target_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  template <class T>
  ByteWriter& operator<<(const boost::serialization::array_wrapper<T>& array) {
    static_assert(boost::serialization::is_bitwise_serializable<std::remove_const_t<T>>::value);
    if (array.count() == 0) return *this;  // it has no address
    target_.append(reinterpret_cast<const char*>(array.address()), array.count() * sizeof(T));
    return *this;
  }
  template <class T>
  ByteWriter& operator&(const T& value) {
    return *this << value;
  }

 private:
  std::string& target_;
};

class ByteReader {
 public:
  using is_loading = boost::mpl::true_;  // NOLINT(readability-identifier-naming): Boost's name
  using is_saving = boost::mpl::false_;  // NOLINT(readability-identifier-naming): Boost's name

  explicit ByteReader(const std::string& source) : source_{source} {}

  template <class T>
  ByteReader& operator>>(T& value) {
    static_assert(boost::serialization::is_bitwise_serializable<T>::value || std::is_arithmetic_v<T>);
    read(&value, sizeof value);
    return *this;
  }
  template <class T>
  ByteReader& operator>>(const boost::serialization::array_wrapper<T>& array) {
    static_assert(boost::serialization::is_bitwise_serializable<T>::value);
    read(array.address(), array.count() * sizeof(T));
    return *this;
  }
  template <class T>
  ByteReader& operator&(T& value) {
    return *this >> value;
  }

 private:
  /// @throws std::out_of_range  if the source ends before
  void read(void* to, std::size_t bytes) {
    if (bytes > source_.size() - at_) throw std::out_of_range{"a message between ranks is too short"};
    if (bytes == 0) return;  // an empty array has no address
    std::memcpy(to, source_.data() + at_, bytes);
    at_ += bytes;
  }

  const std::string& source_;
  std::size_t at_ = 0;
};

}  // namespace ouro::engine
