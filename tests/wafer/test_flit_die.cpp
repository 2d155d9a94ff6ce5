#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/wafer/flit_wafer.hpp"
#include "tests/wafer/small_wafer.hpp"

namespace ouro::tests {
namespace {

using engine::Duration;
using engine::Time;
using wafer::CoreId;
using wafer::Direction;
using wafer::Geometry;
using wafer::NocModel;

/// 2 x 2 dies of 3 x 2 cores, the host in the second row.
constexpr Geometry kFourDies{2, 2, 3, 2};

NocModel with_host_in_row(int row) {
  NocModel model;
  model.host = {0, row};
  return model;
}

/// (h + 1)(r + w) + w + c X + z cycles of 1 ns, r = w = 1, X = 4: docs/design.md, 5.
Duration lone(int hops, int flits, int crossings) {
  return std::chrono::nanoseconds{2 * (hops + 1) + 1 + 4 * crossings + flits};
}

TEST(FlitDie, TakesTheTimeOfAnIdleNetworkBetweenAnyTwoCoresFromWhateverTime) {
  const auto model = with_host_in_row(1);
  for (const auto ready : {Time{}, Time{Duration{1}}, Time{Duration{999}}, Time{Duration{7'000}}}) {
    const Time edge{(ready.time_since_epoch() + Duration{999}) / Duration{1000} * Duration{1000}};
    for (int from = 0; from < kFourDies.cores(); ++from) {
      for (int to = 0; to < kFourDies.cores(); ++to) {
        const CoreId source{static_cast<CoreId::Value>(from)}, target{static_cast<CoreId::Value>(to)};
        const auto a = kFourDies.coordinate(source), b = kFourDies.coordinate(target);
        const int crossings = (a.x / 3 != b.x / 3 ? 1 : 0) + (a.y / 2 != b.y / 2 ? 1 : 0);
        FlitWafer wafer{kFourDies, model};
        wafer.send(source, target, 5, ready);
        ASSERT_EQ(wafer.run().at(0), edge + lone(distance(a, b), 5, crossings));
        ASSERT_TRUE(wafer.is_idle());
      }
    }
  }
}

TEST(FlitDie, TakesTheTimeOfThePacketFidelityToAndFromTheHostInAnIdleNetwork) {
  const auto model = with_host_in_row(3);
  const Time ready{std::chrono::nanoseconds{20}};
  for (int number = 0; number < kFourDies.cores(); ++number) {
    const CoreId core{static_cast<CoreId::Value>(number)};
    for (const int flits : {1, 4, 7}) {
      FlitWafer flit_wafer{kFourDies, model};
      SmallWafer packet_wafer{kFourDies, model};
      flit_wafer.send(core, kFourDies.host_id(), flits, ready);
      ASSERT_EQ(flit_wafer.run().at(0), packet_wafer.send(core, kFourDies.host_id(), flits, ready).tail);

      flit_wafer.send_from_host(core, flits, ready + std::chrono::microseconds{1});
      const auto at = kFourDies.coordinate(core);
      const int crossings = (at.x / 3 != 0 ? 1 : 0) + (at.y / 2 != 1 ? 1 : 0);
      // T_in, without the link of the host: a wire and its crossing
      ASSERT_EQ(flit_wafer.run().at(1), ready + std::chrono::microseconds{1} - std::chrono::nanoseconds{1} +
                                            lone(distance({0, 3}, at), flits, crossings));
      ASSERT_TRUE(flit_wafer.is_idle());
    }
  }
}

/// Packets of 1 to 12 flits from and to random cores, some from and to the host, within 200 cycles.
void send_at_random(FlitWafer& flits, SmallWafer* packets) {
  std::mt19937 random{1};
  const auto draw = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  for (int i = 0; i < 500; ++i) {
    const CoreId from{static_cast<CoreId::Value>(draw(kFourDies.cores()))};
    const CoreId to{static_cast<CoreId::Value>(draw(kFourDies.cores() + 1))};  // or the host
    const Time ready{Duration{draw(200'000)}};
    const int length = 1 + draw(12);
    if (i % 10 == 0 && to != kFourDies.host_id()) {
      flits.send_from_host(to, length, ready);
      if (packets != nullptr) packets->send_from_host(to, length, ready);
    } else {
      flits.send(from, to, length, ready);
      if (packets != nullptr) packets->send(from, to, length, ready);
    }
  }
}

TEST(FlitDie, SendsTheSameFlitsOverTheSameLinksAsThePacketFidelity) {
  const auto model = with_host_in_row(1);
  FlitWafer flits{kFourDies, model};
  SmallWafer packets{kFourDies, model};
  send_at_random(flits, &packets);
  EXPECT_EQ(flits.run().size(), flits.sent());
  EXPECT_TRUE(flits.is_idle());

  EXPECT_EQ(flits.travel().hop_bits, packets.travel().hop_bits);
  EXPECT_EQ(flits.travel().crossing_bits, packets.travel().crossing_bits);
  for (int number = 0; number < kFourDies.cores(); ++number) {
    const CoreId core{static_cast<CoreId::Value>(number)};
    for (int port = 0; port < wafer::kLinksPerCore; ++port) {
      EXPECT_EQ(flits.network_of(core).use(kFourDies.index_in_die(core), port).flits,
                packets.use(core, port).flits)
          << "core " << number << ", port " << port;
    }
  }
}

TEST(FlitDie, GoesOnFromWhatItArchivedToTheSameEnd) {
  const auto model = with_host_in_row(1);
  FlitWafer whole{kFourDies, model}, cut{kFourDies, model};
  send_at_random(whole, nullptr);
  send_at_random(cut, nullptr);
  for (int i = 1; i < 40; ++i) {
    cut.run(Time{Duration{i * 10'007}});
    cut.restart();
  }
  EXPECT_GT(whole.run().rbegin()->second, Time{});
  EXPECT_EQ(cut.run(), whole.run());
  for (int number = 0; number < kFourDies.cores(); ++number) {
    const CoreId core{static_cast<CoreId::Value>(number)};
    for (int port = 0; port < wafer::kLinksPerCore; ++port) {
      EXPECT_EQ(cut.network_of(core).use(kFourDies.index_in_die(core), port).waited,
                whole.network_of(core).use(kFourDies.index_in_die(core), port).waited);
    }
  }
}

TEST(FlitDie, CountsHowLongHeadsWaitForEachLink) {
  NocModel model;
  model.router.virtual_channels = 1;
  FlitWafer wafer{{1, 1, 3, 1}, model};
  wafer.send(CoreId{1}, CoreId{2}, 10);  // its flits leave core 1 at edges 0 to 9, its router at 2 to 11
  wafer.send(CoreId{1}, CoreId{1}, 1);   // so it leaves core 1 at edge 10
  wafer.send(CoreId{0}, CoreId{2}, 3);   // is at the router of core 1 at edge 4, and gets its link at 12
  wafer.run();
  const auto waited = [&](int core, int port) {
    return wafer.network_of(CoreId{0}).use(core, port).waited / model.cycle;
  };
  const int east = static_cast<int>(Direction::east);
  EXPECT_EQ(waited(1, wafer::kInjection), 10);
  EXPECT_EQ(waited(1, wafer::kEjection), 0);
  EXPECT_EQ(waited(0, wafer::kInjection), 0);
  EXPECT_EQ(waited(0, east), 0);
  EXPECT_EQ(waited(1, east), 12 - 4);
  EXPECT_EQ(waited(2, wafer::kEjection), 0);
}

}  // namespace
}  // namespace ouro::tests
