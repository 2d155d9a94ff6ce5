#include "llm/repair.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <tuple>

namespace ouro::llm {
namespace {

using wafer::CoreId;

enum class Use : std::uint8_t { spare, kv, weights };

class Repairer {
 public:
  Repairer(const wafer::Geometry& geometry, const wafer::Faults& faults, const Mapping& mapping)
      : geometry_{geometry},
        faults_{faults},
        uses_(static_cast<std::size_t>(geometry.cores()), Use::spare),
        repair_{.mapping = mapping} {
    const auto mark = [&](const std::vector<CoreId>& cores, Use use) {
      for (const auto core : cores) {
        if (core != kNoCore) uses_[core.value()] = use;
      }
    };
    for (const auto& block : mapping.blocks) {
      for (const auto& tiles : block.tiles) mark(tiles, Use::weights);
      mark(block.kv, Use::kv);
    }
    mark(mapping.lm_head, Use::weights);
  }

  Repair replace(CoreId failed) {
    const auto use = use_of(failed);
    if (use == Use::kv) lose_kv(failed);
    if (use == Use::weights) shift_weights(failed);
    return std::move(repair_);
  }

 private:
  Use& use_of(CoreId core) { return uses_[core.value()]; }

  void shift_weights(CoreId failed) {
    const auto chain = find_chain(failed);
    if (chain.empty()) {
      const auto at = geometry_.coordinate(failed);
      repair_.halt = fmt::format(
          "the core at ({}, {}) failed with its weights, and no live core that could give way is in reach",
          at.x, at.y);
      return;
    }
    std::vector<CoreId*> places;  // where the mapping names each core that hands its weights on
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
      places.push_back(weights_place(chain[i]));
      repair_.moves.push_back({chain[i], chain[i + 1]});
    }
    const auto last = chain.back();
    const bool held_kv = use_of(last) == Use::kv;
    use_of(last) = Use::weights;
    if (held_kv) lose_kv(last);
    for (std::size_t i = 0; i < places.size(); ++i) *places[i] = chain[i + 1];
  }

  /// From the failed core to the one that gives way; empty if there is none.
  std::vector<CoreId> find_chain(CoreId failed) {
    struct Reached {
      int links = -1;
      CoreId before;
    };
    std::vector<Reached> reached(uses_.size());
    std::deque<CoreId> next{failed};
    reached[failed.value()].links = 0;
    std::optional<CoreId> end;
    const auto rank = [&](CoreId core) {
      return std::tuple{reached[core.value()].links, use_of(core), core.value()};
    };
    for (; !next.empty(); next.pop_front()) {
      const auto at = next.front();
      if (end && reached[at.value()].links >= reached[end->value()].links) break;
      for (const auto direction : wafer::kDirections) {
        const auto to = neighbour(at, direction, at == failed);
        if (!to || reached[to->value()].links >= 0) continue;
        reached[to->value()] = {reached[at.value()].links + 1, at};
        next.push_back(*to);
        const bool gives_way = !faults_.core_is_dead(*to) && use_of(*to) != Use::weights;
        if (gives_way && (!end || rank(*to) < rank(*end))) end = to;
      }
    }
    if (!end) return {};
    std::vector<CoreId> chain;
    for (auto at = *end; at != failed; at = reached[at.value()].before) {
      if (!faults_.core_is_dead(at)) chain.push_back(at);
    }
    chain.push_back(failed);
    std::reverse(chain.begin(), chain.end());
    return chain;
  }

  /// The next router, if it is alive and so is the link. The links of a failed router are dead with it, and
  /// its weights come from elsewhere.
  std::optional<CoreId> neighbour(CoreId at, wafer::Direction direction, bool is_failed) const {
    const auto to = step(geometry_.coordinate(at), direction);
    if (!geometry_.contains(to)) return std::nullopt;
    const auto core = geometry_.core_at(to);
    const bool link_lives = !faults_.link_is_dead(at, direction) || (is_failed && faults_.router_is_dead(at));
    if (!link_lives || faults_.router_is_dead(core)) return std::nullopt;
    return core;
  }

  CoreId* weights_place(CoreId core) {
    const auto find = [core](std::vector<CoreId>& cores) -> CoreId* {
      const auto found = std::find(cores.begin(), cores.end(), core);
      return found == cores.end() ? nullptr : &*found;
    };
    for (auto& block : repair_.mapping.blocks) {
      for (auto& tiles : block.tiles) {
        if (auto* place = find(tiles)) return place;
      }
    }
    return find(repair_.mapping.lm_head);
  }

  void lose_kv(CoreId core) {
    for (auto& block : repair_.mapping.blocks) {
      const auto found = std::find(block.kv.begin(), block.kv.end(), core);
      if (found == block.kv.end()) continue;
      const auto number = found - block.kv.begin();
      repair_.lost_kv.push_back(static_cast<int>(number));
      const auto substitute = nearest_spare(core);
      if (substitute) {
        *found = *substitute;
      } else {
        close(static_cast<std::size_t>(number));
      }
      return;
    }
  }

  std::optional<CoreId> nearest_spare(CoreId core) const {
    std::optional<CoreId> nearest;
    const auto links = [&](CoreId to) {
      return distance(geometry_.coordinate(core), geometry_.coordinate(to));
    };
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      const CoreId to{static_cast<CoreId::Value>(i)};
      if (uses_[i] != Use::spare || faults_.core_is_dead(to)) continue;
      if (!nearest || links(to) < links(*nearest)) nearest = to;
    }
    return nearest;
  }

  void close(std::size_t number) {
    repair_.closed.push_back(static_cast<int>(number));
    for (auto& block : repair_.mapping.blocks) block.kv[number] = kNoCore;
    const auto& ring = repair_.mapping.blocks.front().kv;
    if (std::count(ring.begin(), ring.end(), kNoCore) == std::ssize(ring))
      repair_.halt = "no KV core is left in each block";
  }

  const wafer::Geometry& geometry_;
  const wafer::Faults& faults_;
  std::vector<Use> uses_;  // by core
  Repair repair_;
};

}  // namespace

Repair repair(const wafer::Geometry& geometry, const wafer::Faults& faults, const Mapping& mapping,
              CoreId failed) {
  return Repairer{geometry, faults, mapping}.replace(failed);
}

}  // namespace ouro::llm
