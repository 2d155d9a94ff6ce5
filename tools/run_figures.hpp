#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// A number or text about a run; the unit of a number is the end of its key.
struct Figure {
  std::string key;  ///< such as ttft_p50_ms
  std::variant<std::int64_t, double, std::string> value;
  enum class Of { machine, simulator } of = Of::machine;  ///< the simulated machine, or the program itself
};

/// The main figures of a run, in the order in which a reader wants them.
class Figures {
 public:
  void add(std::string key, decltype(Figure::value) value, Figure::Of of = Figure::Of::machine) {
    all_.push_back({std::move(key), std::move(value), of});
  }

  const std::vector<Figure>& all() const { return all_; }
  /// Null if the run has no such figure, such as time per output token where each request has one.
  const Figure* find(const std::string& key) const;
  /// @throws std::out_of_range  if there is no such figure or it is a text
  double number(const std::string& key) const;

 private:
  std::vector<Figure> all_;
};

/// Percentiles are exact: of the sorted values, interpolated linearly. Needs some 50 bytes of memory a
/// request.
///
/// A file that a killed run left has fewer figures, of the requests that had ended.
///
/// A file of `ouroboros noc` has those of its studies.
///
/// @throws InputError  if the file is of neither
Figures read_figures(const engine::ResultsReader& run);

/// The `share`-th part of `sorted` lies below it, as numpy.percentile has it.
/// @param sorted  not empty
double percentile(const std::vector<double>& sorted, double share);

/// Times of the requests of a run in ms, sorted.
struct Latencies {
  std::vector<double> queued;                 ///< admission - arrival
  std::vector<double> time_to_first_token;    ///< first token - arrival
  std::vector<double> time_per_output_token;  ///< of requests with two outputs or more
  std::vector<double> whole;                  ///< last token - arrival
};
Latencies read_latencies(const engine::ResultsReader& run);

/// @throws InputError  if the file is not of `ouroboros run`
void check_is_run(const engine::ResultsReader& file);
bool is_complete(const engine::ResultsReader& run);

}  // namespace ouro::tools
