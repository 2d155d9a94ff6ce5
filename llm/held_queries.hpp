#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"
#include "llm/message.hpp"

namespace ouro::llm {

/// Queries that wait at a KV core of a block with attention in both directions, each for two things: that its
/// station calls it, and that K and V of its whole sequence are stored.
class HeldQueries {
 public:
  /// One token's of one KV head.
  struct Query {
    Message message;
    engine::Time ready{};  ///< when the later of the two was there
    bool is_here = false;
    bool is_called = false;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, when, here, called] = *this;
      engine::archive_fields(archive, of, when, here, called);
    }
  };

  void hold(const Message& message, engine::Time at) {
    auto& query = find(message);
    query.is_here = true;
    query.ready = std::max(query.ready, at);
    most_held_ = std::max(most_held_, ++held_);
  }

  void call(const Message& message, engine::Time at) {
    auto& query = find(message);
    query.is_called = true;
    query.ready = std::max(query.ready, at);
  }

  /// Those of a head that are here and called, in the order of their tokens; they are held no longer.
  std::vector<Query> take(std::uint16_t slot, std::uint16_t head) {
    const auto is_due = [&](const Query& query) {
      return query.is_here && query.is_called && query.message.slot == slot && query.message.head == head;
    };
    std::vector<Query> due;
    std::copy_if(queries_.begin(), queries_.end(), std::back_inserter(due), is_due);
    std::erase_if(queries_, is_due);
    held_ -= static_cast<std::int64_t>(due.size());
    std::sort(due.begin(), due.end(),
              [](const Query& a, const Query& b) { return a.message.number < b.message.number; });
    return due;
  }

  bool empty() const { return queries_.empty(); }
  std::int64_t most_held() const { return most_held_; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [queries, held, most] = *this;
    engine::archive_fields(archive, queries, held, most);
  }

 private:
  Query& find(const Message& message) {
    const auto found = std::find_if(queries_.begin(), queries_.end(), [&](const Query& query) {
      return query.message.number == message.number && query.message.head == message.head;
    });
    if (found != queries_.end()) return *found;
    return queries_.emplace_back(Query{.message = message});
  }

  std::vector<Query> queries_;
  std::int64_t held_ = 0;
  std::int64_t most_held_ = 0;
};

}  // namespace ouro::llm
