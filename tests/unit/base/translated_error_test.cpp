#include "w2w/base/translated_error.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <system_error>

#include "support/temporary_folder.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

template <typename Body>
Error caught(Body body) {
  try {
    body();
  } catch (...) {
    return translated_current_exception();
  }
  return {ErrorKind::usage, "nothing was thrown"};
}

void expect(const Error& error, ErrorKind kind, const std::string& message) {
  EXPECT_EQ(error.exit_code(), static_cast<int>(kind)) << error.what();
  EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  EXPECT_EQ(std::string(error.what()).find("internal error"), std::string::npos) << error.what();
}

TEST(Translated, OursStayAsTheyAre) {
  const auto error = caught([] { throw Error(ErrorKind::malformed, "what", "next"); });
  expect(error, ErrorKind::malformed, "what");
  EXPECT_EQ(error.hint(), "next");
}

TEST(Translated, PathsAreNamedWithTheSystemsReason) {
  TemporaryFolder folder;
  fs::create_symlink("loop", folder / "loop");
  std::ofstream(folder / "file") << "x";
  expect(caught([&] { (void)fs::exists(folder / "loop"); }), ErrorKind::failure,
         "(" + (folder / "loop").string() + "): Too many levels of symbolic links");
  expect(caught([&] { (void)fs::exists(folder / std::string(300, 'n')); }), ErrorKind::failure,
         "File name too long");
  expect(caught([&] { (void)fs::file_size(folder / "none"); }), ErrorKind::not_found,
         "no such file or folder (" + (folder / "none").string() + ")");
  expect(caught([&] { (void)fs::directory_iterator(folder / "file" / "x"); }), ErrorKind::not_found,
         "a part of the path is a file");
  expect(caught([&] { fs::create_directories(folder / "file" / "x"); }), ErrorKind::not_found,
         (folder / "file").string());
}

TEST(Translated, MemoryAndThreadsThatALimitRefused) {
  expect(caught([] { throw std::bad_alloc(); }), ErrorKind::out_of_memory, "out of memory");
#ifndef __SANITIZE_ADDRESS__  // which ends the program there
  expect(caught([] { (void)std::vector<char>(size_t{1} << 62); }), ErrorKind::out_of_memory, "out of memory");
#endif
  expect(caught([] {
           throw std::system_error(EAGAIN, std::generic_category(), "Resource temporarily unavailable");
         }),
         ErrorKind::out_of_memory, "cannot start another thread");
  expect(
      caught([] { throw fs::filesystem_error("x", "p", std::error_code(ENOMEM, std::generic_category())); }),
      ErrorKind::out_of_memory, "(p)");
  // As LibTorch's CPU allocator and oneDNN word it.
  for (const char* text :
       {"[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 8 bytes. Error code 12 (Cannot allocate memory)",
        "could not create a primitive", "could not execute a primitive"}) {
    expect(caught([&] { throw std::runtime_error(text); }), ErrorKind::out_of_memory, "out of memory");
  }
}

TEST(Translated, ADeviceTellsWhatIsFree) {
  const auto error = caught([] {
    throw c10::OutOfMemoryError(
        {__func__, __FILE__, __LINE__},
        "CUDA out of memory. Tried to allocate 2.00 GiB. 10.62 MiB is free. Set X=1\nmore");
  });
  EXPECT_EQ(error.exit_code(), 5);
  EXPECT_EQ(std::string(error.what()), "CUDA out of memory. Tried to allocate 2.00 GiB. 10.62 MiB is free");
}

TEST(Translated, WhatIsLeftIsABug) {
  for (const auto& error : {caught([] { throw 7; }), caught([] { throw std::out_of_range("at"); }),
                            caught([] { TORCH_CHECK(false, "sizes"); })}) {
    EXPECT_EQ(error.exit_code(), 1);
    EXPECT_EQ(std::string(error.what()).rfind("internal error: ", 0), 0u) << error.what();
    EXPECT_NE(error.hint().find("report it"), std::string::npos);
  }
}

}  // namespace
}  // namespace w2w
