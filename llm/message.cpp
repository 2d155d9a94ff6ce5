#include "llm/message.hpp"

#include <array>
#include <string_view>

#include "engine/digest.hpp"

namespace ouro::llm {

std::uint32_t kind_of(const engine::Event& event) {
  const auto message = event.as<Message>();
  const std::array<std::uint32_t, 5> parts{
      message.at, message.target, std::uint32_t{message.station} << 16 | message.head,
      static_cast<std::uint32_t>(message.kind), static_cast<std::uint32_t>(message.cargo)};
  const auto digest = engine::digest_of({reinterpret_cast<const char*>(parts.data()), sizeof parts});
  return static_cast<std::uint32_t>(digest);
}

}  // namespace ouro::llm
