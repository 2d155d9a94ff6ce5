#include <gtest/gtest.h>
#include <mpi.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "engine/error.hpp"
#include "engine/results_diff.hpp"
#include "engine/results_file.hpp"
#include "engine/results_reader.hpp"
#include "tests/engine/shared_directory.hpp"

namespace ouro::tests {
namespace {

using namespace engine;

using Sentences = std::vector<std::string>;

/// Each rank works on files of its own: reading and comparing need no MPI.
class ResultsDiff : public ::testing::Test {
 protected:
  using Content = std::function<void(ResultsFile&)>;

  SharedDirectory directory{MPI_COMM_SELF};
  std::filesystem::path path_a = directory / "a.h5";
  std::filesystem::path path_b = directory / "b.h5";

  static void write(const std::filesystem::path& path, const Content& content) {
    ResultsFile file{path, MPI_COMM_SELF, Overwrite::allow};
    content(file);
    file.commit();
  }

  Sentences compare(const Content& content_a, const Content& content_b,
                    const DiffOptions& options = {}) const {
    write(path_a, content_a);
    write(path_b, content_b);
    return compare_results(ResultsReader{path_a}, ResultsReader{path_b}, options);
  }

  /// The sentence with A and B for the names of the files.
  std::string with_names(std::string sentence) const {
    for (const auto& [letter, path] : {std::pair{" A", path_a}, std::pair{" B", path_b}}) {
      for (auto at = sentence.find(letter); at != std::string::npos; at = sentence.find(letter, at + 2)) {
        sentence.replace(at, 2, " " + path.string());
      }
    }
    return sentence;
  }

  static Content grid(const std::vector<std::int64_t>& values, std::size_t rows, std::size_t columns,
                      const std::string& unit = "ps") {
    return [=](ResultsFile& file) {
      file.write<std::int64_t>({"/x/y", unit, ""}, values, 0, rows, {columns});
    };
  }

  static Content reals(const std::vector<double>& values) {
    return [=](ResultsFile& file) { file.write<double>({"/x", "1", ""}, values, 0, values.size()); };
  }

  static std::string refusal(const std::filesystem::path& path) {
    try {
      ResultsReader{path};
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }
};

TEST_F(ResultsDiff, EqualFilesAgree) {
  EXPECT_EQ(compare(grid({1, 2, 3, 4, 5, 6}, 3, 2), grid({1, 2, 3, 4, 5, 6}, 3, 2)), Sentences{});
}

TEST_F(ResultsDiff, NamesTheFirstIndexAndBothValuesWithTheirUnit) {
  EXPECT_EQ(compare(grid({1, 2, 3, 4, 5, 6}, 3, 2), grid({1, 2, 3, 40, 5, 60}, 3, 2)),
            Sentences{with_names("'/x/y' differs in 2 of 6 values, first at [1, 1]: 4 ps in A, 40 ps in B")});
}

TEST_F(ResultsDiff, ATransposedDatasetDiffers) {
  EXPECT_EQ(compare(grid({1, 2, 3, 4, 5, 6}, 3, 2), grid({1, 2, 3, 4, 5, 6}, 2, 3)),
            Sentences{with_names("'/x/y' has shape 3 x 2 in A, shape 2 x 3 in B")});
}

TEST_F(ResultsDiff, UnitsAndTypesMatter) {
  EXPECT_EQ(compare(grid({1}, 1, 1, "ps"), grid({1}, 1, 1, "ns")),
            Sentences{with_names("'/x/y' has unit 'ps' in A, unit 'ns' in B")});
  const auto unsigned_grid = [](ResultsFile& file) {
    file.write<std::uint32_t>({"/x/y", "ps", ""}, std::vector<std::uint32_t>{1}, 0, 1, {1});
  };
  EXPECT_EQ(compare(grid({1}, 1, 1), unsigned_grid),
            Sentences{with_names("'/x/y' has int64 in A, uint32 in B")});
}

TEST_F(ResultsDiff, SaysWhichFileLacksADataset) {
  const Content nothing = [](ResultsFile&) {};
  EXPECT_EQ(compare(grid({1}, 1, 1), nothing), Sentences{with_names("'/x/y' is only in A")});
  EXPECT_EQ(compare(nothing, grid({1}, 1, 1)), Sentences{with_names("'/x/y' is only in B")});
}

TEST_F(ResultsDiff, EveryBitOfARealCounts) {
  EXPECT_EQ(compare(reals({0.1, NAN, INFINITY}), reals({0.1, NAN, INFINITY})), Sentences{});
  const auto next = std::nextafter(0.1, 1.0);
  EXPECT_EQ(compare(reals({0.1}), reals({next})),
            Sentences{with_names("'/x' differs in 1 of 1 values, first at [0]: 0.1 in A, "
                                 "0.10000000000000002 in B")});
  EXPECT_EQ(compare(reals({0.0}), reals({-0.0})).size(), 1U);
}

TEST_F(ResultsDiff, ComparesTextsAndAttributes) {
  const auto content = [](const std::string& text, std::int64_t seed) -> Content {
    return [=](ResultsFile& file) {
      file.write_string({"/config", "1", ""}, text);
      file.set_attribute("/", "seed", seed);
    };
  };
  EXPECT_EQ(compare(content("a", 1), content("b", 2)),
            (Sentences{with_names("attribute 'seed' is 1 in A, 2 in B"),
                       with_names("'/config' differs in 1 of 1 values, first at []: 'a' in A, 'b' in B")}));
  EXPECT_EQ(compare(content("a", 1), content("a", 2), {.ignored_attributes = {"seed"}}), Sentences{});
}

TEST_F(ResultsDiff, ComparesTheAttributesOfGroupsThatCount) {
  const auto content = [](const char* group, std::int64_t pages) -> Content {
    return [=](ResultsFile& file) { file.set_attribute(group, "pages", pages); };
  };
  EXPECT_EQ(compare(content("/kv", 4), content("/kv", 8)),
            Sentences{with_names("attribute 'pages' of '/kv' is 4 in A, 8 in B")});
  EXPECT_EQ(compare(content("/kv", 4), content("/other", 4)),
            (Sentences{with_names("attribute 'pages' of '/kv' is only in A"),
                       with_names("attribute 'pages' of '/other' is only in B")}));
  EXPECT_EQ(compare(content("/engine", 4), content("/engine", 8)), Sentences{});
}

TEST_F(ResultsDiff, ThePerformanceOfTheSimulatorMayDiffer) {
  const auto content = [](double seconds) -> Content {
    return [=](ResultsFile& file) {
      file.write<double>({"/engine/wall", "s", ""}, std::vector<double>{seconds}, 0, 1);
      file.write<double>({"/engines", "1", ""}, std::vector<double>{seconds}, 0, 1);  // another group
    };
  };
  const auto sentences = compare(content(1), content(2));
  ASSERT_EQ(sentences.size(), 1U);
  EXPECT_TRUE(sentences[0].starts_with("'/engines'"));
  EXPECT_EQ(compare(content(1), content(2), {.ignored_groups = {}}).size(), 2U);
}

TEST_F(ResultsDiff, GivesAtMostAsManySentencesAsAskedInTheOrderOfPaths) {
  const auto content = [](std::int32_t value) -> Content {
    return [=](ResultsFile& file) {
      for (const auto* path : {"/c", "/a", "/b"}) {
        file.append<std::int32_t>({path, "1", ""}, std::vector<std::int32_t>{value});
      }
    };
  };
  const auto sentences = compare(content(1), content(2), {.at_most = 2});
  ASSERT_EQ(sentences.size(), 2U);
  EXPECT_TRUE(sentences[0].starts_with("'/a'"));
  EXPECT_TRUE(sentences[1].starts_with("'/b'"));
}

TEST_F(ResultsDiff, TheReaderDescribesEachDataset) {
  write(path_a, grid({1, 2, 3, 4, 5, 6}, 3, 2, "flit"));
  const ResultsReader reader{path_a};
  ASSERT_EQ(reader.datasets().size(), 1U);
  EXPECT_EQ(reader.datasets()[0].path, "/x/y");
  EXPECT_EQ(reader.datasets()[0].type, ElementType::int64);
  EXPECT_EQ(reader.datasets()[0].shape, (std::vector<std::size_t>{3, 2}));
  EXPECT_EQ(reader.datasets()[0].unit, "flit");
  EXPECT_THROW(reader.read<double>("/none"), InputError);
  EXPECT_THROW(reader.read_texts("/x/y"), InputError);
}

TEST_F(ResultsDiff, RefusesWhatIsNoResultsFile) {
  EXPECT_EQ(refusal(path_a), path_a.string() + ": there is no such file");
  EXPECT_EQ(refusal(path_a.parent_path()),
            path_a.parent_path().string() + ": is a directory; a results file is needed");
  std::ofstream{path_a} << "seed = 1\n";
  EXPECT_EQ(refusal(path_a),
            path_a.string() + ": is not an HDF5 file, or its start is damaged; a results file is needed");
}

TEST_F(ResultsDiff, RefusesATruncatedFile) {
  write(path_a, grid(std::vector<std::int64_t>(2000, 7), 1000, 2));
  std::filesystem::resize_file(path_a, std::filesystem::file_size(path_a) - 1);
  EXPECT_TRUE(refusal(path_a).starts_with(path_a.string() + ": cannot open it: truncated file"))
      << refusal(path_a);
}

TEST_F(ResultsDiff, RefusesForeignHdf5FilesAndOtherVersions) {
  write(path_a, [](ResultsFile& file) { file.set_attribute("/", kSchemaAttribute, std::string{"other"}); });
  EXPECT_EQ(refusal(path_a), path_a.string() + ": is an HDF5 file, but not a results file of this program");
  write(path_a,
        [](ResultsFile& file) { file.set_attribute("/", kSchemaVersionAttribute, kSchemaVersion + 1); });
  EXPECT_EQ(refusal(path_a), path_a.string() + ": has another schema version; this program reads 1");
}

}  // namespace
}  // namespace ouro::tests
