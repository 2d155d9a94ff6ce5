#include "tools/trace_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "engine/error.hpp"
#include "engine/results_reader.hpp"
#include "tools/run_figures.hpp"

namespace ouro::tools {
namespace {

using engine::ResultsReader;
using Column = std::vector<std::int64_t>;

enum Process { timelines = 1, requests, tokens };  // what the format calls pid

/// Events go out one by one, until the file has its size. Times are in us, as the format has them.
class TraceWriter {
 public:
  TraceWriter(std::ostream& out, double megabytes) : out_{out}, room_{1e6 * megabytes} {
    out_ << "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
    for (const auto& [process, name] :
         {std::pair{timelines, "timelines"}, {requests, "requests"}, {tokens, "recorded tokens, by request"}})
      add(fmt::format(R"({{"ph":"M","name":"process_name","pid":{},"args":{{"name":"{}"}}}})", int{process},
                      name));
  }

  void counter(const std::string& name, std::int64_t begin_ps, const std::string& values) {
    add(fmt::format(R"({{"ph":"C","name":"{}","pid":{},"ts":{},"args":{{{}}}}})", name, int{timelines},
                    us(begin_ps), values));
  }
  void span(Process process, std::int64_t thread, const char* name, std::int64_t begin_ps,
            std::int64_t end_ps, const std::string& arguments = "") {
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
  double bytes_ = 48;  // of the first line
  std::int64_t written_ = 0;
  std::int64_t left_out_ = 0;
};

/// Timelines of one group as counters; one with several values a window is drawn as a stack.
void add_timelines(TraceWriter& writer, const ResultsReader& run, const std::string& group) {
  const auto stages =
      run.find("/stages/names") ? run.read_texts("/stages/names") : std::vector<std::string>{};
  for (const auto& dataset : run.datasets()) {
    if (!dataset.path.starts_with(group + "/")) continue;
    const auto name = dataset.path.substr(group.size() + 1);
    const auto window = run.attribute(group, name + "_window_ps");
    const auto values = run.read<std::int64_t>(dataset.path);
    const auto each = dataset.shape.size() > 1 ? dataset.shape[1] : 1;
    const auto shown =
        fmt::format("{} ({} a window of {} us)", name, dataset.unit, 1e-6 * static_cast<double>(window));
    for (std::size_t i = 0; i < values.size(); i += each) {
      std::string of_window;
      for (std::size_t j = 0; j < each; ++j) {
        of_window += fmt::format("{}\"{}\":{}", j > 0 ? "," : "", each == stages.size() ? stages[j] : "value",
                                 values[i + j]);
      }
      writer.counter(shown, static_cast<std::int64_t>(i / each) * window, of_window);
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

void add_requests(TraceWriter& writer, const ResultsReader& run) {
  const auto column = [&](const char* name) {
    return run.read<std::int64_t>(fmt::format("/requests/{}", name));
  };
  const auto index = column("index"), arrival = column("arrival_ps"), admitted = column("admitted_ps"),
             first = column("first_token_ps"), done = column("done_ps"), prompts = column("prompt_tokens"),
             outputs = column("output_tokens");
  for (const auto row : in_order(arrival)) {
    const auto lengths = fmt::format(R"("prompt_tokens":{},"output_tokens":{})", prompts[row], outputs[row]);
    if (admitted[row] > arrival[row])
      writer.span(requests, index[row], "queued", arrival[row], admitted[row]);
    writer.span(requests, index[row], "to the first token", admitted[row], first[row], lengths);
    if (done[row] > first[row]) writer.span(requests, index[row], "decoding", first[row], done[row], lengths);
  }
}

/// A sequence has many tokens of its prompt under way at a time, which the viewer draws below each other.
void add_tokens(TraceWriter& writer, const ResultsReader& run) {
  const auto column = [&](const char* name) {
    return run.read<std::int64_t>(fmt::format("/tokens/{}", name));
  };
  const auto number = column("number"), request = column("request"), position = column("position"),
             decode = column("decode"), issued = column("issued_ps"), retired = column("retired_ps");
  for (const auto row : in_order(issued)) {
    writer.span(tokens, request[row], decode[row] != 0 ? "decode token" : "prefill token", issued[row],
                retired[row], fmt::format(R"("number":{},"position":{})", number[row], position[row]));
  }
}

}  // namespace

std::string trace(const TraceArguments& arguments) {
  const ResultsReader run{arguments.run};
  check_is_run(run);
  auto out = arguments.out.empty() ? std::filesystem::path{arguments.run.stem().string() + ".trace.json"}
                                   : arguments.out;
  engine::PartFile file{out, arguments.force ? engine::Overwrite::allow : engine::Overwrite::refuse};
  std::ofstream stream{file.part(), std::ios::binary};
  TraceWriter writer{stream, arguments.megabytes};
  for (const auto* group : {"/timeline", "/kv"}) add_timelines(writer, run, group);
  if (run.find("/requests/index")) add_requests(writer, run);
  if (run.find("/tokens/number")) add_tokens(writer, run);
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
