#include "llm/stage_timing.hpp"

#include <algorithm>

namespace ouro::llm {

using engine::Duration;

namespace {

AttentionTimes attention_times(const PipelinePlan& plan, const AttentionWork& work) {
  const auto& core = plan.wafer().core;
  return {write_k_time(core, plan.head()) + work.score.time, work.softmax.time,
          work.values.time + write_v_time(core, plan.head())};
}

/// The counts of this work are linear in the tokens; the times are not, and are left out.
AttentionWork difference(const AttentionWork& more, const AttentionWork& less) {
  const auto crossbars = [](const CrossbarWork& a, const CrossbarWork& b) {
    return CrossbarWork{{}, a.macs - b.macs, a.htree_bits - b.htree_bits};
  };
  return {crossbars(more.score, less.score),
          {{}, more.softmax.special - less.softmax.special, more.softmax.simple - less.softmax.simple},
          crossbars(more.values, less.values)};
}

}  // namespace

StageTiming::StageTiming(const PipelinePlan& plan, KvController kv, std::int64_t longest_context,
                         const std::optional<Calibration>& calibration)
    : plan_{plan}, calibration_{calibration}, lone_{plan} {
  UndisturbedHead head{plan.wafer().core, plan.kv_ring().crossbars(0), plan.head()};
  work_of_context_ = difference(head.work(2), head.work(1));
  tabulate_attention(longest_context, kv.page_tokens());
  for (const auto& station : plan.stations()) home_.push_back(plan.home_work(station).time);
  by_choice_.resize(plan.stations().size());
  by_places_.resize(plan.stations().size());
  kv.open(0);
  kv.grow(0, 1);
  const auto lm_head = static_cast<int>(plan.stations().size()) - 1;
  retirement_ = lone_.pass(lm_head, {}, kv);
  embedding_ = lone_.from_host(0, plan.wafer().noc.flits(plan.model().hidden_size));
  last_credit_ = lone_.from_host(lm_head, 1);
  for (int station = 0; station <= lm_head; ++station)
    stations_.push_back(measure(station, {.flags = Token::kSampled}, kv));
  load_windows_ = measure_windows();
}

LoadWindows StageTiming::measure_windows() const {
  Duration slowest{};
  Duration way = embedding_.to_next;
  for (std::size_t number = 0; number < stations_.size(); ++number) {
    const auto& plan = plan_.stations()[number];
    const auto own = plan_.wafer().noc.flits(plan.group->rows) * plan_.wafer().noc.cycle;
    slowest = std::max(slowest, plan.gather_time + own);
    way += home_[number] + stations_[number].passage.to_next;
  }
  return {.close = (plan_.window() + 1) * slowest, .way = way};
}

void StageTiming::tabulate_attention(std::int64_t longest_context, int page_tokens) {
  const auto pages = plan_.pages_of_ring();
  attention_.resize(static_cast<std::size_t>(plan_.wafer().core.crossbars) + 1);
  for (int place = 0; place < plan_.kv_ring().places(); ++place) {
    const int crossbars = plan_.kv_ring().crossbars(place);
    auto& times = attention_[static_cast<std::size_t>(crossbars)];
    if (!times.empty()) continue;
    UndisturbedHead head{plan_.wafer().core, crossbars, plan_.head()};
    const auto most =
        std::min(longest_context, std::int64_t{pages[static_cast<std::size_t>(place)]} * page_tokens);
    times.emplace_back();
    for (std::int64_t tokens = 1; tokens <= most; ++tokens)
      times.push_back(attention_times(plan_, head.work(tokens)));
  }
}

/// At most: as if one core had as many tokens as the fullest and as few crossbars as the smallest.
AttentionTimes StageTiming::attention(std::int64_t tokens, int crossbars) const {
  const auto& whole = attention_[static_cast<std::size_t>(plan_.kv_ring().crossbars(0))];
  const auto& small = attention_[static_cast<std::size_t>(crossbars)];
  const auto index = static_cast<std::size_t>(tokens);
  const auto& a = whole[index];
  const auto& b = small[std::min(index, small.size() - 1)];
  return {std::max(a.score, b.score), std::max(a.softmax, b.softmax), std::max(a.values, b.values)};
}

const StageTiming::Station& StageTiming::station(int number, const ExpertRouting::Choice& chosen,
                                                 const Token& token, const KvController& kv) {
  constexpr std::size_t kMostChoices = 4096;  // about 4 MB a station
  auto& known = by_choice_[static_cast<std::size_t>(number)];
  if (const auto found = known.find(chosen); found != known.end()) return found->second;
  if (known.size() == kMostChoices) known.clear();
  return known.emplace(chosen, measure(number, token, kv)).first->second;
}

StageTiming::Least StageTiming::least(int number) const {
  const auto& plan = plan_.stations()[static_cast<std::size_t>(number)];
  const auto& station = stations_[static_cast<std::size_t>(number)];
  if (plan.group->experts == 0)
    return {station.passage.first_output, station.home_way, station.passage.credit};
  const auto& noc = plan_.wafer().noc;
  Least least{engine::kForever, noc.die_lookahead() + Duration{1}, noc.die_lookahead()};
  for (const auto& tile : plan.group->tiles) {
    const auto work = tile_work(plan_.wafer().core, *plan.group, tile);
    least.first_output = std::min(least.first_output, work.input + work.pass + work.output);
  }
  return least;
}

StageTiming::Station StageTiming::measure(int number, const Token& token, const KvController& kv) {
  constexpr int kVeryLate = 1 << 20;  // cycles
  const auto& plan = plan_.stations()[static_cast<std::size_t>(number)];
  const auto& noc = plan_.wafer().noc;
  Station station{.passage = lone_.pass(number, token, kv)};
  const auto home_delay = kVeryLate * noc.cycle;
  const auto late = lone_.pass(number, token, kv, home_delay);
  station.home_slack = station.passage.to_next - (late.to_next - home_delay);
  station.home_way = std::max(station.passage.to_next - station.passage.home_output - station.home_slack,
                              noc.die_lookahead() + Duration{1});
  const auto vector = noc.flits(plan.group->rows) * noc.cycle;
  const bool home_works = station.passage.home_output > Duration{};
  station.multicast = home_works ? vector : Duration{};
  const auto trees = static_cast<std::int64_t>(plan.trees_at_once()) * std::max(plan.group->active, 1);
  const auto beside = noc.flits(plan.passes_on) + (plan.attends ? noc.flits(plan.latent) : 0);
  const int residuals = plan.residual_to > 0 ? 1 : 0;
  const auto credit = noc.cycle;
  station.sends = (trees + residuals) * vector + beside * noc.cycle + credit;
  station.credit = lone_.credit(number);
  return station;
}

StageTiming::Places StageTiming::places_of(const Token& token, const KvController& kv) const {
  const auto page = static_cast<int>(token.position) / kv.page_tokens();
  Places places{token.position};
  for (int head = 0; head < plan_.kv_heads(); ++head) {
    for (const auto& extent : kv.extents(token.slot, head)) {
      if (extent.first_page > page) break;
      places.push_back(static_cast<std::uint32_t>(extent.core));
      places.push_back(static_cast<std::uint32_t>(extent.first_page));
    }
  }
  return places;
}

/// Sequences begin at few places of the ring, so that their first tokens' are soon all known. Where KV cores
/// are full, heads lie anywhere, and few places are met again.
HeadsAtBlock StageTiming::place_heads(int qkv, const Token& token, const KvController& kv) {
  constexpr std::size_t kMostPlaces = 128;  // about 200 KB a station
  auto& known = by_places_[static_cast<std::size_t>(qkv)];
  auto places = places_of(token, kv);
  if (const auto found = known.find(places); found != known.end()) return found->second;
  if (known.size() == kMostPlaces) known.clear();
  return known.emplace(std::move(places), measure_heads(qkv, token, kv)).first->second;
}

HeadsAtBlock StageTiming::measure_heads(int qkv, const Token& token, const KvController& kv) {
  HeadsAtBlock heads;
  const auto position = static_cast<int>(token.position);
  const int whole = plan_.kv_ring().crossbars(0);
  std::map<int, int> newest_of;
  std::int64_t most_elsewhere = 0;
  int crossbars_elsewhere = whole;
  heads.context = position + 1;
  heads.before = heads.context;
  heads.newest_crossbars = whole;
  heads.cores = CoreSet{plan_.ring(0).size()};
  for (int head = 0; head < plan_.kv_heads(); ++head) {
    const auto of_head = kv.cores_of_head(token.slot, head, position);
    for (const int core : of_head) {
      const std::int64_t tokens = kv.tokens_on_core(token.slot, head, position, core);
      const int crossbars = plan_.kv_ring().crossbars(core);
      if (core == of_head.back()) {
        heads.newest_crossbars = std::min(heads.newest_crossbars, crossbars);
        heads.before = std::min(heads.before, heads.context - tokens);
        heads.heads_of_core = std::max(heads.heads_of_core, ++newest_of[core]);
      } else {
        crossbars_elsewhere = std::min(crossbars_elsewhere, crossbars);
        most_elsewhere = std::max(most_elsewhere, tokens);
      }
      heads.cores.add(core);
    }
  }
  heads.passage = lone_.pass(qkv, token, kv);
  heads.known = newest(heads, heads.context);
  heads.elsewhere = attention(most_elsewhere, crossbars_elsewhere);
  heads.slowest = slowest(heads, heads.known);
  return heads;
}

}  // namespace ouro::llm
