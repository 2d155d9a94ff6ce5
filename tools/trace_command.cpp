#include "tools/trace_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <numeric>

#include "engine/error.hpp"
#include "engine/results_reader.hpp"
#include "engine/time.hpp"
#include "engine/units.hpp"
#include "tools/number_ranges.hpp"
#include "tools/passages.hpp"
#include "tools/run_figures.hpp"
#include "tools/station_names.hpp"

namespace ouro::tools {
namespace {

using engine::ResultsReader;
using Column = std::vector<std::int64_t>;

enum Process { timelines = 1, requests, tokens, stations, links };  // what the format calls pid

constexpr auto kLinkFlits = "/timeline/link_flits";  // with a process of its own

constexpr std::pair<Process, const char*> kProcesses[] = {
    {timelines, "timelines"},
    {requests, "requests"},
    {tokens, "recorded tokens, by request"},
    {stations, "stations of recorded tokens, by number"},
    {links, "links between routers, by die"}};

std::int64_t parse_time(const std::string& option, const std::string& text, std::int64_t otherwise) {
  return text.empty() ? otherwise : engine::parse_quantity(option, text, engine::duration_units());
}

/// What the user chose.
class Selected {
 public:
  explicit Selected(const TraceSelection& chosen)
      : requests{"--requests", chosen.requests},
        blocks{"--blocks", chosen.blocks},
        dies{"--dies", chosen.dies},
        from_{parse_time("--from", chosen.from, 0)},
        to_{parse_time("--to", chosen.to, std::numeric_limits<std::int64_t>::max())} {
    if (to_ <= from_) throw engine::InputError{"--to", "is not after --from", "a later time"};
  }

  bool has_time(std::int64_t begin_ps, std::int64_t end_ps) const {
    return begin_ps < to_ && end_ps >= from_;
  }

  NumberRanges requests;
  NumberRanges blocks;
  NumberRanges dies;

 private:
  std::int64_t from_;
  std::int64_t to_;
};

/// Events go out one by one, until the file has its size. Times are in us, as the format has them.
class TraceWriter {
 public:
  TraceWriter(std::ostream& out, double megabytes, const Selected& selected)
      : out_{out}, room_{1e6 * megabytes}, selected_{selected} {
    out_ << "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
    for (const auto& [process, name] : kProcesses)
      add(fmt::format(R"({{"ph":"M","name":"process_name","pid":{},"args":{{"name":"{}"}}}})", int{process},
                      name));
  }

  void counter(Process process, const std::string& name, std::int64_t begin_ps, std::int64_t window_ps,
               const std::string& values) {
    if (!selected_.has_time(begin_ps, begin_ps + window_ps - 1)) return;
    add(fmt::format(R"({{"ph":"C","name":"{}","pid":{},"ts":{},"args":{{{}}}}})", name, int{process},
                    us(begin_ps), values));
  }
  void span(Process process, std::int64_t thread, const std::string& name, std::int64_t begin_ps,
            std::int64_t end_ps, const std::string& arguments = "") {
    if (!selected_.has_time(begin_ps, end_ps)) return;
    add(fmt::format(R"({{"ph":"X","name":"{}","pid":{},"tid":{},"ts":{},"dur":{},"args":{{{}}}}})", name,
                    int{process}, thread, us(begin_ps), us(end_ps - begin_ps), arguments));
  }
  void finish() { out_ << "\n]}\n"; }

  std::int64_t written() const { return written_; }
  std::int64_t left_out() const { return left_out_; }

 private:
  static double us(std::int64_t ps) { return 1e-6 * static_cast<double>(ps); }

  void add(const std::string& event) {
    constexpr double kEnd = 8;  // bytes of finish()
    const auto bytes = static_cast<double>(event.size() + 2);
    if (left_out_ > 0 || bytes + kEnd > room_ - bytes_) {
      ++left_out_;
      return;
    }
    bytes_ += bytes;
    out_ << (written_++ > 0 ? ",\n" : "") << event;
  }

  std::ostream& out_;
  double room_;
  const Selected& selected_;
  double bytes_ = 48;  // of the first line
  std::int64_t written_ = 0;
  std::int64_t left_out_ = 0;
};

/// What the numbers of a window are called: by NAME_names beside a dataset NAME, or as the stages.
std::vector<std::string> names_of(const ResultsReader& run, const std::string& path, std::size_t count) {
  for (const auto& name : {path + "_names", std::string{"/stages/names"}}) {
    if (!run.find(name)) continue;
    auto texts = run.read_texts(name);
    if (texts.size() == count) return texts;
  }
  std::vector<std::string> names(count, "value");
  for (std::size_t i = 1; i < count; ++i) names[i] += fmt::format(" {}", i);
  return names;
}

/// Timelines of one group as counters; one with several values a window is drawn as a stack.
void add_timelines(TraceWriter& writer, const ResultsReader& run, const std::string& group) {
  for (const auto& dataset : run.datasets()) {
    if (!dataset.path.starts_with(group + "/") || dataset.path == kLinkFlits) continue;
    const auto name = dataset.path.substr(group.size() + 1);
    if (!run.find_attribute(group, name + "_window_ps")) continue;  // names of values
    const auto window = run.attribute(group, name + "_window_ps");
    const auto values = run.read<std::int64_t>(dataset.path);
    const auto each = dataset.shape.size() > 1 ? dataset.shape[1] : 1;
    const auto names = names_of(run, dataset.path, each);
    const auto shown =
        fmt::format("{} ({} a window of {} us)", name, dataset.unit, 1e-6 * static_cast<double>(window));
    for (std::size_t i = 0; i < values.size(); i += each) {
      std::string of_window;
      for (std::size_t j = 0; j < each; ++j) {
        of_window += fmt::format("{}\"{}\":{}", j > 0 ? "," : "", names[j], values[i + j]);
      }
      writer.counter(timelines, shown, static_cast<std::int64_t>(i / each) * window, window, of_window);
    }
  }
}

/// Rows in the order of `begin`.
std::vector<std::size_t> in_order(const Column& begin) {
  std::vector<std::size_t> rows(begin.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  std::sort(rows.begin(), rows.end(), [&](auto a, auto b) {
    return std::pair{begin[a], a} < std::pair{begin[b], b};
  });
  return rows;
}

void add_requests(TraceWriter& writer, const ResultsReader& run, const Selected& selected) {
  const auto column = [&](const char* name) {
    return run.read<std::int64_t>(fmt::format("/requests/{}", name));
  };
  const auto index = column("index"), arrival = column("arrival_ps"), admitted = column("admitted_ps"),
             first = column("first_token_ps"), done = column("done_ps"), prompts = column("prompt_tokens"),
             outputs = column("output_tokens");
  for (const auto row : in_order(arrival)) {
    if (!selected.requests.has(index[row])) continue;
    const auto lengths = fmt::format(R"("prompt_tokens":{},"output_tokens":{})", prompts[row], outputs[row]);
    if (admitted[row] > arrival[row])
      writer.span(requests, index[row], "queued", arrival[row], admitted[row]);
    if (outputs[row] == 0) {
      writer.span(requests, index[row], "under way", admitted[row], done[row], lengths);
      continue;
    }
    writer.span(requests, index[row], "to the first token", admitted[row], first[row], lengths);
    if (done[row] > first[row]) writer.span(requests, index[row], "decoding", first[row], done[row], lengths);
  }
}

/// A sequence has many tokens of its prompt under way at a time, which the viewer draws below each other.
void add_tokens(TraceWriter& writer, const ResultsReader& run, const Selected& selected) {
  const auto column = [&](const char* name) {
    return run.read<std::int64_t>(fmt::format("/tokens/{}", name));
  };
  const auto number = column("number"), request = column("request"), position = column("position"),
             decode = column("decode"), issued = column("issued_ps"), retired = column("retired_ps");
  for (const auto row : in_order(issued)) {
    if (!selected.requests.has(request[row])) continue;
    writer.span(tokens, request[row], decode[row] != 0 ? "decode token" : "prefill token", issued[row],
                retired[row], fmt::format(R"("number":{},"position":{})", number[row], position[row]));
  }
}

/// Each token on a line of its own: its way to a station, which begins when the one before sent it on, what
/// the home core does with it, and its waiting there.
void add_stations(TraceWriter& writer, const ResultsReader& run, const Selected& selected) {
  const StationNames names{run};
  for (const auto& at : read_passages(run)) {
    if (!selected.requests.has(at.request) || !selected.blocks.has(names.block_of(at.station))) continue;
    const auto& name = names.name(at.station);
    const auto token = fmt::format(R"("request":{},"station":{},"entered_us":{})", at.request, at.station,
                                   1e-6 * static_cast<double>(at.entered));
    writer.span(stations, at.number, "to " + name, at.begin, at.gathered, token);
    if (at.ready > at.gathered) writer.span(stations, at.number, "at " + name, at.gathered, at.ready);
    if (at.launched > at.ready) writer.span(stations, at.number, "waits at " + name, at.ready, at.launched);
  }
}

/// How many flits the links of a die carried.
void add_links(TraceWriter& writer, const ResultsReader& run, const Selected& selected) {
  const auto flits = run.read<std::int64_t>(kLinkFlits);
  const auto dies = run.find(kLinkFlits)->shape[1];
  const auto window = run.attribute("/timeline", "link_flits_window_ps");
  for (std::size_t i = 0; i < flits.size(); ++i) {
    const auto die = i % dies;
    if (!selected.dies.has(static_cast<std::int64_t>(die))) continue;
    writer.counter(
        links, fmt::format("die {} (flits a window of {} us)", die, 1e-6 * static_cast<double>(window)),
        static_cast<std::int64_t>(i / dies) * window, window, fmt::format("\"flits\":{}", flits[i]));
  }
}

}  // namespace

std::string trace(const TraceArguments& arguments) {
  const Selected selected{arguments.selection};
  const ResultsReader run{arguments.run};
  check_is_run(run);
  auto out = arguments.out.empty() ? std::filesystem::path{arguments.run.stem().string() + ".trace.json"}
                                   : arguments.out;
  engine::PartFile file{out, arguments.force ? engine::Overwrite::allow : engine::Overwrite::refuse};
  std::ofstream stream{file.part(), std::ios::binary};
  TraceWriter writer{stream, arguments.megabytes, selected};
  for (const auto* group : {"/timeline", "/kv"}) add_timelines(writer, run, group);
  if (run.find("/requests/index")) add_requests(writer, run, selected);
  add_stations(writer, run, selected);
  if (run.find("/tokens/number")) add_tokens(writer, run, selected);
  if (run.find(kLinkFlits)) add_links(writer, run, selected);
  writer.finish();
  stream.close();
  if (!stream) throw engine::InputError{file.part().string(), "cannot write the trace"};
  file.publish();
  return fmt::format(
      "wrote {} with {} events{}{}", out.string(), writer.written(),
      writer.left_out() > 0 ? fmt::format(", left out {} for the size", writer.left_out()) : "",
      is_complete(run) ? "" : "; the run did not end");
}

}  // namespace ouro::tools
