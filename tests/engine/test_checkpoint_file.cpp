#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/checkpoint_file.hpp"
#include "engine/error.hpp"

namespace ouro::engine {
namespace {

using ::testing::HasSubstr;

class CheckpointFile : public ::testing::Test {
 protected:
  CheckpointFile() { std::filesystem::create_directories(directory); }
  ~CheckpointFile() override { std::filesystem::remove_all(directory); }

  void write(const std::string& content, const std::filesystem::path& kept = {}) const {
    CheckpointWriter writer{path};
    writer.add("empty", "");
    writer.add("content", content);
    writer.publish(kept);
  }
  std::string bytes() const {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  void replace(const std::string& bytes) const { std::ofstream{path, std::ios::binary} << bytes; }

  std::string refusal() const {
    try {
      check_checkpoint(path);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }

  std::filesystem::path directory = std::filesystem::path{::testing::TempDir()} /
                                    ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::filesystem::path path = directory / "a.checkpoint";
  std::filesystem::path previous = directory / "a.checkpoint.old";
};

TEST_F(CheckpointFile, GivesItsPartsBack) {
  write(std::string(100'000, 'x'));
  check_checkpoint(path);
  CheckpointReader reader{path};
  EXPECT_EQ(reader.part("content"), std::string(100'000, 'x'));
  EXPECT_EQ(reader.part("empty"), "");
  EXPECT_THROW(reader.part("other"), InputError);
}

TEST_F(CheckpointFile, OfWhichABitIsOtherIsRefused) {
  write("content");
  const auto whole = bytes();
  constexpr std::size_t kHeader = 32;
  for (auto at = kHeader; at < whole.size(); ++at) {
    auto damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    replace(damaged);
    EXPECT_THAT(refusal(), HasSubstr("is damaged")) << at;
  }
}

TEST_F(CheckpointFile, ThatIsCutOffAnywhereIsRefused) {
  write("content");
  const auto whole = bytes();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    replace(whole.substr(0, length));
    EXPECT_THAT(refusal(), HasSubstr(length < 32 ? "is not a checkpoint" : "is cut off")) << length;
  }
}

TEST_F(CheckpointFile, OfANewerVersionOrOfSomethingElseIsRefused) {
  write("content");
  auto newer = bytes();
  newer[8] = 2;  // the version follows eight letters
  replace(newer);
  EXPECT_THAT(refusal(), HasSubstr("is a checkpoint of format 2; this program reads format 1"));
  replace("\x89HDF\r\n and so on, and so on, and so on, and so on");
  EXPECT_THAT(refusal(), HasSubstr("is not a checkpoint"));
  std::filesystem::remove(path);
  EXPECT_THAT(refusal(), HasSubstr("there is no such file"));
}

TEST_F(CheckpointFile, KeepsTheOneBeforeUnderItsSecondName) {
  write("first");
  write("second", previous);
  EXPECT_EQ(CheckpointReader{path}.part("content"), "second");
  EXPECT_EQ(CheckpointReader{previous}.part("content"), "first");
  write("third", previous);
  EXPECT_EQ(CheckpointReader{previous}.part("content"), "second");
}

TEST_F(CheckpointFile, ThatIsNotPublishedLeavesTheOneBefore) {
  write("first");
  { CheckpointWriter{path}.add("content", "second"); }
  EXPECT_EQ(CheckpointReader{path}.part("content"), "first");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{directory}, {}), 1);
}

TEST_F(CheckpointFile, OnAFullDiskSaysSoAndLeavesTheOneBefore) {
  write("first");
  std::filesystem::create_symlink("/dev/full", path.string() + ".part");
  try {
    write("second");
    FAIL() << "a full disk was written to";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot be written: No space left on device"));
  }
  EXPECT_EQ(CheckpointReader{path}.part("content"), "first");
}

}  // namespace
}  // namespace ouro::engine
