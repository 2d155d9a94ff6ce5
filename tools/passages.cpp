#include "tools/passages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace ouro::tools {

std::vector<Passage> read_passages(const engine::ResultsReader& run) {
  if (!run.find("/passages/number")) return {};
  std::vector<Passage> passages(run.find("/passages/number")->shape[0]);
  const auto read = [&](const char* name, std::int64_t Passage::*field) {
    const auto values = run.read<std::int64_t>(fmt::format("/passages/{}", name));
    for (std::size_t i = 0; i < passages.size(); ++i) passages[i].*field = values.at(i);
  };
  read("number", &Passage::number);
  read("request", &Passage::request);
  read("station", &Passage::station);
  read("entered_ps", &Passage::entered);
  read("gathered_ps", &Passage::gathered);
  read("ready_ps", &Passage::ready);
  read("launched_ps", &Passage::launched);
  std::sort(passages.begin(), passages.end(), [](const Passage& a, const Passage& b) {
    return std::tie(a.number, a.station) < std::tie(b.number, b.station);
  });
  for (std::size_t i = 0; i < passages.size(); ++i) {
    const bool follows = i > 0 && passages[i - 1].number == passages[i].number;
    passages[i].begin = follows ? passages[i - 1].launched : passages[i].entered;
  }
  return passages;
}

}  // namespace ouro::tools
