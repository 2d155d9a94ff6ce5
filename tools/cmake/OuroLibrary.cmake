# ouro_library(NAME SOURCES a.cpp ... HEADERS a.hpp ... [PUBLIC libs] [PRIVATE libs])
#
# One folder is one library target `ouro::NAME`. Its headers are included as "NAME/header.hpp", and each
# is compiled alone by the target `all_verify_interface_header_sets`.
function(ouro_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE")
  add_library(${name} STATIC)
  add_library(ouro::${name} ALIAS ${name})
  target_sources(${name}
    PRIVATE ${arg_SOURCES}
    PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${arg_HEADERS})
  target_link_libraries(${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()

# ouro_embed(TARGET target NAMESPACE ns FILES file ...)
#
# Compiles text files into the target, so that the program works wherever it is copied.
# The target includes "<target>/embedded.hpp" and calls ns::embedded_file("name").
function(ouro_embed)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "TARGET;NAMESPACE" "FILES")
  set(entries "")
  foreach(file IN LISTS arg_FILES)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    get_filename_component(name ${file} NAME)
    string(APPEND entries "    {\"${name}\", R\"ouro_embed(${text})ouro_embed\"},\n")
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
#include "@arg_TARGET@/embedded.hpp"

#include <array>
#include <utility>

namespace @arg_NAMESPACE@ {
namespace {
constexpr auto kFiles = std::to_array<std::pair<std::string_view, std::string_view>>({
@entries@});
}  // namespace

std::string_view embedded_file(std::string_view name) {
  for (const auto& [file, text] : kFiles) {
    if (file == name) return text;
  }
  return {};
}

std::vector<std::string_view> embedded_files() {
  std::vector<std::string_view> names;
  for (const auto& [file, text] : kFiles) names.push_back(file);
  return names;
}

}  // namespace @arg_NAMESPACE@
]])
  target_sources(${arg_TARGET} PRIVATE ${source})
endfunction()
