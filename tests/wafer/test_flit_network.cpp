#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <vector>

#include "tests/wafer/flit_mesh.hpp"
#include "wafer/die_links.hpp"

namespace ouro::tests {
namespace {

using wafer::CoreId;
using wafer::Cycle;
using wafer::FlitNetwork;
using wafer::Geometry;
using wafer::NocModel;
using wafer::RouterModel;

constexpr RouterModel kFiveCycles{.routing_cycles = 1, .speculative = false, .crossbar_cycles = 1};
constexpr RouterModel kFourCycles{.routing_cycles = 0, .speculative = false, .crossbar_cycles = 1};
constexpr RouterModel kThreeCycles{.routing_cycles = 0, .speculative = true, .crossbar_cycles = 1};
constexpr RouterModel kSingleCycle{};

/// n routers of p cycles with wires of w, z flits: n (p + w) + w + 1 + (z - 1), see FlitNetwork.
Cycle lone(const NocModel& model, int routers, int flits) {
  const auto wire = static_cast<int>(model.wire_latency / model.cycle);
  return routers * (model.router.pipeline_cycles() + wire) + wire + 1 + (flits - 1);
}

TEST(FlitNetwork, DeliversALonePacketAtTheZeroLoadLatencyWithAnyRouter) {
  const Geometry geometry{1, 1, 5, 4};
  for (const auto& router : {kFiveCycles, kFourCycles, kThreeCycles, kSingleCycle}) {
    for (int from = 0; from < geometry.cores(); ++from) {
      for (int to = 0; to < geometry.cores(); ++to) {
        NocModel model;
        model.router = router;
        Mesh mesh{geometry, model};
        const CoreId source{static_cast<std::uint32_t>(from)}, target{static_cast<std::uint32_t>(to)};
        const auto a = geometry.coordinate(source), b = geometry.coordinate(target);
        mesh.inject(source, target, 7);
        ASSERT_EQ(mesh.run()[0], lone(model, std::abs(a.x - b.x) + std::abs(a.y - b.y) + 1, 7));
        ASSERT_TRUE(mesh.die_of(source).is_idle());
      }
    }
  }
}

TEST(FlitNetwork, CrossesBordersWithTheirLatencyOnTop) {
  NocModel model;
  model.wire_latency = 2 * model.cycle;
  model.die_crossing_latency = 3 * model.cycle;
  model.router.buffer_flits = 64;
  Mesh mesh{{2, 2, 2, 3}, model};
  mesh.inject(mesh.geometry().core_at({0, 0}), mesh.geometry().core_at({3, 5}), 20);
  mesh.inject(mesh.geometry().core_at({3, 5}), mesh.geometry().core_at({0, 0}), 20);  // the other way
  const auto arrived = mesh.run();
  EXPECT_EQ(arrived.at(0), lone(model, 9, 20) + 2 * 3);
  EXPECT_EQ(arrived.at(1), lone(model, 9, 20) + 2 * 3);
}

/// Edges from the first to the last arrival of many packets from one core to its neighbour.
Cycle duration_of_stream(const RouterModel& router, int packets, int flits) {
  NocModel model;
  model.router = router;
  Mesh mesh{{1, 1, 2, 1}, model};
  for (int i = 0; i < packets; ++i) mesh.inject(CoreId{0}, CoreId{1}, flits);
  const auto arrived = mesh.run();
  EXPECT_EQ(arrived.size(), static_cast<std::size_t>(packets));
  return arrived.rbegin()->second - arrived.begin()->second;
}

TEST(FlitNetwork, LetsAVirtualChannelStartAPacketOnlyAfterTheLastHasLeftIt) {
  // a head spends routing, virtual channel and switch allocation at the front of its buffer
  const auto one_vc = [](RouterModel router) {
    router.virtual_channels = 1;
    return router;
  };
  EXPECT_EQ(duration_of_stream(one_vc(kFiveCycles), 101, 1), 3 * 100);
  EXPECT_EQ(duration_of_stream(one_vc(kFourCycles), 101, 1), 2 * 100);
  EXPECT_EQ(duration_of_stream(one_vc(kThreeCycles), 101, 1), 100);
  EXPECT_EQ(duration_of_stream(one_vc(kSingleCycle), 101, 1), 100);
  EXPECT_EQ(duration_of_stream(kFiveCycles, 101, 4), 4 * 100) << "other virtual channels fill the link";
}

TEST(FlitNetwork, CapsAFlowAtTheBufferOverTheCreditLoop) {
  // a place in a buffer is used again a credit loop of 5 edges after its flit was granted the switch, 4 if
  // the crossbar takes no edge
  const auto duration = [](RouterModel router, int buffer) {
    router.virtual_channels = 1;
    router.buffer_flits = buffer;
    return duration_of_stream(router, 2, 400);
  };
  EXPECT_EQ(duration(kThreeCycles, 5), 400);
  EXPECT_EQ(duration(kThreeCycles, 4), 400 * 5 / 4);
  EXPECT_EQ(duration(kThreeCycles, 1), 400 * 5);
  EXPECT_EQ(duration(kSingleCycle, 4), 400);
  EXPECT_EQ(duration(kSingleCycle, 2), 400 * 4 / 2);
}

TEST(FlitNetwork, SharesALinkBetweenTwoFlowsFlitByFlit) {
  NocModel model;
  Mesh mesh{{1, 1, 3, 1}, model};
  mesh.inject(CoreId{0}, CoreId{2}, 100);
  mesh.inject(CoreId{1}, CoreId{2}, 100);
  const auto arrived = mesh.run();
  // core 1 is nearer and alone at first; from its first flit on, one of the 200 arrives at each edge, and the
  // two flows take turns
  const Cycle first = lone(model, 2, 1), last = first + 199;
  EXPECT_EQ(arrived.at(0), last);
  EXPECT_GE(arrived.at(1), last - 3);
}

TEST(FlitNetwork, HoldsTheLinksOfABlockedPacket) {
  NocModel model;
  model.router.virtual_channels = 1;
  Mesh mesh{{1, 1, 4, 2}, model};
  const auto core = [&](int x, int y) { return mesh.geometry().core_at({x, y}); };
  mesh.inject(core(3, 0), core(3, 0), 1000);  // keeps the way into core (3, 0) busy
  mesh.inject(core(0, 0), core(3, 0), 100);   // waits with its flits spread over the row
  mesh.inject(core(1, 0), core(1, 1), 50);    // so that the next packet comes after that one
  mesh.inject(core(1, 0), core(2, 1), 1);     // needs a link of the row, whose only channel is taken
  const auto arrived = mesh.run();
  EXPECT_LT(arrived.at(2), 100);
  EXPECT_GT(arrived.at(3), 1000);
}

TEST(FlitNetwork, CountsEachFlitOnceForEachRouter) {
  NocModel model;
  Mesh mesh{{1, 1, 4, 4}, model};
  mesh.inject(CoreId{0}, mesh.geometry().core_at({2, 3}), 5);
  mesh.run();
  const auto& die = mesh.die_of(CoreId{0});
  EXPECT_EQ(die.router_visits(), 5 * 6);
  EXPECT_EQ(die.use(0, static_cast<int>(wafer::Direction::east)).flits, 5);
  EXPECT_EQ(die.use(2, static_cast<int>(wafer::Direction::south)).flits, 5);
  EXPECT_EQ(die.use(14, wafer::kEjection).flits, 5);
}

}  // namespace
}  // namespace ouro::tests
