#pragma once

#include <deque>
#include <limits>
#include <map>
#include <vector>

#include "engine/neighbours.hpp"
#include "engine/synchronized_region.hpp"
#include "engine/synchronizer.hpp"
#include "engine/transport.hpp"

namespace ouro::engine {

/// What a cluster that is only imagined would take, in seconds of wall time.
struct VirtualCosts {
  double event_seconds = 0;    ///< for an event, in its handler and the queue
  double promise_seconds = 0;  ///< for finding out what can be promised, once a stretch of work
  double message_seconds = 0;  ///< for packing or unpacking a message, at either end
  double byte_seconds = 0;     ///< on top, for each byte of it
  double latency_seconds = 0;  ///< of a message, and of each step of a collective operation
  double bytes_per_second = std::numeric_limits<double>::infinity();  ///< of the network
};

/// Batches on their way to one rank.
class VirtualInbox {
 public:
  static constexpr double kNoArrival = std::numeric_limits<double>::infinity();

  explicit VirtualInbox(std::size_t ranks) : latest_(ranks) {}

  /// A batch arrives no sooner than those that its sender put here before.
  void put(double arrival, Batch batch);
  /// Takes out the first batch that has arrived by `now`, if there is one.
  bool take(double now, Batch& batch);
  /// kNoArrival if nothing is on its way.
  double next_arrival() const;

 private:
  std::multimap<double, Batch> batches_;  // by arrival
  std::vector<double> latest_;            // arrival, by sender
};

/// One rank of an imagined cluster: its wall clock, its end of the network, and where its time went.
class VirtualRank final : public Courier {
 public:
  /// @param inboxes  of all ranks
  /// Keeps references.
  VirtualRank(SynchronizedRegion& region, const VirtualCosts& costs, std::vector<VirtualInbox>& inboxes)
      : region_{region}, costs_{costs}, inboxes_{inboxes} {}

  SynchronizedRegion& region() { return region_; }
  double clock() const { return clock_; }
  double next_arrival() const { return inbox().next_arrival(); }

  /// For the events that the region has handled since this was last called.
  void charge_events();
  void charge_promises() { spend(&SynchronizationCost::promising_seconds, costs_.promise_seconds); }
  void count_stretch() { ++cost_.windows; }
  /// Does nothing if it is later here.
  void wait_until(double time);

  void send(int peer, const Statement& statement, std::vector<Event>& events) override;
  bool try_receive(Batch& batch) override;

  /// In wall times of the imagined cluster.
  const SynchronizationCost& cost() const { return cost_; }

 private:
  const VirtualInbox& inbox() const { return inboxes_[static_cast<std::size_t>(region_.rank())]; }
  void spend(double SynchronizationCost::*on, double seconds);
  void charge_message(std::size_t bytes);

  SynchronizedRegion& region_;
  const VirtualCosts& costs_;
  std::vector<VirtualInbox>& inboxes_;
  double clock_ = 0;
  std::uint64_t charged_events_ = 0;
  SynchronizationCost cost_;
};

/// By rank.
using VirtualRanks = std::deque<VirtualRank>;

/// Of each rank.
std::vector<std::vector<Neighbour>> find_all_neighbours(VirtualRanks& ranks);

/// Over a border, on any rank.
Duration shortest_way(VirtualRanks& ranks);

double latest_clock(const VirtualRanks& ranks);

}  // namespace ouro::engine
