#include <gtest/gtest.h>

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

TEST(EventQueue, GivesRandomEventsBackAsAnOrderedSetDoes) {
  EventQueue queue;
  std::multiset<Event> reference;
  for (std::uint64_t step = 0; step < 20'000; ++step) {
    const bool push = reference.empty() || uniform01({1, 1, step}) < 0.52;
    if (push) {
      const auto event = event_at(static_cast<std::int64_t>(uniform_below(50, {1, 2, step})),
                                  static_cast<std::uint32_t>(uniform_below(5, {1, 3, step})),
                                  static_cast<std::uint32_t>(uniform_below(3, {1, 4, step})), step);
      queue.push(event);
      reference.insert(event);
    } else {
      const auto event = queue.pop();
      ASSERT_EQ(event.sequence, reference.begin()->sequence) << "at step " << step;
      reference.erase(reference.begin());
    }
    ASSERT_EQ(queue.size(), reference.size());
  }
}

}  // namespace
}  // namespace ouro::engine
