#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/event_queue.hpp"
#include "engine/random.hpp"

namespace ouro::engine {
namespace {

Event event_at(std::int64_t time, std::uint32_t to, std::uint32_t from, std::uint64_t sequence) {
  return {from_picoseconds(time), LpId{to}, LpId{from}, sequence, {}};
}

TEST(EventQueue, AnEmptyQueueIsNeverDue) {
  EventQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.next_time(), kNever);
}

TEST(EventQueue, TiesGoByReceiverThenSenderThenSequence) {
  EventQueue queue;
  queue.push(event_at(5, 2, 1, 0));
  queue.push(event_at(5, 1, 9, 4));
  queue.push(event_at(5, 1, 9, 3));
  queue.push(event_at(5, 1, 8, 7));
  EXPECT_EQ(queue.pop().from, LpId{8});
  EXPECT_EQ(queue.pop().sequence, 3U);
  EXPECT_EQ(queue.pop().sequence, 4U);
  EXPECT_EQ(queue.pop().to, LpId{2});
}

/// Pushes and pops at random; the span of the events ahead grows and shrinks by powers of ten, so that the
/// queue changes its shape again and again.
TEST(EventQueue, GivesRandomEventsBackAsAnOrderedSetDoes) {
  EventQueue queue;
  std::int64_t now = 0;
  std::multiset<Event> reference;
  for (std::uint64_t step = 0; step < 400'000; ++step) {
    const bool grow = step / 50'000 % 2 == 0;
    const bool push = reference.empty() || uniform01({1, 1, step}) < (grow ? 0.6 : 0.45);
    const std::uint64_t power = step / 40'000;
    const auto span = 1 + static_cast<std::uint64_t>(std::pow(10, static_cast<double>(power)));
    if (push) {
      const auto event = event_at(now + static_cast<std::int64_t>(uniform_below(span, {1, 2, step})),
                                  static_cast<std::uint32_t>(uniform_below(5, {1, 3, step})),
                                  static_cast<std::uint32_t>(uniform_below(3, {1, 4, step})), step);
      queue.push(event);
      reference.insert(event);
    } else {
      const auto event = queue.pop();
      now = picoseconds(event.time);
      ASSERT_EQ(event.sequence, reference.begin()->sequence) << "at step " << step;
      reference.erase(reference.begin());
    }
    ASSERT_EQ(queue.size(), reference.size());
  }
}

}  // namespace
}  // namespace ouro::engine
