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
  CheckpointFile() { std::filesystem::create_directories(directory_); }
  ~CheckpointFile() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& content, const std::filesystem::path& previous = {}) const {
    CheckpointWriter writer{path_};
    writer.add("empty", "");
    writer.add("content", content);
    writer.publish(previous);
  }
  std::string bytes() const {
    std::ifstream file{path_, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  void replace(const std::string& bytes) const { std::ofstream{path_, std::ios::binary} << bytes; }

  std::string refusal() const {
    try {
      check_checkpoint(path_);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }

  std::filesystem::path directory_ = std::filesystem::path{::testing::TempDir()} /
                                     ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::filesystem::path path_ = directory_ / "a.checkpoint";
  std::filesystem::path previous_ = directory_ / "a.checkpoint.old";
};

TEST_F(CheckpointFile, GivesItsPartsBack) {
  write(std::string(100'000, 'x'));
  check_checkpoint(path_);
  CheckpointReader reader{path_};
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
  std::filesystem::remove(path_);
  EXPECT_THAT(refusal(), HasSubstr("there is no such file"));
}

TEST_F(CheckpointFile, KeepsTheOneBeforeUnderItsSecondName) {
  write("first");
  write("second", previous_);
  EXPECT_EQ(CheckpointReader{path_}.part("content"), "second");
  EXPECT_EQ(CheckpointReader{previous_}.part("content"), "first");
  write("third", previous_);
  EXPECT_EQ(CheckpointReader{previous_}.part("content"), "second");
}

TEST_F(CheckpointFile, ThatIsNotPublishedLeavesTheOneBefore) {
  write("first");
  { CheckpointWriter{path_}.add("content", "second"); }
  EXPECT_EQ(CheckpointReader{path_}.part("content"), "first");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{directory_}, {}), 1);
}

TEST_F(CheckpointFile, OnAFullDiskSaysSoAndLeavesTheOneBefore) {
  write("first");
  std::filesystem::create_symlink("/dev/full", path_.string() + ".part");
  try {
    write("second");
    FAIL() << "a full disk was written to";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot be written: No space left on device"));
  }
  EXPECT_EQ(CheckpointReader{path_}.part("content"), "first");
}

}  // namespace
}  // namespace ouro::engine
