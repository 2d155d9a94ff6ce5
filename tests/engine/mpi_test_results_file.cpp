#include <fmt/format.h>
#include <gtest/gtest.h>
#include <mpi.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <optional>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/results_file.hpp"
#include "engine/results_reader.hpp"
#include "tests/engine/shared_directory.hpp"
#include "tests/mpi_ranks.hpp"

namespace ouro::tests {
namespace {

using namespace engine;

template <class Action>
std::string refusal_of(const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

/// What h5py prints of the file; the same on all ranks. Collective.
std::string as_h5py_reads(MPI_Comm comm, const std::filesystem::path& path) {
  std::string text;
  if (mpi_rank(comm) == 0) {
    const auto script = std::filesystem::path{__FILE__}.parent_path() / "read_results.py";
    const auto command = fmt::format("/usr/bin/python3 '{}' '{}' 2>&1", script.string(), path.string());
    FILE* pipe = ::popen(command.c_str(), "r");
    for (int character = std::fgetc(pipe); character != EOF; character = std::fgetc(pipe)) {
      text += static_cast<char>(character);
    }
    ::pclose(pipe);
  }
  auto length = static_cast<int>(text.size());
  MPI_Bcast(&length, 1, MPI_INT, 0, comm);
  text.resize(static_cast<std::size_t>(length));
  MPI_Bcast(text.data(), length, MPI_CHAR, 0, comm);
  return text;
}

class ResultsFileOnRanks : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (!ranks_of_case) GTEST_SKIP() << "this rank sits the case out";
  }

  std::optional<OwnedCommunicator> ranks_of_case = first_ranks(GetParam());
  MPI_Comm comm = ranks_of_case ? MPI_Comm{*ranks_of_case} : MPI_COMM_SELF;
  std::size_t rank = static_cast<std::size_t>(mpi_rank(comm));
  std::size_t ranks = static_cast<std::size_t>(mpi_size(comm));
  SharedDirectory directory{comm};
  std::filesystem::path path = directory / "run.h5";

  /// Row r of two columns is 10 r, 10 r + 1.
  static std::vector<std::int64_t> two_columns(const std::vector<std::size_t>& rows) {
    std::vector<std::int64_t> values;
    for (const auto row : rows) {
      values.insert(values.end(),
                    {static_cast<std::int64_t>(10 * row), static_cast<std::int64_t>(10 * row + 1)});
    }
    return values;
  }

  static std::vector<std::size_t> first_rows(std::size_t count) {
    std::vector<std::size_t> rows(count);
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
  }

  /// The rows that are this rank's if they are dealt out like cards.
  std::vector<std::size_t> dealt_rows(std::size_t total) const {
    std::vector<std::size_t> rows;
    for (std::size_t row = rank; row < total; row += ranks) rows.push_back(row);
    return rows;
  }

  bool exists(const std::string& name) const {
    MPI_Barrier(comm);
    const bool answer = std::filesystem::exists(directory / name);
    MPI_Barrier(comm);
    return answer;
  }
};

TEST_P(ResultsFileOnRanks, H5pyReadsEveryKindOfDatasetWithItsShape) {
  ResultsFile file{path, comm, Overwrite::refuse};
  file.set_attribute("/", "seed", std::int64_t{7});
  file.set_attribute("/energy", "scale", 0.5);
  file.set_attribute("/", "chip", std::string{"Zürich µ"});
  const auto mine = rank == 0 ? two_columns({0, 1, 2}) : std::vector<std::int64_t>{};
  file.write<std::int64_t>({"/noc/busy", "flit", "row, column"}, mine, 0, 3, {2});
  const std::vector<double> energy(rank == 0 ? 1 : 0, 0.1);
  file.write<double>({"/energy/total", "J", "all of it"}, energy, 0, 1);
  file.write_string({"/config", "1", "as TOML"}, "a = \"µ\"\n");
  file.write_strings({"/energy/names", "1", "components"}, {"link", "Größe", ""});
  file.commit();

  EXPECT_EQ(as_h5py_reads(comm, path), R"(/@chip = 'Zürich µ'
/@schema = 'ouroboros-results'
/@schema_version = 1
/@seed = 7
/config@meaning = 'as TOML'
/config@unit = '1'
/config scalar text 'a = "µ"\n'
/energy@scale = 0.5
/energy/names@meaning = 'components'
/energy/names@unit = '1'
/energy/names 3 text ['link', 'Größe', '']
/energy/total@meaning = 'all of it'
/energy/total@unit = 'J'
/energy/total 1 float64 [0.1]
/noc/busy@meaning = 'row, column'
/noc/busy@unit = 'flit'
/noc/busy 3x2 int64 [[0, 1], [10, 11], [20, 21]]
)");
}

TEST_P(ResultsFileOnRanks, EachRankWritesItsOwnRowsOfALargeDataset) {
  constexpr std::size_t kTotal = 40'001;  // compressed, in several blocks, uneven
  const std::size_t first = kTotal * rank / ranks;
  const std::size_t end = kTotal * (rank + 1) / ranks;
  std::vector<std::size_t> rows(end - first);
  std::iota(rows.begin(), rows.end(), first);
  ResultsFile file{path, comm, Overwrite::refuse};
  file.write<std::int64_t>({"/x", "1", ""}, two_columns(rows), first, kTotal, {2});
  file.commit();

  const ResultsReader reader{path};
  EXPECT_EQ(reader.find("/x")->shape, (std::vector<std::size_t>{kTotal, 2}));
  EXPECT_EQ(reader.read<std::int64_t>("/x"), two_columns(first_rows(kTotal)));
  EXPECT_LT(std::filesystem::file_size(path), kTotal * 2 * sizeof(std::int64_t) / 2);
}

TEST_P(ResultsFileOnRanks, RanksMayHaveNoRows) {
  constexpr std::size_t kTotal = 20'000;
  const bool has_all = rank == ranks - 1;
  ResultsFile file{path, comm, Overwrite::refuse};
  file.write<std::int64_t>({"/x", "1", ""}, has_all ? two_columns(first_rows(kTotal)) : two_columns({}), 0,
                           kTotal, {2});
  file.write<std::uint8_t>({"/none", "1", ""}, {}, 0, 0);
  file.commit();

  const ResultsReader reader{path};
  EXPECT_EQ(reader.read<std::int64_t>("/x"), two_columns(first_rows(kTotal)));
  EXPECT_EQ(reader.find("/none")->shape, std::vector<std::size_t>{0});
}

TEST_P(ResultsFileOnRanks, ScatteredRowsLandAtTheirIndices) {
  ResultsFile file{path, comm, Overwrite::refuse};
  for (const std::size_t total : {0, 1, 5, 14'000}) {
    const auto rows = dealt_rows(total);
    file.write_scattered<std::int64_t>({fmt::format("/x{}", total), "1", ""}, two_columns(rows), rows, total,
                                       {2});
  }
  file.commit();

  const ResultsReader reader{path};
  for (const std::size_t total : {0, 1, 5, 14'000}) {
    EXPECT_EQ(reader.read<std::int64_t>(fmt::format("/x{}", total)), two_columns(first_rows(total)));
  }
}

TEST_P(ResultsFileOnRanks, ScatteredRowsMustBeEachRowOnce) {
  ResultsFile file{path, comm, Overwrite::refuse};
  const auto write = [&](const std::vector<std::size_t>& rows, std::size_t total) {
    file.write_scattered<std::int64_t>({"/x", "1", ""}, two_columns(rows), rows, total, {2});
  };
  const bool is_last = rank == ranks - 1;  // one rank is wrong, all are told
  EXPECT_THROW(write(is_last ? std::vector<std::size_t>{2, 1, 0} : std::vector<std::size_t>{}, 3),
               ContractError);
  EXPECT_THROW(write(is_last ? std::vector<std::size_t>{0, 1, 3} : std::vector<std::size_t>{}, 3),
               ContractError);
  EXPECT_THROW(write(is_last ? std::vector<std::size_t>{0, 1} : std::vector<std::size_t>{}, 3),
               ContractError);
  EXPECT_THROW(write({0}, ranks + 1), ContractError);  // twice or more, or one is missing
}

TEST_P(ResultsFileOnRanks, AppendedElementsAreInTheOrderOfCallsAndRanks) {
  ResultsFile file{path, comm, Overwrite::refuse};
  const Column column{"/done", "ps", "when"};
  std::vector<std::int64_t> expected;
  for (std::size_t call = 0; call < 4; ++call) {
    const auto elements_of = [&](std::size_t from) {  // none, then more and more than a block
      return std::vector<std::int64_t>(call * (from + 1) * 3000, static_cast<std::int64_t>(10 * call + from));
    };
    file.append<std::int64_t>(column, elements_of(rank));
    for (std::size_t from = 0; from < ranks; ++from) {
      const auto elements = elements_of(from);
      expected.insert(expected.end(), elements.begin(), elements.end());
    }
  }
  file.commit();
  EXPECT_EQ(ResultsReader{path}.read<std::int64_t>("/done"), expected);
}

TEST_P(ResultsFileOnRanks, OneRankAloneMayAppend) {
  ResultsFile file{path, comm, Overwrite::refuse};
  for (std::uint32_t i = 0; i < 3; ++i) {
    const std::vector<std::uint32_t> elements(rank == 0 ? 2 : 0, i);
    file.append<std::uint32_t>({"/x", "1", ""}, elements);
  }
  file.append<double>({"/never", "1", ""}, {});
  file.commit();
  const ResultsReader reader{path};
  EXPECT_EQ(reader.read<std::uint32_t>("/x"), (std::vector<std::uint32_t>{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(reader.find("/never")->shape, std::vector<std::size_t>{0});
}

TEST_P(ResultsFileOnRanks, EqualRunsGiveEqualFiles) {
  const auto bytes_of_run = [&](const std::string& name) {
    ResultsFile file{directory / name, comm, Overwrite::refuse};
    file.append<std::int64_t>({"/x", "1", ""}, two_columns(dealt_rows(9000)));
    file.set_attribute("/", "digest", std::string{"12"});
    file.commit();
    std::ifstream stream{directory / name, std::ios::binary};
    return std::string{std::istreambuf_iterator<char>{stream}, {}};
  };
  EXPECT_EQ(bytes_of_run("a.h5"), bytes_of_run("b.h5"));
}

TEST_P(ResultsFileOnRanks, AnAttributeCanBeReplaced) {
  ResultsFile file{path, comm, Overwrite::refuse};
  file.set_attribute("/", "digest", std::string{"none"});
  file.set_attribute("/", "digest", std::string(100'000, 'd'));  // more than the 64 KiB of a plain attribute
  file.commit();
  EXPECT_EQ(ResultsReader{path}.attributes().at("/").at("digest"), AttributeValue{std::string(100'000, 'd')});
}

TEST_P(ResultsFileOnRanks, AContradictionIsOurError) {
  ResultsFile file{path, comm, Overwrite::refuse};
  const std::vector<std::int64_t> three(3);
  EXPECT_THROW(file.write<std::int64_t>({"/a", "1", ""}, three, 0, 3, {2}), ContractError);
  EXPECT_THROW(file.write<std::int64_t>({"/a", "1", ""}, three, 1, 3), ContractError);
  file.write_string({"/a", "1", ""}, "x");
  EXPECT_THROW(file.write_string({"/a", "1", ""}, "x"), ContractError);
}

TEST_P(ResultsFileOnRanks, TheFileHasItsNameOnlyOnceItIsWhole) {
  ResultsFile file{path, comm, Overwrite::refuse};
  file.write_string({"/a", "1", ""}, "x");
  EXPECT_FALSE(exists("run.h5"));
  file.commit();
  EXPECT_TRUE(exists("run.h5"));
  EXPECT_FALSE(exists("run.h5.part"));
}

TEST_P(ResultsFileOnRanks, AnExistingFileIsRefusedUnlessItMayBeReplaced) {
  if (rank == 0) std::ofstream{path} << "precious";
  MPI_Barrier(comm);
  EXPECT_EQ(refusal_of([&] {
              ResultsFile{path, comm, Overwrite::refuse};
            }),
            path.string() + ": already exists; --force overwrites it");
  EXPECT_FALSE(exists("run.h5.part"));

  ResultsFile file{path, comm, Overwrite::allow};
  EXPECT_EQ(std::filesystem::file_size(path), 8U);
  MPI_Barrier(comm);
  file.commit();
  EXPECT_TRUE(ResultsReader{path}.datasets().empty());
}

TEST_P(ResultsFileOnRanks, AFileThatAppearsDuringTheRunIsNotReplaced) {
  ResultsFile file{path, comm, Overwrite::refuse};
  if (rank == 0) std::ofstream{path} << "precious";
  EXPECT_EQ(refusal_of([&] { file.commit(); }), path.string() + ": already exists; --force overwrites it");
  EXPECT_EQ(std::filesystem::file_size(path), 8U);
  EXPECT_TRUE(ResultsReader{path.string() + ".part"}.datasets().empty());
}

TEST_P(ResultsFileOnRanks, APlaceThatCannotBeWrittenIsRefused) {
  const auto nowhere = directory / "no/run.h5";
  EXPECT_EQ(refusal_of([&] {
              ResultsFile{nowhere, comm, Overwrite::refuse};
            }),
            fmt::format("{}: there is no directory '{}'", nowhere.string(), nowhere.parent_path().string()));
  const auto parent = path.parent_path();
  EXPECT_EQ(refusal_of([&] {
              ResultsFile{parent, comm, Overwrite::allow};
            }),
            parent.string() + ": is a directory; the name of a file is needed");
  const std::filesystem::path no_permission = "/proc/run.h5";  // where not even root may create a file
  EXPECT_TRUE(refusal_of([&] {
                ResultsFile{no_permission, comm, Overwrite::refuse};
              }).starts_with("/proc/run.h5: cannot be written: "));
}

TEST_P(ResultsFileOnRanks, ASecondRunWithTheSamePathIsRefusedAndHarmsNothing) {
  ResultsFile first{path, comm, Overwrite::allow};
  first.write_string({"/a", "1", ""}, "x");
  EXPECT_EQ(refusal_of([&] {
              ResultsFile{path, comm, Overwrite::allow};
            }),
            path.string() + ": another run is writing it; give each run its own output");
  first.commit();
  EXPECT_EQ(ResultsReader{path}.read_texts("/a"), std::vector<std::string>{"x"});
}

TEST_P(ResultsFileOnRanks, ARunThatEndsEarlyLeavesWhatItFlushed) {
  {
    ResultsFile file{path, comm, Overwrite::refuse};
    file.append<std::int64_t>({"/x", "1", ""}, std::vector<std::int64_t>{1});
  }
  EXPECT_FALSE(exists("run.h5.part"));
  {
    ResultsFile file{path, comm, Overwrite::refuse};
    file.append<std::int64_t>({"/x", "1", ""}, std::vector<std::int64_t>{1});
    file.flush();
  }
  EXPECT_TRUE(exists("run.h5.part"));
  EXPECT_EQ(ResultsReader{path.string() + ".part"}.read<std::int64_t>("/x").size(), ranks);
  MPI_Barrier(comm);

  ResultsFile next{path, comm, Overwrite::refuse};  // the leftover is not in the way
  next.commit();
  EXPECT_TRUE(ResultsReader{path}.datasets().empty());
}

TEST_P(ResultsFileOnRanks, WhatIsFlushedCanBeReadWhileTheRunGoesOn) {
  ResultsFile file{path, comm, Overwrite::refuse};
  file.append<std::int64_t>({"/x", "1", ""}, std::vector<std::int64_t>{5});
  file.flush();
  EXPECT_NE(as_h5py_reads(comm, path.string() + ".part").find("/x " + std::to_string(ranks) + " int64 [5"),
            std::string::npos);
  file.append<std::int64_t>({"/x", "1", ""}, std::vector<std::int64_t>{6});
  file.commit();
  EXPECT_EQ(ResultsReader{path}.read<std::int64_t>("/x").size(), 2 * ranks);
}

TEST_P(ResultsFileOnRanks, AnExceptionOnOneRankDoesNotWaitForTheOthers) {
  const bool is_first_to_fail = rank == ranks - 1;
  const auto run = [&] {
    ResultsFile file{path, comm, Overwrite::refuse};
    file.append<std::int64_t>({"/x", "1", ""}, std::vector<std::int64_t>{1});
    if (!is_first_to_fail) MPI_Barrier(comm);  // here until the other has left
    throw InputError{"", "a fault"};
  };
  EXPECT_EQ(refusal_of(run), "a fault");
  if (is_first_to_fail) MPI_Barrier(comm);
}

/// A disk with little room, as far as this process can tell.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = std::signal(SIGXFSZ, SIG_IGN);
};

TEST_P(ResultsFileOnRanks, AFullDiskIsAnErrorThatNamesTheFile) {
  std::vector<std::int64_t> values(1 << 19);  // 4 MiB that do not compress
  std::uint64_t random = 1;
  for (auto& value : values) value = static_cast<std::int64_t>(random = random * 6364136223846793005U + 1);
  const auto own = directory / fmt::format("own{}.h5", rank);
  const auto run = [&] {
    ResultsFile file{own, MPI_COMM_SELF, Overwrite::refuse};
    const SmallDisk disk{1 << 20};
    file.append<std::int64_t>({"/x", "1", ""}, values);
    file.commit();
  };
  EXPECT_TRUE(refusal_of(run).starts_with(own.string() + ".part: cannot ")) << refusal_of(run);
  EXPECT_FALSE(std::filesystem::exists(own));
}

INSTANTIATE_TEST_SUITE_P(Ranks, ResultsFileOnRanks, ::testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace ouro::tests
