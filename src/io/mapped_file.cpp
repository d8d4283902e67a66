#include "w2w/io/mapped_file.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "w2w/base/error.h"
#include "w2w/base/read_file.h"
#include "w2w/io/page_access.h"

namespace w2w {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int error_number) {
  if (error_number == ENOMEM) throw std::bad_alloc();
  if (error_number == ENOENT || error_number == ENOTDIR)
    throw Error(ErrorKind::not_found, "no such file (" + path.string() + ")");
  throw Error(ErrorKind::failure, "cannot read file (" + path.string() + "): " + std::strerror(error_number));
}

/// One live mapping, or none while `begin` is null. Never freed, so that a signal handler can walk the list
/// while other threads map and unmap files.
struct Range {
  std::atomic<const char*> begin = nullptr;
  const char* end = nullptr;
  char* path = nullptr;
  Range* next = nullptr;
};
static_assert(std::atomic<const char*>::is_always_lock_free, "read by a signal handler");

std::atomic<Range*> first_range = nullptr;

/// Of every live mapping by its start, so that release_pages never touches memory that is not a file's.
struct Mappings {
  std::mutex mutex;
  std::map<const char*, Range*> live;
  std::vector<Range*> unused;

  void add(const char* begin, size_t size, const std::filesystem::path& path) {
    char* const copy = strdup(path.c_str());
    if (!copy) throw std::bad_alloc();
    const std::lock_guard lock(mutex);
    auto& range = live[begin];
    if (unused.empty()) {
      range = new Range;
      range->next = first_range.load();
      first_range.store(range);
    } else {
      range = unused.back();
      unused.pop_back();
    }
    range->end = begin + size;
    range->path = copy;
    range->begin.store(begin);
  }

  void remove(const char* begin) {
    const std::lock_guard lock(mutex);
    const auto found = live.find(begin);
    Range* range = found->second;
    range->begin.store(nullptr);
    std::free(std::exchange(range->path, nullptr));
    unused.push_back(range);
    live.erase(found);
  }
};

Mappings& mappings() {
  static auto* all = new Mappings;  // outlives every tensor
  return *all;
}

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
};

/// Of the whole pages that a contiguous view of a mapped file covers.
void advise(const at::Tensor& tensor, int advice) {
  const auto* begin = static_cast<const char*>(tensor.const_data_ptr());
  const auto* end = begin + tensor.nbytes();
  std::lock_guard lock(mappings().mutex);
  auto mapping = mappings().live.upper_bound(begin);
  if (mapping == mappings().live.begin() || end > (--mapping)->second->end) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const auto last = reinterpret_cast<uintptr_t>(end) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, advice);
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // Without O_NONBLOCK a FIFO would make the program wait for a writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (file.number < 0 || fstat(file.number, &status) != 0) fail(path, errno);
  if (!S_ISREG(status.st_mode)) {
    const char* found = S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe";
    throw Error(ErrorKind::malformed, "cannot read (" + path.string() + "): expected a file, found " + found,
                S_ISDIR(status.st_mode) ? "" : "this input is read more than once: save it to a file first");
  }
  const auto size = static_cast<size_t>(status.st_size);
  const char* data = nullptr;
  if (size > 0) {
    void* mapping = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.number, 0);
    if (mapping == MAP_FAILED) fail(path, errno);
    data = static_cast<const char*>(mapping);
    mappings().add(data, size, path);
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, data, size));
}

std::shared_ptr<const MappedFile> MappedFile::open_or_read(const std::filesystem::path& path,
                                                           const Run& run) {
  if (!is_stream(path)) return open(path);
  return std::shared_ptr<const MappedFile>(new MappedFile(path, read_file(path, run)));
}

MappedFile::~MappedFile() {
  if (!data_ || data_ == contents_.data()) return;
  mappings().remove(data_);
  munmap(const_cast<char*>(data_), size_);
}

const char* mapped_file_at(const void* address) noexcept {
  const auto* at = static_cast<const char*>(address);
  for (const Range* range = first_range.load(); range; range = range->next) {
    const char* begin = range->begin.load();
    if (begin && begin <= at && at < range->end) return range->path;
  }
  return nullptr;
}

void release_pages(const at::Tensor& tensor) { advise(tensor, MADV_DONTNEED); }

void expect_access(const at::Tensor& tensor, PageAccess access) {
  advise(tensor, access == PageAccess::scattered ? MADV_RANDOM : MADV_SEQUENTIAL);
}

std::optional<int64_t> checked_byte_count(c10::IntArrayRef shape, c10::ScalarType dtype) {
  auto bytes = static_cast<int64_t>(c10::elementSize(dtype));
  bool empty = false;
  for (const int64_t size : shape) {
    // ATen computes strides with max(size, 1), so a zero does not excuse an overflow beside it.
    if (size < 0 || __builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes)) return std::nullopt;
    empty |= size == 0;
  }
  return empty ? 0 : bytes;
}

at::Tensor tensor_over(const std::shared_ptr<const MappedFile>& file, size_t offset, c10::IntArrayRef shape,
                       c10::ScalarType dtype) {
  const int64_t bytes = checked_byte_count(shape, dtype).value();
  if (bytes == 0) return at::empty(shape, dtype);
  const char* data = file->bytes().data() + offset;
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(dtype) != 0) {
    at::Tensor copy = at::empty(shape, dtype);
    std::memcpy(copy.data_ptr(), data, static_cast<size_t>(bytes));
    return copy;
  }
  return at::from_blob(
      const_cast<char*>(data), shape, [file](void*) {}, dtype);
}

}  // namespace w2w
