#include "wafer/flit_network.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace ouro::wafer {
namespace {

enum { east, west, south, north };

/// Ports in the order in which allocators go round: east, west, south, north, core. Opposite sides differ in
/// the last bit. To a Direction and back is the same exchange of two numbers.
constexpr int other_numbering(int port) {
  constexpr int kNorth = static_cast<int>(Direction::north);
  constexpr int kSouth = static_cast<int>(Direction::south);
  return port == kNorth ? kSouth : port == kSouth ? kNorth : port;
}

/// The first bit at or after `from`, or else the first of all; `bits` is not empty.
int first_from(std::uint64_t bits, int from) {
  const auto behind = bits & (~std::uint64_t{0} << from);
  return std::countr_zero(behind != 0 ? behind : bits);
}

template <class Function>
void for_each_bit(std::uint64_t bits, const Function& function) {
  for (; bits != 0; bits &= bits - 1) function(std::countr_zero(bits));
}

}  // namespace

FlitNetwork::FlitNetwork(const Geometry& geometry, const NocModel& model, DieId die)
    : geometry_{geometry},
      model_{model},
      die_{die},
      corner_{geometry.coordinate(geometry.core_of_die(die, 0))},
      host_core_{geometry.die_of(model.host) == die ? geometry.index_in_die(model.host) : -1},
      vcs_{model.router.virtual_channels},
      pipeline_tail_{model.router.crossbar_cycles + 1},
      wire_{static_cast<int>(model.wire_latency / model.cycle)},
      border_wire_{static_cast<int>((model.wire_latency + model.die_crossing_latency) / model.cycle)},
      least_stay_{model.router.routing_cycles + (model.router.speculative ? 0 : 1)} {
  const auto cores = static_cast<std::size_t>(geometry.cores_of_die());
  const auto channels = cores * kPorts * static_cast<std::size_t>(vcs_);
  const auto all_vcs = static_cast<std::uint16_t>((1U << vcs_) - 1);
  const auto full = static_cast<std::uint8_t>(model.router.buffer_flits);
  Router router;
  router.free_vcs.fill(all_vcs);
  routers_.assign(cores, router);
  inputs_.resize(channels);
  buffers_.resize(channels * full);
  output_credits_.assign(channels, full);
  vc_round_.resize(channels);
  input_round_.resize(channels);
  Source source;
  source.free_vcs = all_vcs;
  const auto sources = cores + (has_host() ? 1 : 0);
  source_.assign(sources, source);
  source_credits_.assign(sources * static_cast<std::size_t>(vcs_), full);
  active_.resize((cores + 63) / 64);
  sources_.resize((sources + 63) / 64);
  uses_.resize(cores * kLinksPerCore);
  const auto farthest =
      static_cast<std::size_t>(pipeline_tail_ + 2 * border_wire_ + 2);  // a credit's way back
  wheel_.resize(std::bit_ceil(farthest + 1));
  wheel_mask_ = wheel_.size() - 1;
  for (int i = 0; i < kPorts * vcs_; ++i)
    port_of_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i / vcs_);
  for (int vc = 0; vc < vcs_; ++vc) {
    const int leg = vc * model.routing.legs() / vcs_;
    leg_of_[static_cast<std::size_t>(vc)] = static_cast<std::uint8_t>(leg);
    vcs_of_[static_cast<std::size_t>(leg)] |= static_cast<std::uint16_t>(1U << vc);
  }
}

// ---- to and from outside

void FlitNetwork::inject(int core, PacketSlot slot, CoreId to, int flits, Cycle ready) {
  enter_queue(core, geometry_.core_of_die(die_, core), to, {slot, static_cast<std::uint16_t>(flits), ready});
}

void FlitNetwork::inject_from_host(PacketSlot slot, CoreId to, int flits, Cycle ready) {
  enter_queue(host_source(), geometry_.core_at(model_.host), to,
              {slot, static_cast<std::uint16_t>(flits), ready});
}

void FlitNetwork::enter_queue(int source, CoreId from, CoreId to, Source::Waiting packet) {
  head_for(packet.slot, to, model_.routing.waypoint(from, model_.router_of(geometry_, to)), 0);
  source_[static_cast<std::size_t>(source)].queue.push_back(packet);
  wake_source(source);
}

void FlitNetwork::receive_flit(Cycle at, LinkVc input, bool head, bool tail, PacketSlot slot, CoreId to,
                               Waypoint via) {
  input.port = static_cast<std::uint8_t>(other_numbering(input.port));
  auto& channel = inputs_[vc_index(input.core, input.port, input.vc)];
  if (head) {
    head_for(slot, to, via, leg_of_[input.vc]);
    channel.arriving = slot;
  }
  add_flit(at, input, {channel.arriving, head, tail});
}

void FlitNetwork::head_for(PacketSlot slot, CoreId to, Waypoint via, int leg) {
  if (headings_.size() <= slot) headings_.resize(slot + 1);
  headings_[slot] = {end_of_leg(to, via), to, via, leg};
}

Coordinate FlitNetwork::end_of_leg(CoreId to, Waypoint via) const {
  return geometry_.coordinate(via.is_none() ? model_.router_of(geometry_, to) : via.core());
}

void FlitNetwork::receive_credit(Cycle at, LinkVc output) {
  output.port = static_cast<std::uint8_t>(other_numbering(output.port));
  add_credit(at, output);
}

Cycle FlitNetwork::next_cycle() const {
  const auto any = [](const std::vector<std::uint64_t>& words) {
    return std::any_of(words.begin(), words.end(), [](std::uint64_t word) { return word != 0; });
  };
  if (any(active_) || any(sources_)) return now_ + 1;
  if (on_wheel_ == 0) return kNoCycle;
  Cycle next = now_ + 1;
  for (;; ++next) {
    const auto& work = wheel_[static_cast<std::size_t>(next) & wheel_mask_];
    if (!work.flits.empty() || !work.credits.empty()) return next;
  }
}

LinkUse FlitNetwork::use(int core, int port) const {
  const int number = port == kEjection ? kLocal : port == kInjection ? kSource : other_numbering(port);
  const auto& [flits, waited] = uses_[static_cast<std::size_t>(core * kLinksPerCore + number)];
  return {flits, waited * model_.cycle};
}

void FlitNetwork::add_flit(Cycle at, LinkVc input, Flit flit) {
  work_at(at).flits.push_back({input, flit});
  ++on_wheel_;
}

void FlitNetwork::add_credit(Cycle at, LinkVc output) {
  work_at(at).credits.push_back(output);
  ++on_wheel_;
}

// ---- a clock edge

void FlitNetwork::step(Cycle now) {
  now_ = now;
  departures_.clear();
  credit_returns_.clear();
  ejected_.clear();
  at_host_.clear();
  entered_.clear();

  auto& work = work_at(now);
  on_wheel_ -= work.flits.size() + work.credits.size();
  for (const auto& arrival : work.flits) accept(arrival);
  for (const auto& credit : work.credits) {
    if (credit.port == kSource) {
      ++source_credits_[static_cast<std::size_t>(credit.core * vcs_ + credit.vc)];
      if (!source_[credit.core].queue.empty()) wake_source(credit.core);
    } else {
      ++output_credits_[vc_index(credit.core, credit.port, credit.vc)];
      const auto& router = routers_[credit.core];
      if ((router.waiting | router.sending) != 0) wake(credit.core);
    }
  }
  work.flits.clear();
  work.credits.clear();

  const auto for_each_core = [](std::vector<std::uint64_t>& words, const auto& keeps_on) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      for_each_bit(words[i], [&](int bit) {
        if (!keeps_on(static_cast<int>(64 * i) + bit)) words[i] &= ~(Mask{1} << bit);
      });
    }
  };
  for_each_core(sources_, [this](int core) { return feed(core); });
  for_each_core(active_, [this](int core) { return step_router(core); });
}

void FlitNetwork::accept(const Arrival& arrival) {
  const auto& [input, flit] = arrival;
  const auto index = vc_index(input.core, input.port, input.vc);
  auto& channel = inputs_[index];
  const int size = model_.router.buffer_flits;
  int last = channel.first + channel.flits;
  if (last >= size) last -= size;
  buffers_[index * static_cast<std::size_t>(size) + static_cast<std::size_t>(last)] = flit;
  ++channel.flits;
  if (flit.head) headings_[flit.slot].since = now_;
  const int input_vc = input.port * vcs_ + input.vc;
  if (channel.idle) {
    begin_packet(input.core, input_vc, now_);
  } else if (channel.flits == 1) {  // more of the packet that is being sent
    routers_[input.core].sending |= Mask{1} << input_vc;
  }
  wake(input.core);
}

/// The head at the front of an input virtual channel can be routed from edge `ready` on.
void FlitNetwork::begin_packet(int core, int input_vc, Cycle ready) {
  const auto index = static_cast<std::size_t>(core * kPorts * vcs_ + input_vc);
  auto& channel = inputs_[index];
  const auto& flit = buffers_[index * static_cast<std::size_t>(model_.router.buffer_flits) + channel.first];
  channel.idle = false;
  channel.ready = ready + model_.router.routing_cycles;
  channel.output = static_cast<std::uint8_t>(route(core, flit.slot));
  channel.usable_vcs = usable_vcs(channel.output, flit.slot);
  routers_[static_cast<std::size_t>(core)].waiting |= Mask{1} << input_vc;
}

/// By dimension order to the end of the leg, or of the next one if this is it.
int FlitNetwork::route(int core, PacketSlot slot) {
  const Coordinate at{corner_.x + core % geometry_.core_columns, corner_.y + core / geometry_.core_columns};
  auto& heading = headings_[slot];
  if (at == heading.leg_end && !heading.via.is_none()) {
    heading.via = model_.routing.waypoint(heading.via.core(), model_.router_of(geometry_, heading.to));
    heading.leg_end = end_of_leg(heading.to, heading.via);
    ++heading.leg;
  }
  const Coordinate to = heading.leg_end;
  if (to.x != at.x) return to.x > at.x ? east : west;
  if (to.y != at.y) return to.y > at.y ? south : north;
  return heading.to == geometry_.host_id() ? west : kLocal;
}

/// Of a link to a core any: what arrives there waits for nothing.
std::uint16_t FlitNetwork::usable_vcs(int output, PacketSlot slot) const {
  if (output == kLocal) return static_cast<std::uint16_t>((1U << vcs_) - 1);
  return vcs_of_[static_cast<std::size_t>(headings_[slot].leg)];
}

/// A core, or the host, sends at most a flit of its first packet to its router.
/// @return  whether it may send at the next edge
bool FlitNetwork::feed(int number) {
  auto& source = source_[static_cast<std::size_t>(number)];
  auto* credits = &source_credits_[static_cast<std::size_t>(number * vcs_)];
  const auto packet = source.queue[source.first];
  if (source.sent == 0) {
    // the virtual channels take turns
    Mask usable = 0;
    for_each_bit(source.free_vcs, [&](int vc) {
      if (credits[vc] > 0) usable |= Mask{1} << vc;
    });
    if (usable == 0) return false;
    source.vc = first_from(usable, (source.vc + 1) % vcs_);
    source.free_vcs &= static_cast<std::uint16_t>(~(1U << source.vc));
    entered_.push_back({packet.slot, now_});
    if (number != host_source()) use_of(number, kSource).waited += now_ - packet.ready;
  } else if (credits[source.vc] == 0) {
    return false;
  }
  --credits[source.vc];
  const bool head = source.sent == 0;
  const bool tail = ++source.sent == packet.flits;
  send_from(number, source.vc, {packet.slot, head, tail});
  if (!tail) return true;
  source.sent = 0;
  source.free_vcs |= static_cast<std::uint16_t>(1U << source.vc);
  if (++source.first < source.queue.size()) {
    if (source.first >= 64 && 2 * source.first >= source.queue.size()) {
      source.queue.erase(source.queue.begin(),
                         source.queue.begin() + static_cast<std::ptrdiff_t>(source.first));
      source.first = 0;
    }
    return true;
  }
  source.queue.clear();
  source.first = 0;
  return false;
}

void FlitNetwork::send_from(int source, int vc, Flit flit) {
  const auto channel = static_cast<std::uint8_t>(vc);
  if (source == host_source()) {
    add_flit(now_ + 1, {static_cast<std::uint16_t>(host_core_), west, channel}, flit);
    return;
  }
  ++use_of(source, kSource).flits;
  add_flit(now_ + 1 + wire_, {static_cast<std::uint16_t>(source), kLocal, channel}, flit);
}

/// @return  whether the router has to be looked at at the next edge, even if nothing arrives
bool FlitNetwork::step_router(int core) {
  auto& router = routers_[static_cast<std::size_t>(core)];
  auto* inputs = &inputs_[vc_index(core, 0, 0)];
  Mask asking = 0;  // heads that are routed
  for_each_bit(router.waiting, [&](int input_vc) {
    if (inputs[input_vc].ready <= now_) asking |= Mask{1} << input_vc;
  });
  // both allocators see what was before this edge
  const Mask granted = asking != 0 ? allocate_vcs(core, asking) : 0;
  Moves moves;
  const bool any_requests = request_switch(core, model_.router.speculative ? asking : 0, moves);
  const bool busy = asking != router.waiting || granted != 0 || any_requests;

  for_each_bit(granted, [&](int input_vc) {
    auto& channel = inputs[input_vc];
    channel.output_vc = granted_vc_[static_cast<std::size_t>(input_vc)];
    router.free_vcs[channel.output] &= static_cast<std::uint16_t>(~(1U << channel.output_vc));
  });
  router.waiting &= ~granted;
  router.sending |= granted;
  for (int i = 0; i < moves.count; ++i) {
    const int input_vc = moves.input_vc[static_cast<std::size_t>(i)];
    const auto& channel = inputs[input_vc];
    const bool has_vc = (router.sending >> input_vc & 1U) != 0;  // else it bid for the switch in vain
    if (has_vc && output_credits_[vc_index(core, channel.output, channel.output_vc)] > 0)
      forward(core, input_vc);
  }
  return busy;
}

/// iSLIP between the heads that ask and the free virtual channels of their outputs.
/// @return  the heads that get one, which granted_vc_ tells
FlitNetwork::Mask FlitNetwork::allocate_vcs(int core, Mask asking) {
  const auto& router = routers_[static_cast<std::size_t>(core)];
  const auto first = vc_index(core, 0, 0);
  const int channels = kPorts * vcs_;
  std::array<Mask, kPorts> requests{};
  for_each_bit(asking, [&](int input_vc) {
    requests[inputs_[first + static_cast<std::size_t>(input_vc)].output] |= Mask{1} << input_vc;
  });
  Mask winners = 0;
  for (int output = 0; output < kPorts; ++output) {
    const Mask bidders = requests[static_cast<std::size_t>(output)];
    if (bidders == 0) continue;
    std::uint64_t winners_here = 0;
    for_each_bit(router.free_vcs[static_cast<std::size_t>(output)], [&](int vc) {
      const Mask usable_by = model_.routing.is_whole() ? bidders : those_that_may_use(first, bidders, vc);
      if (usable_by == 0) return;
      const int winner = first_from(usable_by, vc_round_[vc_index(core, output, vc)]);
      auto& offered = offered_[static_cast<std::size_t>(winner)];
      if ((winners_here >> winner & 1U) == 0) offered = 0;
      offered |= static_cast<std::uint16_t>(1U << vc);
      winners_here |= Mask{1} << winner;
    });
    for_each_bit(winners_here, [&](int winner) {
      auto& round = input_round_[first + static_cast<std::size_t>(winner)];
      const int ahead = round - output * vcs_;
      const int vc =
          first_from(offered_[static_cast<std::size_t>(winner)], ahead > 0 && ahead < vcs_ ? ahead : 0);
      granted_vc_[static_cast<std::size_t>(winner)] = static_cast<std::uint8_t>(vc);
      round = static_cast<std::uint8_t>((output * vcs_ + vc + 1) % channels);
      vc_round_[vc_index(core, output, vc)] = static_cast<std::uint8_t>((winner + 1) % channels);
    });
    winners |= winners_here;
  }
  return winners;
}

/// @param first  of the router's input virtual channels
FlitNetwork::Mask FlitNetwork::those_that_may_use(std::size_t first, Mask bidders, int vc) const {
  Mask usable_by = 0;
  for_each_bit(bidders, [&](int input_vc) {
    const bool usable = (inputs_[first + static_cast<std::size_t>(input_vc)].usable_vcs >> vc & 1U) != 0;
    if (usable) usable_by |= Mask{1} << input_vc;
  });
  return usable_by;
}

/// iSLIP between inputs and outputs. Of an input's virtual channels that want the same output one bids: the
/// next in turn, those with an output virtual channel before speculating heads.
/// @param moves  the winners
/// @return  whether any bid
bool FlitNetwork::request_switch(int core, Mask speculating, Moves& moves) {
  auto& router = routers_[static_cast<std::size_t>(core)];
  const auto first = vc_index(core, 0, 0);
  std::array<std::array<std::uint8_t, kPorts>, kPorts> bidder;  // by input and output, where `asked` says
  std::array<std::uint8_t, kPorts> asked{};                     // inputs, by output
  const auto bid = [&](int input_vc, int output, bool may_replace) {
    const int input = port_of_[static_cast<std::size_t>(input_vc)];
    auto& present = bidder[static_cast<std::size_t>(input)][static_cast<std::size_t>(output)];
    auto& inputs = asked[static_cast<std::size_t>(output)];
    if ((inputs >> input & 1U) != 0) {
      if (!may_replace) return;
      const int turn = router.next_vc[static_cast<std::size_t>(input)];
      const auto distance = [&](int vc) {
        const int ahead = vc - input * vcs_ - turn;
        return ahead < 0 ? ahead + vcs_ : ahead;
      };
      if (distance(present) < distance(input_vc)) return;
    }
    present = static_cast<std::uint8_t>(input_vc);
    inputs |= static_cast<std::uint8_t>(1U << input);
  };
  for_each_bit(router.sending, [&](int input_vc) {
    const auto& channel = inputs_[first + static_cast<std::size_t>(input_vc)];
    if (output_credits_[vc_index(core, channel.output, channel.output_vc)] > 0)
      bid(input_vc, channel.output, true);
  });
  if (speculating != 0) {
    const auto certain = asked;
    for_each_bit(speculating, [&](int input_vc) {
      const auto& channel = inputs_[first + static_cast<std::size_t>(input_vc)];
      const int output = channel.output;
      const int input = port_of_[static_cast<std::size_t>(input_vc)];
      bool usable = false;
      for_each_bit(router.free_vcs[static_cast<std::size_t>(output)] & channel.usable_vcs,
                   [&](int vc) { usable |= output_credits_[vc_index(core, output, vc)] > 0; });
      if (usable) bid(input_vc, output, (certain[static_cast<std::size_t>(output)] >> input & 1U) == 0);
    });
  }

  std::array<std::uint8_t, kPorts> offered{};  // outputs, by input
  unsigned inputs = 0;
  for (int output = 0; output < kPorts; ++output) {
    const auto bidders = asked[static_cast<std::size_t>(output)];
    if (bidders == 0) continue;
    const int winner = first_from(bidders, router.next_input[static_cast<std::size_t>(output)]);
    offered[static_cast<std::size_t>(winner)] |= static_cast<std::uint8_t>(1U << output);
    inputs |= 1U << winner;
  }
  for_each_bit(inputs, [&](int input) {
    const auto port = static_cast<std::size_t>(input);
    const int output = first_from(offered[port], router.next_output[port]);
    const int input_vc = bidder[port][static_cast<std::size_t>(output)];
    router.next_input[static_cast<std::size_t>(output)] = static_cast<std::uint8_t>((input + 1) % kPorts);
    router.next_output[port] = static_cast<std::uint8_t>((output + 1) % kPorts);
    router.next_vc[port] = static_cast<std::uint8_t>((input_vc - input * vcs_ + 1) % vcs_);
    moves.input_vc[static_cast<std::size_t>(moves.count++)] = static_cast<std::uint8_t>(input_vc);
  });
  return inputs != 0;
}

/// The first flit of an input virtual channel goes through the switch.
void FlitNetwork::forward(int core, int input_vc) {
  auto& router = routers_[static_cast<std::size_t>(core)];
  const auto index = vc_index(core, 0, 0) + static_cast<std::size_t>(input_vc);
  auto& channel = inputs_[index];
  const int size = model_.router.buffer_flits;
  const Flit flit = buffers_[index * static_cast<std::size_t>(size) + channel.first];
  const LinkVc output{static_cast<std::uint16_t>(core), channel.output, channel.output_vc};
  if (++channel.first == size) channel.first = 0;
  --channel.flits;
  --output_credits_[vc_index(core, output.port, output.vc)];
  return_credit(core, port_of_[static_cast<std::size_t>(input_vc)], input_vc % vcs_);
  if (flit.tail) {
    router.free_vcs[output.port] |= static_cast<std::uint16_t>(1U << output.vc);
    router.sending &= ~(Mask{1} << input_vc);
    channel.idle = true;
    if (channel.flits > 0) begin_packet(core, input_vc, now_ + 1);
  } else if (channel.flits == 0) {
    router.sending &= ~(Mask{1} << input_vc);
  }
  if (flit.head) {
    auto& heading = headings_[flit.slot];
    use_of(core, output.port).waited += now_ - heading.since - least_stay_;
    if (output.port != kLocal) ++heading.hops;
  }
  send(output, flit);
}

bool FlitNetwork::is_host_link(int core, int port) const {
  return core == host_core_ && port == west;
}

void FlitNetwork::send(LinkVc output, Flit flit) {
  ++router_visits_;
  ++use_of(output.core, output.port).flits;
  const Cycle sent = now_ + pipeline_tail_;
  if (output.port == kLocal) {  // the core takes a flit at each edge
    if (flit.tail) ejected_.push_back({flit.slot, sent + wire_});
    add_credit(sent + wire_ + 1 + wire_, output);
    return;
  }
  const int neighbour = neighbour_of(output.core, output.port);
  if (neighbour < 0) {
    const Cycle arrival = sent + border_wire_;
    if (is_host_link(output.core, output.port)) {
      if (flit.tail) at_host_.push_back({flit.slot, arrival});
      add_credit(arrival + 1 + border_wire_, output);
      return;
    }
    output.port = static_cast<std::uint8_t>(other_numbering(output.port));
    const auto via = flit.head ? headings_[flit.slot].via : Waypoint{};
    departures_.push_back({output, flit.slot, flit.head, flit.tail, arrival, via});
    return;
  }
  const auto input = static_cast<std::uint8_t>(output.port ^ 1U);
  add_flit(sent + wire_, {static_cast<std::uint16_t>(neighbour), input, output.vc}, flit);
}

/// The sender behind an input may use a place in its buffer again.
void FlitNetwork::return_credit(int core, int port, int vc) {
  const auto channel = static_cast<std::uint8_t>(vc);
  if (port == kLocal) {
    add_credit(now_ + 1 + wire_, {static_cast<std::uint16_t>(core), kSource, channel});
    return;
  }
  const int neighbour = neighbour_of(core, port);
  if (neighbour < 0) {
    if (is_host_link(core, port)) {
      add_credit(now_ + 1, {static_cast<std::uint16_t>(host_source()), kSource, channel});
      return;
    }
    const auto direction = static_cast<std::uint8_t>(other_numbering(port));
    credit_returns_.push_back(
        {{static_cast<std::uint16_t>(core), direction, channel}, now_ + 1 + border_wire_});
    return;
  }
  add_credit(now_ + 1 + wire_,
             {static_cast<std::uint16_t>(neighbour), static_cast<std::uint8_t>(port ^ 1), channel});
}

/// @return  the core on that side, or -1 beyond the die
int FlitNetwork::neighbour_of(int core, int port) const {
  const int columns = geometry_.core_columns;
  const int x = core % columns;
  switch (port) {
    case east:
      return x + 1 < columns ? core + 1 : -1;
    case west:
      return x > 0 ? core - 1 : -1;
    case south:
      return core + columns < geometry_.cores_of_die() ? core + columns : -1;
    default:
      return core >= columns ? core - columns : -1;
  }
}

}  // namespace ouro::wafer
