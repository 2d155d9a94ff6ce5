#include "tools/report_command.hpp"

#include <fmt/format.h>

#include <fstream>
#include <string_view>

#include "engine/error.hpp"
#include "tools/embedded.hpp"
#include "tools/report_data.hpp"

namespace ouro::tools {
namespace {

void replace(std::string& text, std::string_view mark, std::string_view by) {
  const auto at = text.find(mark);
  if (at == std::string::npos) throw engine::ContractError{fmt::format("page.html has no '{}'", mark)};
  text.replace(at, mark.size(), by);
}

/// A script element ends at the first "</script", wherever it is; JSON can say '<' in another way.
std::string without_tags(const std::string& json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char letter : json) {
    if (letter == '<') {
      safe += "\\u003c";
    } else {
      safe += letter;
    }
  }
  return safe;
}

std::string make_page(const ReportArguments& arguments) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const auto& path : arguments.runs) runs.push_back(report_data(engine::ResultsReader{path}));
  std::string page{embedded_file("page.html")};
  for (const auto* part : {"page.css", "format.js", "charts.js", "wafer.js", "page.js"})
    replace(page, fmt::format("/* {} */", part), embedded_file(part));
  // texts of another writer may be no UTF-8: what is wrong in them is shown as such
  using Errors = nlohmann::ordered_json::error_handler_t;
  replace(page, "/* data */", without_tags(runs.dump(-1, ' ', false, Errors::replace)));
  return page;
}

}  // namespace

std::filesystem::path report(const ReportArguments& arguments) {
  auto out = arguments.out.empty() ? std::filesystem::path{arguments.runs.front().stem().string() + ".html"}
                                   : arguments.out;
  engine::PartFile file{out, arguments.force ? engine::Overwrite::allow : engine::Overwrite::refuse};
  const auto page = make_page(arguments);
  std::ofstream stream{file.part(), std::ios::binary};
  stream << page;
  stream.close();
  if (!stream) throw engine::InputError{file.part().string(), "cannot write the page"};
  file.publish();
  return out;
}

}  // namespace ouro::tools
