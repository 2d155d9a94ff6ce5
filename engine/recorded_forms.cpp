#include "engine/recorded_forms.hpp"

#include <array>
#include <utility>

#include "engine/digest.hpp"

namespace ouro::engine {

std::uint32_t RecordedForms::number_of(const RecordedForm& form) {
  if (numbers_.size() == kMostKept) numbers_.clear();
  const auto [found, is_new] = numbers_.try_emplace(form, next_);
  if (is_new) {
    ++next_;
    new_.push_back(form);
  }
  return found->second;
}

std::vector<RecordedForm> RecordedForms::take_new() {
  return std::exchange(new_, {});
}

std::size_t RecordedForms::Hash::operator()(const RecordedForm& form) const {
  const std::array<std::uint64_t, 3> parts{std::uint64_t{form.from.value()} << 32 | form.to.value(),
                                           std::uint64_t{form.kind} << 32 | form.cause,
                                           static_cast<std::uint64_t>(form.delay.count())};
  return digest_of({reinterpret_cast<const char*>(parts.data()), sizeof parts});
}

}  // namespace ouro::engine
