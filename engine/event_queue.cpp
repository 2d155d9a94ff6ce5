#include "engine/event_queue.hpp"

#include <algorithm>

namespace ouro::engine {
namespace {
constexpr std::size_t kArity = 4;
}

bool EventQueue::before(const Node& a, const Node& b) const {
  if (a.time != b.time) return a.time < b.time;
  if (a.to != b.to) return a.to < b.to;
  return pool_[a.slot] < pool_[b.slot];
}

std::uint32_t EventQueue::store(const Event& event) {
  if (unused_.empty()) {
    pool_.push_back(event);
    return static_cast<std::uint32_t>(pool_.size() - 1);
  }
  const auto slot = unused_.back();
  unused_.pop_back();
  pool_[slot] = event;
  return slot;
}

void EventQueue::push(const Event& event) {
  const Node node{event.time, event.to, store(event)};
  std::size_t hole = heap_.size();
  heap_.push_back(node);
  while (hole > 0) {
    const std::size_t parent = (hole - 1) / kArity;
    if (!before(node, heap_[parent])) break;
    heap_[hole] = heap_[parent];
    hole = parent;
  }
  heap_[hole] = node;
}

Event EventQueue::pop() {
  const auto slot = heap_.front().slot;
  const Node last = heap_.back();
  heap_.pop_back();
  const std::size_t size = heap_.size();
  std::size_t hole = 0;
  while (true) {
    const std::size_t first = hole * kArity + 1;
    if (first >= size) break;
    std::size_t best = first;
    for (std::size_t child = first + 1; child < std::min(first + kArity, size); ++child) {
      if (before(heap_[child], heap_[best])) best = child;
    }
    if (!before(heap_[best], last)) break;
    heap_[hole] = heap_[best];
    hole = best;
  }
  if (size > 0) heap_[hole] = last;
  unused_.push_back(slot);
  return pool_[slot];
}

}  // namespace ouro::engine
