#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/neighbours.hpp"
#include "engine/synchronized_region.hpp"
#include "engine/transport.hpp"

namespace ouro::engine {

/// How far one rank may go, and what it tells its neighbours: the null-message algorithm, without waiting.
///
/// Rank q promises rank p: "but for what follows from events that you send me after your batch k, you get
/// nothing from me before C", with
///
///     C = min(q's pending events' promises for p,  what q may get from others than p + q's transit to p).
///
/// p knows what it has sent since batch k (U, the earliest event) and what it may still send q (its own
/// pending events' promises for q, P). What follows from these comes back after q's transit to p, the echo.
/// So p gets nothing from q before
///
///     min(C, min(U, P) + echo),
///
/// and handles its events before the least of this over its neighbours. That p does the second half itself,
/// with what it knows now, is why two idle ranks need not raise each other's promises step by step.
///
/// Batches go out when a stretch of events has raised the promise, and before the rank waits, if there is
/// anything that the neighbour does not know: a promise, an event, that its events were received. So nobody
/// waits for what is not said, and no rank says the same twice.
///
/// In circles of more than two ranks promises do rise step by step. So all ranks meet after a slice of
/// simulated time, and begin the next one at the earliest event. A slice in which ranks told each other much
/// and handled little makes the next one shorter.
///
/// Source: K. M. Chandy and J. Misra, "Distributed simulation: a case study in design and verification of
/// distributed programs", IEEE TSE 5(5), 1979; R. E. Bryant, 1977 (null messages). That a promise leaves out
/// what the receiver itself will cause is ours.
class NullMessageProtocol {
 public:
  /// @param shortest_way  over a border, on any rank
  /// Keeps references.
  NullMessageProtocol(SynchronizedRegion& region, Courier& courier, const std::vector<Neighbour>& neighbours,
                      Duration shortest_way);

  enum class Step {
    worked,  ///< handled a stretch of events
    waits,   ///< cannot go on before a batch comes; everyone has been told
    is_done  ///< nothing is left before the stop and nothing will come: the last batches are sent
  };

  /// One stretch of work, if there is any.
  Step step(Time stop);

  /// Takes in what has come.
  /// @return  whether anything has
  bool receive();

  /// Whether each neighbour has said that it is done.
  bool all_are_done() const;

  /// What one rank did since the ranks last met.
  struct Activity {
    std::uint64_t events = 0;   ///< handled
    std::uint64_t batches = 0;  ///< sent
  };
  Activity activity() const { return {region_.events() - before_.events, counts_.batches - before_.batches}; }

  /// Once all_are_done() on every rank: the next slice, shorter if the last one was spent on promises.
  /// @param next  the earliest event that is left on any rank
  /// @param most  the most of any rank
  void meet(Time stop, Time next, const Activity& most);

  /// Where the slice that begins at `from` ends.
  Time end_of_slice(Time from) const { return later_by(from, slice_); }

  /// Every event before this is handled here.
  Time handled() const { return handled_; }
  /// Nothing comes from anywhere before this.
  Time safe() const { return safe_; }
  /// In a line, for people.
  std::string describe() const;

  struct Counts {
    std::uint64_t stretches = 0;
    std::uint64_t batches = 0;
    std::uint64_t promises = 0;  ///< batches without an event
    std::uint64_t tested = 0;    ///< promises that an event followed
    double slack_ps = 0;         ///< sum over them of the event's time - the promise
    double promising_seconds = 0;
    double packing_seconds = 0;
    double events_seconds = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Link {
    Neighbour neighbour;

    // from there
    Time promise{};              ///< C
    std::uint64_t received = 0;  ///< batches
    bool unanswered = false;     ///< it has sent events since it was last told anything
    bool is_done = false;

    // to there
    std::uint64_t sent = 0;  ///< batches
    struct Unheard {
      std::uint64_t batch;
      Time earliest;
    };
    std::deque<Unheard> unheard{};  ///< batches with events that it had not yet received when it promised
    Time told = Time::min();        ///< promise
  };

  Time bound_of(const Link& link) const;
  void update_bounds();
  Time promise_for(std::size_t link) const;
  void work(Time stop);
  void take_in(Link& link);
  void tell(std::size_t link, Time promise, bool done = false);
  void tell_after_work();
  void tell_before_waiting();
  Link& link_of(int rank) { return links_[link_of_rank_[static_cast<std::size_t>(rank)]]; }

  SynchronizedRegion& region_;
  Courier& courier_;
  Duration shortest_way_;
  Duration slice_;   // of simulated time between common stops; the same on all ranks
  Activity before_;  // the slice
  std::vector<Link> links_;
  std::vector<std::size_t> link_of_rank_;
  std::vector<Time> bounds_;  // by link, as of the last look; only their least holds for what is yet to come
  Time safe_{};
  Time handled_{};
  Batch batch_;
  Counts counts_;
};

}  // namespace ouro::engine
