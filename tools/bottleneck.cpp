#include "tools/bottleneck.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "tools/station_names.hpp"

namespace ouro::tools {
namespace {

using engine::ResultsReader;
using Column = std::vector<std::int64_t>;
using Sentence = std::optional<std::string>;

constexpr double kMuchRecomputed = 0.05;
constexpr double kMuchQueued = 0.1;
constexpr double kOftenStalled = 0.25;
constexpr double kLateArrival = 0.8;
constexpr double kHalfEmpty = 0.5;

double sum(const Column& values) {
  return static_cast<double>(std::accumulate(values.begin(), values.end(), std::int64_t{0}));
}

double largest(const Column& values) {
  return values.empty() ? 0 : static_cast<double>(*std::max_element(values.begin(), values.end()));
}

Column request_column(const ResultsReader& run, const char* name) {
  return run.read<std::int64_t>(fmt::format("/requests/{}", name));
}

double makespan_of(const ResultsReader& run) {
  return static_cast<double>(run.attribute("/", "makespan_ps"));
}

/// Part of all requests' time that passed before they were admitted.
double queued_share(const ResultsReader& run) {
  const double arrivals = sum(request_column(run, "arrival_ps"));
  const double queued = sum(request_column(run, "admitted_ps")) - arrivals;
  return queued / (sum(request_column(run, "done_ps")) - arrivals);
}

/// Where a decoder has an encoder before it, whose pages requests wait for as well.
std::string pages_of_encoder(const ResultsReader& run) {
  if (run.find("/kv/encoder_pages_used") == nullptr) return {};
  const double share = largest(run.read<std::int64_t>("/kv/encoder_pages_used")) /
                       static_cast<double>(run.attribute("/kv", "encoder_pages_total"));
  return fmt::format(" ({:.0f} % of the encoder's)", 100 * share);
}

/// A request waits for admission for want of KV pages or, where that many run, of a place among the running.
Sentence kv_or_admission(const ResultsReader& run) {
  const double recomputed = sum(request_column(run, "recomputed_tokens")) /
                            static_cast<double>(run.attribute("/", "tokens_processed"));
  const double queued = queued_share(run);
  const double pages = largest(run.read<std::int64_t>("/kv/pages_used")) /
                       static_cast<double>(run.attribute("/kv", "pages_total"));
  const double running = largest(run.read<std::int64_t>("/timeline/sequences_running"));
  const auto places = run.attribute("/kv", "sequences_at_most");
  const bool had_places = running < static_cast<double>(places);
  if (recomputed >= kMuchRecomputed || (queued >= kMuchQueued && had_places)) {
    return fmt::format(
        "KV memory: up to {:.0f} % of its pages{} were in use, by up to {:.0f} sequences at a time; requests "
        "waited "
        "for {:.0f} % of their time to be admitted, and {:.0f} % of the tokens were computed again after a "
        "preemption",
        100 * pages, pages_of_encoder(run), running, 100 * queued, 100 * recomputed);
  }
  if (queued < kMuchQueued) return {};
  return fmt::format(
      "admission: requests waited for {:.0f} % of their time to be admitted, since {} sequences ran, which "
      "is "
      "serving.max_running, while at most {:.0f} % of the KV pages were in use",
      100 * queued, places, 100 * pages);
}

/// Tokens wait in front of what is slow: the last home core that is often held up stands right before it. If
/// the tokens ahead were mostly on their way, what is slow is its own tiles and their way; else the next
/// station.
Sentence stalled_stage(const ResultsReader& run) {
  const auto stalled = run.read<std::int64_t>("/stages/home_stalled_ps");
  const double most = largest(stalled);
  const double share = most / makespan_of(run);
  if (share < kOftenStalled) return {};
  const auto is_held_up = [&](std::int64_t ps) { return 2 * static_cast<double>(ps) >= most; };
  const auto last = std::find_if(stalled.rbegin(), stalled.rend(), is_held_up);
  const auto station = static_cast<std::size_t>(stalled.rend() - last) - 1;
  const auto percent = [&](std::int64_t ps) { return 100 * static_cast<double>(ps) / makespan_of(run); };
  const auto input = run.read<std::int64_t>("/stages/home_stalled_input_ps")[station];
  const auto output = stalled[station] - input;
  const auto by_cause = fmt::format(
      "{:.0f} % of the makespan: {:.0f} % for the output buffers, while the token ahead was in the tiles or "
      "on "
      "its way, and {:.0f} % for the input buffer of the next one",
      percent(stalled[station]), percent(output), percent(input));
  const auto name = [&](std::size_t of) { return StationNames{run}.name(static_cast<std::int64_t>(of)); };
  if (output > input) {
    return fmt::format("the slowest stage, {}: its home core had a token ready and no room ahead for {}",
                       name(station), by_cause);
  }
  return fmt::format(
      "the slowest stage, {}: the home core before it had a token ready and no room ahead for {}",
      name(std::min(station + 1, stalled.size() - 1)), by_cause);
}

Sentence arrivals(const ResultsReader& run) {
  const auto arrival = request_column(run, "arrival_ps");
  const auto [first, last] = std::minmax_element(arrival.begin(), arrival.end());
  const double share = static_cast<double>(*last - *first) / makespan_of(run);
  if (share < kLateArrival) return {};
  return fmt::format(
      "arrivals: the last request came after {:.0f} % of the makespan, and requests waited for {:.1f} % of "
      "their time to be admitted; the machine keeps up with the load",
      100 * share, 100 * queued_share(run));
}

Sentence few_tokens(const ResultsReader& run) {
  if (!run.find("/tokens/issued_ps")) return {};
  const auto issued = run.read<std::int64_t>("/tokens/issued_ps");
  if (issued.empty()) return {};
  const double each =
      (sum(run.read<std::int64_t>("/tokens/retired_ps")) - sum(issued)) / static_cast<double>(issued.size());
  const double under_way =
      each * static_cast<double>(run.attribute("/", "tokens_processed")) / makespan_of(run);
  const auto stations = run.read<std::int64_t>("/stages/home_tokens").size();
  if (under_way >= kHalfEmpty * static_cast<double>(stations)) return {};
  return fmt::format(
      "too few tokens under way: {:.1f} on average in a pipeline of {} home cores, through which a token "
      "takes "
      "{:.3g} ms; a decoding sequence has one token in it",
      under_way, stations, 1e-9 * each);
}

/// Shares of the makespan, by station.
std::vector<double> shares_in_state(const ResultsReader& run, std::string_view state) {
  const auto names = run.read_texts("/stages/state_names");
  const auto times = run.read<std::int64_t>("/stages/home_state_ps");
  std::vector<double> shares;
  for (auto i = static_cast<std::size_t>(std::find(names.begin(), names.end(), state) - names.begin());
       i < times.size(); i += names.size())
    shares.push_back(static_cast<double>(times[i]) / makespan_of(run));
  return shares;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Tokens of a prompt wait in an encoder's attention for the rest of it: how many are under way says nothing
/// there, and what the stations had to do does.
Sentence stations_of_encoder(const ResultsReader& run) {
  if (run.attribute("/kv", "query_bytes_peak_of_core") == 0) return {};
  const auto idle = shares_in_state(run, "no_token");
  const auto least = std::min_element(idle.begin(), idle.end());
  const auto busiest = StationNames{run}.name(least - idle.begin());
  if (*least < kHalfEmpty) {
    return fmt::format(
        "the busiest station, {}: it had a token for {:.0f} % of the makespan, home cores for {:.0f} % on "
        "average",
        busiest, 100 * (1 - *least), 100 * (1 - mean(idle)));
  }
  const bool decodes = run.attribute("/", "output_tokens") > 0;
  return fmt::format(
      "too few prompts at a time: home cores had no token for {:.0f} % of the makespan on average, and the "
      "busiest one, {}, for {:.0f} %; tokens of a prompt wait in the encoder's attention for the rest of "
      "it{}",
      100 * mean(idle), busiest, 100 * *least,
      decodes ? ", and a decoding sequence has one token under way" : "");
}

/// Where a station takes a sequence at a time, its bubbles say whether there are enough.
Sentence few_sequences(const ResultsReader& run) {
  if (run.attribute("/stages", "one_sequence_a_station") == 0) return {};
  const auto bubbles = shares_in_state(run, "no_token");
  const double share = mean(bubbles);
  if (share < kHalfEmpty) return {};
  return fmt::format(
      "too few sequences: each of {} home cores takes one at a time, and had nothing of a next one for "
      "{:.0f} % "
      "of the makespan on average",
      bubbles.size(), 100 * share);
}

std::string busiest_stage(const ResultsReader& run) {
  const auto names = run.read_texts("/stages/names");
  const auto busy = run.read<std::int64_t>("/stages/busy_core_ps");
  Column by_stage(names.size());
  for (std::size_t i = 0; i < busy.size(); ++i) by_stage[i % names.size()] += busy[i];
  const auto most = std::max_element(by_stage.begin(), by_stage.end());
  return fmt::format("{}: the pipeline is full, and this stage has {:.0f} % of the busy core time",
                     names[static_cast<std::size_t>(most - by_stage.begin())],
                     100 * static_cast<double>(*most) / sum(by_stage));
}

}  // namespace

std::string find_bottleneck(const ResultsReader& run) {
  for (const auto& rule :
       {kv_or_admission, stalled_stage, arrivals, few_sequences, stations_of_encoder, few_tokens}) {
    if (const auto sentence = rule(run)) return *sentence;
  }
  return busiest_stage(run);
}

}  // namespace ouro::tools
