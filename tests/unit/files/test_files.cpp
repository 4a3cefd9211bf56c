// Reading and writing beneath all files: whole or not at all, or straight where a path is no regular file.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <thread>

#include "relufit/files.h"
#include "support/io_helpers.h"

namespace relufit {
namespace {

using testing_io::expect_one_line_with;
using testing_io::message_of;
using FilesTest = testing_io::FileTest;

TEST_F(FilesTest, ReplacesTheContentAndKeepsThePermissions) {
  const std::string file = write("out.txt", "old");
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  write_file(file, "new");
  EXPECT_EQ(read(file), "new");
  struct stat status = {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
  write_file(file, "");
  EXPECT_EQ(read(file), "");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FilesTest, NewFilesObeyTheUmask) {
  const mode_t before = ::umask(027);
  write_file(path("out.txt"), "x");
  ::umask(before);
  struct stat status = {};
  ASSERT_EQ(::stat(path("out.txt").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
}

TEST_F(FilesTest, FollowsLinks) {
  const std::string file = write("real.txt", "old");
  std::filesystem::create_symlink(file, path("link.txt"));
  std::filesystem::create_directory(path("folder"));
  std::filesystem::create_symlink("../link.txt", path("folder/chain.txt"));
  for (const std::string link : {"link.txt", "folder/chain.txt"}) {
    write_file(path(link), link);
    EXPECT_TRUE(std::filesystem::is_symlink(path(link)));
    EXPECT_EQ(read(file), link);
  }
  std::filesystem::create_symlink("loop.txt", path("loop.txt"));
  expect_one_line_with(message_of<std::runtime_error>([&] { write_file(path("loop.txt"), ""); }),
                       {"loop.txt: cannot be written: Too many levels of symbolic links"});
}

TEST_F(FilesTest, MakesTheFileThatADanglingLinkNames) {
  std::filesystem::create_symlink("real.txt", path("link.txt"));
  check_output(path("link.txt"));
  EXPECT_FALSE(std::filesystem::exists(path("real.txt")));
  write_file(path("link.txt"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(path("link.txt")));
  EXPECT_EQ(read(path("real.txt")), "new");
  std::filesystem::create_symlink("none/real.txt", path("lost.txt"));
  expect_one_line_with(message_of<std::invalid_argument>([&] { check_output(path("lost.txt")); }),
                       {"lost.txt: the folder '", "none' does not exist"});
}

TEST_F(FilesTest, TakesEveryNameThatTheFileSystemTakes) {
  const std::string longest(255, 'x');
  check_output(path(longest));
  write_file(path(longest), "new");
  EXPECT_EQ(read(path(longest)), "new");
  EXPECT_EQ(files(), 1u);
  expect_one_line_with(message_of<std::invalid_argument>([&] { check_output(path(longest + "x")); }),
                       {": cannot be written: File name too long"});
}

TEST_F(FilesTest, WritesIntoOpenFilesBehindWhatIsThere) {
  const int descriptor = ::open(path("log.txt").c_str(), O_WRONLY | O_CREAT, 0644);
  ASSERT_EQ(::write(descriptor, "before ", 7), 7);
  for (const char* folder : {"/dev/fd/{}", "/proc/self/fd/{}"}) {
    const std::string name = fmt::format(fmt::runtime(folder), descriptor);
    check_output(name);
    write_file(name, "there ");
    EXPECT_TRUE(is_same_file(name, path("log.txt")));
  }
  std::filesystem::create_symlink(fmt::format("/dev/fd/{}", descriptor), path("link"));
  write_file(path("link"), "too ");
  ASSERT_EQ(::write(descriptor, "after", 5), 5);
  ::close(descriptor);
  EXPECT_EQ(read(path("log.txt")), "before there there too after");
  const auto closed = [&] { check_output(fmt::format("/dev/fd/{}", descriptor)); };
  expect_one_line_with(message_of<std::invalid_argument>(closed), {"cannot be written: Bad file descriptor"});
}

TEST_F(FilesTest, WritesAndReadsPipes) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  const std::string content(300000, 'x');  // more than a pipe holds: the writer has to wait
  std::string seen;
  std::thread reader([&] { seen = read_file(fmt::format("/dev/fd/{}", ends[0])); });
  write_file(fmt::format("/dev/fd/{}", ends[1]), content);
  ::close(ends[1]);
  reader.join();
  EXPECT_EQ(seen, content);
  const auto onto_the_wrong_end = [&] { check_output(fmt::format("/dev/fd/{}", ends[0])); };
  expect_one_line_with(message_of<std::invalid_argument>(onto_the_wrong_end), {"Bad file descriptor"});
  ::close(ends[0]);
}

TEST_F(FilesTest, TellsFilesApart) {
  const std::string file = write("real.txt", "");
  std::filesystem::create_symlink("real.txt", path("link.txt"));
  std::filesystem::create_hard_link(file, path("hard.txt"));
  std::filesystem::create_symlink("new.txt", path("dangling.txt"));
  write("other.txt", "");
  for (const char* name : {"real.txt", "./real.txt", "link.txt", "hard.txt"}) {
    EXPECT_TRUE(is_same_file(path(name), file)) << name;
  }
  EXPECT_TRUE(is_same_file(path("new.txt"), path("./new.txt")));
  EXPECT_TRUE(is_same_file(path("new.txt"), path("dangling.txt")));
  for (const char* name : {"other.txt", "new.txt", "none/real.txt", ""}) {
    EXPECT_FALSE(is_same_file(path(name), file)) << name;
  }
  // What goes to a device is not lost there by another one.
  EXPECT_FALSE(is_same_file("/dev/null", "/dev/null"));
}

TEST_F(FilesTest, ChecksLeaveFilesAsTheyAre) {
  const std::string file = write("real.txt", "old");
  check_output(file);
  check_output(path("new.txt"));
  check_output("/dev/null");
  EXPECT_EQ(read(file), "old");
  EXPECT_EQ(files(), 1u);
  const auto refusal = [](const std::string& target) {
    return message_of<std::invalid_argument>([&] { check_output(target); });
  };
  EXPECT_EQ(refusal(""), "'': cannot be written: No such file or directory");
  EXPECT_EQ(refusal(folder_.string()), folder_.string() + ": is a folder, expected a file");
  EXPECT_EQ(refusal(file + "/x"), file + "/x: cannot be written: Not a directory");
  EXPECT_EQ(refusal(path("none/x")), path("none/x") + ": the folder '" + path("none") + "' does not exist");
}

TEST_F(FilesTest, SurvivesALeftOverTemporary) {
  write(fmt::format(".relufit-{}-0", ::getpid()), "left over");
  write_file(path("out.txt"), "new");
  EXPECT_EQ(read(path("out.txt")), "new");
  EXPECT_EQ(files(), 2u);
}

TEST_F(FilesTest, LeavesNothingBehindOnFailure) {
  const std::string file = write("out.csv", "old");
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message =
      message_of<std::runtime_error>([&] { write_csv(file, {"a"}, Matrix::Constant(1000, 1, 0.1)); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  expect_one_line_with(message, {file + ": cannot be written: File too large"});
  EXPECT_EQ(read(file), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FilesTest, NamesThePathThatCannotBeWritten) {
  const auto write_to = [](const std::string& target) {
    return message_of<std::runtime_error>([&] { write_csv(target, {"a"}, Matrix::Zero(1, 1)); });
  };
  expect_one_line_with(write_to(path("none/out.csv")), {path("none/out.csv") + ": cannot be written: No such file"});
  expect_one_line_with(write_to(folder_.string()), {folder_.string() + ": cannot be written: Is a directory"});
  expect_one_line_with(write_to(""), {": cannot be written: "});
  expect_one_line_with(write_to("/dev/full"), {"/dev/full: cannot be written: No space left"});
  EXPECT_EQ(files(), 0u);
  write_file("/dev/null", "devices are written, not replaced");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace relufit
