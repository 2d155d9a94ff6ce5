#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>

#include "llm/model_import.hpp"

// Imports published config.json files, which are not part of this repository. OUROBOROS_MODELS names a
// directory with a folder for each; without it this is skipped, and says so.

namespace ouro::llm {
namespace {

struct Expected {
  const char* folder;
  std::int64_t parameters;
  std::int64_t kv_bytes;
};

constexpr Expected kExpected[] = {
    {"Llama-2-7b-hf", 6'738'415'616, 262'144},  {"llama-13b-hf", 13'015'864'320, 409'600},
    {"llama-30b", 32'528'943'616, 798'720},     {"llama-65b", 65'285'660'672, 1'310'720},
    {"Baichuan-13B", 13'264'901'120, 409'600},  {"Qwen2.5-32B", 32'763'876'352, 131'072},
    {"Qwen3-32B", 32'762'123'264, 131'072},     {"Llama-3-70B", 70'553'706'496, 163'840},
    {"Llama-3.1-70B", 70'553'706'496, 163'840}, {"Mixtral-8x7B-v0.1", 46'702'792'704, 65'536},
    {"DeepSeek-V3", 671'026'419'200, 35'136},   {"t5-11b", 11'307'321'344, 786'432},
    {"bert-large-uncased", 334'092'288, 0},
};

void PrintTo(const Expected& expected, std::ostream* out) {
  *out << expected.folder;
}

class RealModel : public ::testing::TestWithParam<Expected> {};

TEST_P(RealModel, HasItsExactParameterCountAndKvSize) {
  const char* directory = std::getenv("OUROBOROS_MODELS");
  if (directory == nullptr) GTEST_SKIP() << "OUROBOROS_MODELS names no directory with config.json files";
  auto file = std::filesystem::path{directory} / GetParam().folder / "config.json";
  if (!std::filesystem::exists(file)) file.replace_filename("config.reconstructed.json");
  std::ifstream stream{file};
  ASSERT_TRUE(stream) << file;
  const std::string text{std::istreambuf_iterator<char>{stream}, {}};

  const auto imported = import_hugging_face(text, file.string());
  EXPECT_EQ(parameter_count(imported.model), GetParam().parameters);
  EXPECT_EQ(kv_bytes_per_token(imported.model), GetParam().kv_bytes);
  for (const auto& note : imported.notes) EXPECT_EQ(note.find("without effect"), std::string::npos) << note;
}

INSTANTIATE_TEST_SUITE_P(Models, RealModel, ::testing::ValuesIn(kExpected));

}  // namespace
}  // namespace ouro::llm
