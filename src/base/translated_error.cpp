#include "w2w/base/translated_error.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

namespace w2w {
namespace {

Error out_of_memory(const std::string& what) {
  return {ErrorKind::out_of_memory, what,
          "use a smaller picture, fewer pictures at once, or <dtype> bf16; `ulimit -v` and the job's memory "
          "limit show what the system allows"};
}

/// LibTorch tells what was asked for and what is free: "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0
/// has a total capacity of 79.11 GiB of which 10.62 MiB is free. ...". The rest is about its own settings.
Error out_of_device_memory(std::string what) {
  what.resize(std::min(what.find('\n'), what.size()));
  const std::string end = " is free.";
  if (const auto at = what.find(end); at != what.npos) what.resize(at + end.size() - 1);
  return {ErrorKind::out_of_memory, what,
          "use a smaller picture (<size>), <vae-tiling>, a smaller <batch> or <together>, <dtype> bf16, or "
          "<device> cpu"};
}

Error internal_error(const std::string& what) {
  return {ErrorKind::failure, "internal error: " + what,
          "this is a bug in w2w; please report it with the command that led here"};
}

/// Errors that have no type of their own. LibTorch's CPU allocator says the first two; oneDNN, which is asked
/// for operations that exist only, the others when it cannot allocate its code or its buffers.
bool says_out_of_memory(std::string_view what) {
  constexpr std::array<std::string_view, 7> texts = {
      "can't allocate memory",         "not enough memory",         "could not create a primitive",
      "could not execute a primitive", "could not create a memory", "could not create a descriptor",
      "could not append a post-op",
  };
  return std::any_of(texts.begin(), texts.end(), [&](auto text) { return what.find(text) != what.npos; });
}

bool is_system(const std::error_code& code) {
  return code.category() == std::generic_category() || code.category() == std::system_category();
}

Error path_error(const std::filesystem::filesystem_error& error) {
  const int number = is_system(error.code()) ? error.code().value() : 0;
  const auto path =
      error.path2().empty() ? error.path1().string() : error.path1().string() + ", " + error.path2().string();
  const auto where = path.empty() ? "" : " (" + path + ")";
  switch (number) {
    case ENOENT:
      return {ErrorKind::not_found, "no such file or folder" + where};
    case ENOTDIR:
      return {ErrorKind::not_found, "no such file or folder" + where + ": a part of the path is a file"};
    case ENOMEM:
      return out_of_memory("out of memory" + where);
    case EACCES:
    case EPERM:
      return {ErrorKind::failure, "cannot use file or folder" + where + ": " + std::strerror(number),
              "you need permission to enter every folder of this path: see ls -ld"};
    case ENOSPC:
    case EDQUOT:
      return {ErrorKind::failure, "cannot write" + where + ": " + std::strerror(number),
              "free some space, or choose another <output>"};
    default:
      return {ErrorKind::failure, "cannot use file or folder" + where + ": " + error.code().message()};
  }
}

/// Of threads, streams and locks.
Error system_error(const std::system_error& error) {
  if (!is_system(error.code())) return internal_error(error.what());
  const int number = error.code().value();
  if (number == ENOMEM) return out_of_memory("out of memory");
  if (number == EAGAIN) {
    return {ErrorKind::out_of_memory, "cannot start another thread: a memory or process limit was reached",
            "use fewer threads (<threads> 1); `ulimit -v` and `ulimit -u` show the limits"};
  }
  return {ErrorKind::failure, std::string("system error: ") + error.what()};
}

}  // namespace

Error translated(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) return *ours;
  if (const auto* device = dynamic_cast<const c10::OutOfMemoryError*>(&error))
    return out_of_device_memory(device->what_without_backtrace());
  if (dynamic_cast<const std::bad_alloc*>(&error) || says_out_of_memory(error.what()))
    return out_of_memory("out of memory");
  if (const auto* path = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    return path_error(*path);
  if (const auto* system = dynamic_cast<const std::system_error*>(&error)) return system_error(*system);
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error))
    return internal_error(torch->what_without_backtrace());
  return internal_error(error.what());
}

Error translated_current_exception() {
  try {
    throw;
  } catch (const std::exception& error) {
    return translated(error);
  } catch (...) {
    return internal_error("an exception of unknown type");
  }
}

}  // namespace w2w
