#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>

#include "engine/null_message_protocol.hpp"
#include "engine/region.hpp"

namespace ouro::engine {
namespace {

using namespace std::chrono_literals;

struct Ping {
  std::uint64_t number;
};

/// Gives what the test has laid out, and remembers what was last said to each rank.
class HandCourier final : public Courier {
 public:
  void send(int peer, const Statement& statement, std::vector<Event>& events) override {
    told[peer] = statement;
    events.clear();
  }
  bool try_receive(Batch& batch) override {
    if (inbox.empty()) return false;
    batch = inbox.front();
    inbox.pop_front();
    return true;
  }

  std::deque<Batch> inbox;
  std::map<int, Statement> told;
};

/// LP 0 sends to LP 4 on rank 2, and LP 2 to LP 3 on rank 1, each after 1 ns at least. LP 0 has an event at
/// 90 ns, LP 2 one at 5 ns, and LP 1 so many at 5 ns that they take two stretches of work.
class WaitingLp final : public LogicalProcess {
 public:
  explicit WaitingLp(LpId id) : id_{id} {}
  std::string name() const override { return "waiting"; }
  Channels channels() const override {
    if (id_ == LpId{0}) return {{{LpId{4}, 1ns}}, {}};
    if (id_ == LpId{2}) return {{{LpId{3}, 1ns}}, {}};
    return {};
  }
  void start(Scheduler& scheduler) override {
    if (id_ == LpId{0}) scheduler.send(id_, 90ns, Ping{0});
    if (id_ == LpId{2}) scheduler.send(id_, 5ns, Ping{0});
    for (std::uint64_t i = 0; id_ == LpId{1} && i < 200; ++i) scheduler.send(id_, 5ns, Ping{i});
  }
  void handle(const Event&, Scheduler&) override {}

 private:
  LpId id_;
};

TEST(NullMessageProtocol, PromisesWhatComesBackByAThirdRankFromAnEventThatItHasJustReceived) {
  HandCourier courier;
  Region region{0, 3, {0, 0, 0, 1, 2}, [](LpId id) { return std::make_unique<WaitingLp>(id); }};
  const std::vector<Neighbour> neighbours{{1, true, true, 1ns}, {2, true, true, 1ns}};
  NullMessageProtocol protocol{region, courier, neighbours, 1ns};

  courier.inbox = {{1, {Time{10ns}, 0, 0}, {}}, {2, {kNever, 0, 0}, {}}};
  EXPECT_EQ(protocol.step(Time{1us}), NullMessageProtocol::Step::worked);
  EXPECT_EQ(courier.told[1].promise, Time{6ns});  // by LP 2's own event

  const Event event{Time{10ns}, LpId{0}, LpId{3}, 0, {}};
  courier.inbox = {{1, {Time{200ns}, 1, 0}, {event}}};
  EXPECT_EQ(protocol.step(Time{1us}), NullMessageProtocol::Step::worked);
  EXPECT_EQ(courier.told[1].received, 2U);
  EXPECT_EQ(courier.told[1].promise, Time{10ns + 3 * 1ns});  // to rank 2, back, and to rank 1
}

}  // namespace
}  // namespace ouro::engine
