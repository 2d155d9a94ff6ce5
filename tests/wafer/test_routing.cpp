#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/wafer/flit_mesh.hpp"
#include "tests/wafer/small_wafer.hpp"
#include "wafer/routing.hpp"

namespace ouro::tests {
namespace {

using wafer::Coordinate;
using wafer::CoreId;
using wafer::Direction;
using wafer::Fault;
using wafer::Faults;
using wafer::Geometry;
using wafer::NocModel;
using wafer::Routing;

/// A mesh with dead routers and links, and what they leave alive.
struct BrokenMesh {
  Geometry geometry;
  Faults faults;

  std::vector<CoreId> cores() const {
    std::vector<CoreId> all;
    all.reserve(static_cast<std::size_t>(geometry.cores()));
    for (int core = 0; core < geometry.cores(); ++core) all.emplace_back(static_cast<CoreId::Value>(core));
    return all;
  }
  std::vector<CoreId> live_routers() const {
    auto live = cores();
    std::erase_if(live, [&](CoreId core) { return faults.router_is_dead(core); });
    return live;
  }
  bool is_whole(CoreId from, CoreId to) const {
    const auto way = dimension_order_way(geometry.coordinate(from), geometry.coordinate(to));
    return std::none_of(way.begin(), way.end(), [&](const auto& link) {
      return faults.link_is_dead(geometry.core_at(link.first), link.second);
    });
  }
  int length(CoreId from, CoreId to) const {
    return distance(geometry.coordinate(from), geometry.coordinate(to));
  }
};

BrokenMesh random_mesh(const Geometry& geometry, unsigned seed) {
  std::mt19937 random{seed};
  BrokenMesh mesh{geometry, Faults{geometry}};
  const auto count = 1 + random() % 6;
  while (mesh.faults.list().size() < count) {
    const CoreId core{static_cast<CoreId::Value>(random() % static_cast<unsigned>(geometry.cores()))};
    const auto direction = wafer::kDirections[random() % 4];
    if (random() % 3 == 0) {
      if (core.value() != 0) mesh.faults.add({.kind = Fault::Kind::router, .core = core});  // 0 has the host
    } else if (geometry.contains(step(geometry.coordinate(core), direction))) {
      mesh.faults.add({.kind = Fault::Kind::link, .core = core, .direction = direction});
    }
  }
  return mesh;
}

constexpr unsigned kMeshes = 150;
const std::vector<Geometry> kGeometries{{2, 2, 3, 3}, {1, 1, 5, 7}, {3, 2, 2, 3}, {1, 1, 8, 2}};

/// Meshes whose live routers all reach each other in few enough legs.
template <class Function>
void for_each_routable_mesh(unsigned meshes, const Function& function) {
  for (unsigned seed = 0; seed < meshes; ++seed) {
    const auto mesh = random_mesh(kGeometries[seed % kGeometries.size()], seed);
    const Routing routing{mesh.geometry, mesh.faults};
    if (routing.legs() < 1 || routing.legs() > Routing::kMostLegs) continue;
    SCOPED_TRACE(seed);
    function(mesh, routing);
  }
}

struct Link {
  Coordinate at;
  Direction direction;
  int leg;
  friend auto operator<=>(const Link&, const Link&) = default;
};

std::vector<Link> way(const Geometry& geometry, const Routing& routing, CoreId from, CoreId to) {
  std::vector<Link> links;
  const auto go = [&](CoreId end, int leg) {
    for (const auto& [at, direction] :
         dimension_order_way(geometry.coordinate(from), geometry.coordinate(end)))
      links.push_back({at, direction, leg});
    from = end;
  };
  int leg = 0;
  for (auto via = routing.waypoint(from, to); !via.is_none(); via = routing.waypoint(from, to))
    go(via.core(), leg++);
  go(to, leg);
  return links;
}

TEST(Routing, GoesStraightWhereAllIsWhole) {
  const Geometry geometry{2, 2, 3, 3};
  Faults only_cores{geometry};
  only_cores.add({.kind = Fault::Kind::core, .core = CoreId{7}});
  for (const auto& routing : {Routing{}, Routing{geometry, {}}, Routing{geometry, only_cores}}) {
    EXPECT_TRUE(routing.is_whole());
    EXPECT_EQ(routing.legs(), 1);
    EXPECT_TRUE(routing.waypoint(CoreId{0}, CoreId{35}).is_none());
  }
}

TEST(Routing, GoesAroundADeadRouterByTheFirstOfTheShortestWays) {
  const Geometry geometry{1, 1, 5, 3};
  Faults faults{geometry};
  faults.add({.kind = Fault::Kind::router, .core = geometry.core_at({2, 1})});
  const Routing routing{geometry, faults};
  EXPECT_EQ(routing.legs(), 2);
  // along the row: the northern row makes it 2 links longer, as the southern would
  const auto via = routing.waypoint(geometry.core_at({0, 1}), geometry.core_at({4, 1}));
  EXPECT_EQ(geometry.coordinate(via.core()), (Coordinate{0, 0}));
  EXPECT_EQ(routing.hops(geometry, geometry.core_at({0, 1}), geometry.core_at({4, 1})), 6);
  // around the corner: as short as without the fault
  EXPECT_EQ(routing.hops(geometry, geometry.core_at({0, 1}), geometry.core_at({2, 2})), 3);
}

TEST(Routing, FindsNoWayInAWaferThatIsCutInTwo) {
  const Geometry geometry{1, 1, 4, 2};
  Faults faults{geometry};
  for (const int y : {0, 1})
    faults.add({.kind = Fault::Kind::link, .core = geometry.core_at({1, y}), .direction = Direction::east});
  const Routing routing{geometry, faults};
  EXPECT_EQ(routing.legs(), 0);
  EXPECT_LT(geometry.coordinate(routing.farthest().from).x, 2);
  EXPECT_GE(geometry.coordinate(routing.farthest().to).x, 2);
}

TEST(Routing, CountsTheLegsAroundAWall) {
  // s > > v
  // # # # v      s to e: right and down, left and up
  // e # . v      e to s: down, right and up, left
  // ^ < < <
  const Geometry geometry{1, 1, 4, 4};
  Faults faults{geometry};
  for (const int x : {0, 1, 2}) faults.add({.kind = Fault::Kind::router, .core = geometry.core_at({x, 1})});
  faults.add({.kind = Fault::Kind::router, .core = geometry.core_at({1, 2})});
  const Routing routing{geometry, faults};
  const auto s = geometry.core_at({0, 0}), e = geometry.core_at({0, 2});
  EXPECT_EQ(routing.hops(geometry, s, e), 3 + 3 + 3 + 1);
  EXPECT_EQ(way(geometry, routing, s, e).back().leg, 1);
  EXPECT_EQ(routing.hops(geometry, e, s), 1 + 3 + 3 + 3);
  EXPECT_EQ(way(geometry, routing, e, s).back().leg, 2);
  EXPECT_EQ(routing.legs(), 3);
}

/// Least legs and length by trying all waypoints.
TEST(Routing, TakesTheFewestLegsThenTheLeastLengthThenTheFirstWaypoint) {
  constexpr int kFar = 1'000'000;
  std::map<int, int> meshes_by_legs;
  for (unsigned seed = 0; seed < kMeshes; ++seed) {
    const auto mesh = random_mesh(kGeometries[seed % kGeometries.size()], seed);
    const Routing routing{mesh.geometry, mesh.faults};
    const auto live = mesh.live_routers();
    std::map<std::pair<CoreId, CoreId>, std::pair<int, int>> best;  // legs, length
    const auto known = [&](CoreId a, CoreId b) {
      const auto found = best.find({a, b});
      return found == best.end() ? std::pair{kFar, kFar} : found->second;
    };
    int most = 1;
    for (const auto from : live) {
      for (const auto to : live) {
        if (mesh.is_whole(from, to)) best[{from, to}] = {1, mesh.length(from, to)};
      }
    }
    for (int legs = 2; legs < 20; ++legs) {
      for (const auto to : live) {
        for (const auto from : live) {
          if (known(from, to).first < legs) continue;
          int least = kFar;
          CoreId first;
          for (const auto by : live) {
            if (!mesh.is_whole(from, by) || known(by, to).first != legs - 1) continue;
            const int length = mesh.length(from, by) + known(by, to).second;
            if (length < least) std::tie(least, first) = std::pair{length, by};
          }
          if (least == kFar) continue;
          best[{from, to}] = {legs, least};
          most = legs;
          ASSERT_EQ(routing.waypoint(from, to), wafer::Waypoint{first}) << seed;
          ASSERT_EQ(routing.hops(mesh.geometry, from, to), least) << seed;
        }
      }
    }
    if (best.size() < live.size() * live.size()) most = 0;
    ASSERT_EQ(routing.legs(), most) << seed;
    ++meshes_by_legs[most];
  }
  for (const int legs : {0, 2, 3}) EXPECT_GT(meshes_by_legs[legs], 2) << legs;
}

TEST(Routing, UsesOnlyWhatIsAliveAndArrives) {
  for_each_routable_mesh(kMeshes, [](const BrokenMesh& mesh, const Routing& routing) {
    for (const auto from : mesh.live_routers()) {
      for (const auto to : mesh.live_routers()) {
        auto at = mesh.geometry.coordinate(from);
        for (const auto& link : way(mesh.geometry, routing, from, to)) {
          ASSERT_EQ(link.at, at);
          ASSERT_FALSE(mesh.faults.link_is_dead(mesh.geometry.core_at(at), link.direction));
          ASSERT_LT(link.leg, routing.legs());
          at = step(at, link.direction);
        }
        ASSERT_EQ(at, mesh.geometry.coordinate(to));
      }
    }
  });
}

/// W. J. Dally and C. L. Seitz: no circle among the channels that packets may hold while they wait for the
/// next.
TEST(Routing, HasNoCircleOfDependentChannels) {
  for_each_routable_mesh(kMeshes, [](const BrokenMesh& mesh, const Routing& routing) {
    std::map<Link, std::set<Link>> next;
    std::map<Link, int> waits_of;  // channels that lead there
    for (const auto from : mesh.live_routers()) {
      for (const auto to : mesh.live_routers()) {
        const auto links = way(mesh.geometry, routing, from, to);
        for (std::size_t i = 0; i < links.size(); ++i) {
          waits_of.emplace(links[i], 0);
          if (i > 0 && next[links[i - 1]].insert(links[i]).second) ++waits_of[links[i]];
        }
      }
    }
    std::vector<Link> free;
    for (const auto& [link, count] : waits_of) {
      if (count == 0) free.push_back(link);
    }
    std::size_t sorted = 0;
    while (!free.empty()) {
      const auto link = free.back();
      free.pop_back();
      ++sorted;
      for (const auto& after : next[link]) {
        if (--waits_of[after] == 0) free.push_back(after);
      }
    }
    ASSERT_EQ(sorted, waits_of.size()) << "what is left waits in a circle";
  });
}

TEST(Routing, DeliversPacketsOverItsWaysInTheTimeOfTheirLength) {
  for_each_routable_mesh(40, [](const BrokenMesh& mesh, const Routing& routing) {
    NocModel model;
    model.routing = routing;
    constexpr int kFlits = 3;
    for (const auto from : mesh.live_routers()) {
      for (const auto to : mesh.live_routers()) {
        SmallWafer wafer{mesh.geometry, model};
        int borders = 0;
        for (const auto& link : way(mesh.geometry, routing, from, to)) {
          if (mesh.geometry.die_of(link.at) != mesh.geometry.die_of(step(link.at, link.direction))) ++borders;
        }
        const int hops = routing.hops(mesh.geometry, from, to);
        const auto delivery = wafer.send(from, to, kFlits);
        ASSERT_EQ(delivery.core, to);
        ASSERT_EQ(delivery.tail, engine::Time{model.cycle * (2 * (hops + 1) + 1 + kFlits + 4 * borders)});
        ASSERT_EQ(wafer.travel().hop_bits, 256 * kFlits * hops);
        ASSERT_EQ(wafer.travel().crossing_bits, 256 * kFlits * borders);
      }
    }
  });
}

TEST(Routing, BringsEachDestinationOfAMulticastOneCopyOverLiveLinks) {
  for_each_routable_mesh(kMeshes, [](const BrokenMesh& mesh, const Routing& routing) {
    NocModel model;
    model.routing = routing;
    const auto live = mesh.live_routers();
    for (const auto source : live) {
      SmallWafer wafer{mesh.geometry, model};
      const auto delivered = wafer.send({mesh.geometry, source, live, routing}, 2);
      std::multiset<CoreId> got;
      for (const auto& delivery : delivered) got.insert(delivery.core);
      ASSERT_EQ(got, std::multiset<CoreId>(live.begin(), live.end()));
      for (const auto core : mesh.cores()) {
        for (const auto direction : wafer::kDirections) {
          if (!mesh.faults.link_is_dead(core, direction)) continue;
          ASSERT_EQ(wafer.use(core, static_cast<int>(direction)).flits, 0);
        }
      }
    }
  });
}

/// All at once, with as few virtual channels and as small buffers as can be: a deadlock would show.
TEST(Routing, DeliversEveryPacketOnceFlitByFlitOverItsWay) {
  for_each_routable_mesh(80, [](const BrokenMesh& mesh, const Routing& routing) {
    for (const int channels : {routing.legs(), 5}) {
      NocModel model;
      model.routing = routing;
      model.router.virtual_channels = channels;
      model.router.buffer_flits = 1;
      Mesh flits{mesh.geometry, model};
      constexpr int kFlits = 20;
      std::map<std::pair<Coordinate, Direction>, std::int64_t> expected;
      wafer::PacketSlot sent = 0;
      for (const auto from : mesh.live_routers()) {
        for (const auto to : mesh.live_routers()) {
          flits.inject(from, to, kFlits);
          ++sent;
          for (const auto& link : way(mesh.geometry, routing, from, to))
            expected[{link.at, link.direction}] += kFlits;
        }
      }
      ASSERT_EQ(flits.run().size(), sent);
      for (const auto core : mesh.cores()) {
        const int index = mesh.geometry.index_in_die(core);
        for (const auto direction : wafer::kDirections) {
          const auto at = mesh.geometry.coordinate(core);
          ASSERT_EQ(flits.die_of(core).use(index, static_cast<int>(direction)).flits,
                    (expected[{at, direction}]));
        }
        ASSERT_TRUE(flits.die_of(core).is_idle());
      }
    }
  });
}

TEST(Routing, GivesALonePacketOfSeveralLegsTheLatencyOfItsLength) {
  const Geometry geometry{2, 1, 2, 3};
  Faults faults{geometry};
  faults.add({.kind = Fault::Kind::link, .core = geometry.core_at({1, 1}), .direction = Direction::east});
  NocModel model;
  model.routing = Routing{geometry, faults};
  model.router.buffer_flits = 64;
  Mesh mesh{geometry, model};
  mesh.inject(geometry.core_at({0, 1}), geometry.core_at({3, 1}), 7);
  // 5 links instead of 3, 6 routers; a border of 4 cycles
  EXPECT_EQ(mesh.run()[0], 6 * 2 + 1 + 1 + 6 + 4);
}

}  // namespace
}  // namespace ouro::tests
