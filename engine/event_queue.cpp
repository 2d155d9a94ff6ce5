#include "engine/event_queue.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace ouro::engine {
namespace {

constexpr std::size_t kFewestBuckets = 1024;
constexpr std::size_t kMostBuckets = std::size_t{1} << 20;
constexpr int kWidestBits = 50;
constexpr std::uint64_t kPopsBetweenFits = 1U << 14;
// events that a day should hold, and from where on its width is changed
constexpr double kEventsOfDay = 8, kTooFew = 2, kTooMany = 32;
constexpr std::uint64_t kNoDay = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kWordBits = 64;

}  // namespace

EventQueue::EventQueue() : buckets_(kFewestBuckets, kEnd), marks_(kFewestBuckets / kWordBits) {}

bool EventQueue::later(const Node& a, const Node& b) const {
  if (a.time != b.time) return a.time > b.time;
  if (a.to != b.to) return a.to > b.to;
  return pool_[b.slot] < pool_[a.slot];
}

std::uint32_t EventQueue::store(const Event& event) {
  if (unused_.empty()) {
    pool_.push_back(event);
    next_.push_back(kEnd);
    return static_cast<std::uint32_t>(pool_.size() - 1);
  }
  const auto slot = unused_.back();
  unused_.pop_back();
  pool_[slot] = event;
  return slot;
}

std::uint32_t EventQueue::push(const Event& event) {
  const Node node{event.time, event.to, store(event)};
  if (size_++ == 0) day_ = day_of(event.time);
  place(node);
  return node.slot;
}

void EventQueue::place(const Node& node) {
  const auto day = day_of(node.time);
  if (day <= day_) {
    insert_today(node);
  } else if (day - day_ < buckets_.size()) {
    const auto bucket = day % buckets_.size();
    next_[node.slot] = std::exchange(buckets_[bucket], node.slot);
    marks_[bucket / kWordBits] |= std::uint64_t{1} << bucket % kWordBits;
    ++in_buckets_;
  } else {
    far_.push_back(node);
    std::push_heap(far_.begin(), far_.end(), [this](const Node& a, const Node& b) { return later(a, b); });
  }
}

void EventQueue::insert_today(const Node& node) {
  const auto after = [this](const Node& a, const Node& b) { return later(a, b); };
  today_.insert(std::upper_bound(today_.begin(), today_.end(), node, after), node);
}

Event EventQueue::pop() {
  const auto slot = today_.back().slot;
  today_.pop_back();
  --size_;
  if (today_.empty() && size_ > 0) turn_page();
  unused_.push_back(slot);
  if (++pops_ == kPopsBetweenFits) fit();
  return pool_[slot];
}

/// Goes on to the next day that has events, and sorts them.
void EventQueue::turn_page() {
  ++pages_;
  day_ = std::min(next_marked_day(), far_.empty() ? kNoDay : day_of(far_.front().time));
  open_bucket(day_ % buckets_.size());
  std::sort(today_.begin(), today_.end(), [this](const Node& a, const Node& b) { return later(a, b); });
  take_from_far();
}

/// Moves a bucket's events to today, unsorted.
void EventQueue::open_bucket(std::size_t bucket) {
  for (auto slot = std::exchange(buckets_[bucket], kEnd); slot != kEnd; slot = next_[slot]) {
    today_.push_back({pool_[slot].time, pool_[slot].to, slot});
    --in_buckets_;
  }
  marks_[bucket / kWordBits] &= ~(std::uint64_t{1} << bucket % kWordBits);
}

/// First day after day_ whose bucket has events; kNoDay if none has.
std::uint64_t EventQueue::next_marked_day() const {
  if (in_buckets_ == 0) return kNoDay;
  const auto first = (day_ + 1) % buckets_.size();
  std::size_t word = first / kWordBits;
  std::uint64_t bits = marks_[word] & (~std::uint64_t{0} << first % kWordBits);
  while (bits == 0) {
    word = (word + 1) % marks_.size();
    bits = marks_[word];
  }
  const auto bucket = word * kWordBits + static_cast<std::size_t>(std::countr_zero(bits));
  return day_ + 1 + (bucket + buckets_.size() - first) % buckets_.size();
}

/// Moves what the buckets now reach out of the heap.
void EventQueue::take_from_far() {
  while (!far_.empty() && day_of(far_.front().time) - day_ < buckets_.size()) {
    const Node node = far_.front();
    std::pop_heap(far_.begin(), far_.end(), [this](const Node& a, const Node& b) { return later(a, b); });
    far_.pop_back();
    place(node);
  }
}

/// Changes width or number of the buckets where days hold too few or too many events.
void EventQueue::fit() {
  const double of_day = static_cast<double>(pops_) / static_cast<double>(std::max<std::uint64_t>(pages_, 1));
  int width_bits = width_bits_;
  if (of_day > kTooMany) width_bits -= std::bit_width(static_cast<std::uint64_t>(of_day / kEventsOfDay)) - 1;
  if (of_day < kTooFew) width_bits += 2;
  width_bits = std::clamp(width_bits, 0, kWidestBits);
  const auto buckets = std::clamp(std::bit_ceil(size_ / 2), kFewestBuckets, kMostBuckets);
  const bool too_small = buckets > buckets_.size();
  const bool too_large = buckets * 8 < buckets_.size();
  if (width_bits != width_bits_ || too_small || too_large) rebuild(buckets, width_bits);
  pops_ = 0;
  pages_ = 0;
}

void EventQueue::rebuild(std::size_t buckets, int width_bits) {
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) open_bucket(bucket);
  std::vector<Node> nodes = std::exchange(today_, {});
  nodes.insert(nodes.end(), far_.begin(), far_.end());
  far_.clear();
  buckets_.assign(buckets, kEnd);
  marks_.assign(buckets / kWordBits, 0);
  width_bits_ = width_bits;
  if (nodes.empty()) return;
  const auto earliest = std::min_element(nodes.begin(), nodes.end(),
                                         [this](const Node& a, const Node& b) { return later(b, a); });
  day_ = day_of(earliest->time);
  for (const auto& node : nodes) place(node);
}

}  // namespace ouro::engine
