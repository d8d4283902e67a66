// Zip (APPNOTE 6.3): local headers and data, a central directory of 46-byte records, the 22-byte end record,
// which is searched from the end. Zip64: fields at their maximum have their 64-bit value in extra field 1, or
// in a 56-byte end record.

#include "w2w/io/zip_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "w2w/base/error.h"

namespace w2w {
namespace {

constexpr size_t end_size = 22, end64_size = 56, locator_size = 20, record_size = 46, local_size = 30;

struct Directory {
  uint64_t offset, size, count;
};

class Reader {
 public:
  explicit Reader(const MappedFile& file) : file_(file), bytes_(file.bytes()) {}

  void read(std::map<std::string, ZipFile::Entry>& entries, std::string& first_folder) const {
    const Directory directory = find_directory();
    check_range(directory.offset, directory.size, "the directory");
    uint64_t at = directory.offset;
    const uint64_t end = at + directory.size;
    for (uint64_t i = 0; i < directory.count; ++i) {
      if (end - at < record_size || number<uint32_t>(at) != 0x02014b50) fail("its directory is damaged");
      const uint64_t name_length = number<uint16_t>(at + 28), extra_length = number<uint16_t>(at + 30);
      const uint64_t length = record_size + name_length + extra_length + number<uint16_t>(at + 32);
      if (length > end - at) fail("its directory is damaged");
      const std::string name(bytes_.substr(at + record_size, name_length));
      const auto extra = bytes_.substr(at + record_size + name_length, extra_length);
      if (!entries.emplace(name, entry(name, at, extra)).second) fail("entry '" + name + "' appears twice");
      if (i == 0) first_folder = name.substr(0, name.find('/') + 1);
      at += length;
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed, "not a readable zip archive (" + file_.path().string() + "): " + what);
  }

  /// Little-endian; the caller has checked the range.
  template <typename T>
  T number(uint64_t at) const {
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof(value));
    return value;
  }

  void check_range(uint64_t offset, uint64_t size, const std::string& what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset)
      fail(fmt::format("{} needs {} bytes at {}, but the file has {} bytes", what, size, offset,
                       bytes_.size()));
  }

  Directory find_directory() const {
    constexpr size_t longest_comment = 65535;
    if (bytes_.size() >= end_size) {
      const size_t last = bytes_.size() - end_size;
      for (size_t at = last + 1; at-- > last - std::min(last, longest_comment);)
        if (number<uint32_t>(at) == 0x06054b50 && number<uint16_t>(at + 20) == last - at)
          return directory(at);
    }
    throw Error(
        ErrorKind::malformed,
        "not a readable zip archive (" + file_.path().string() + "): its directory is missing at the end",
        "the file is probably cut short: copy or download it again");
  }

  Directory directory(size_t at) const {
    const Directory plain{number<uint32_t>(at + 16), number<uint32_t>(at + 12), number<uint16_t>(at + 10)};
    if (at < locator_size || number<uint32_t>(at - locator_size) != 0x07064b50) return plain;
    const auto end64 = number<uint64_t>(at - locator_size + 8);
    check_range(end64, end64_size, "the zip64 end record");
    if (number<uint32_t>(end64) != 0x06064b50) fail("its zip64 end record is damaged");
    return {number<uint64_t>(end64 + 48), number<uint64_t>(end64 + 40), number<uint64_t>(end64 + 32)};
  }

  ZipFile::Entry entry(const std::string& name, uint64_t at, std::string_view extra) const {
    const auto flags = number<uint16_t>(at + 8), method = number<uint16_t>(at + 10);
    if (flags & 1) fail("entry '" + name + "' is encrypted");
    if (method != 0) fail(fmt::format("entry '{}' is compressed (method {}), expected stored", name, method));
    uint64_t packed = number<uint32_t>(at + 20), size = number<uint32_t>(at + 24),
             local = number<uint32_t>(at + 42);
    std::string_view wide = wide_fields(extra);
    for (uint64_t* field : {&size, &packed, &local}) {
      if (*field != UINT32_MAX) continue;
      if (wide.size() < sizeof(*field)) fail("entry '" + name + "' lacks its zip64 sizes");
      std::memcpy(field, wide.data(), sizeof(*field));
      wide.remove_prefix(sizeof(*field));
    }
    if (packed != size)
      fail(fmt::format("entry '{}' is {} bytes in {}, expected stored", name, size, packed));
    check_range(local, local_size, "entry '" + name + "'");
    if (number<uint32_t>(local) != 0x04034b50) fail("the local header of entry '" + name + "' is damaged");
    const uint64_t data = local + local_size + number<uint16_t>(local + 26) + number<uint16_t>(local + 28);
    check_range(data, size, "entry '" + name + "'");
    return {data, size};
  }

  /// The payload of extra field 1: those of size, packed size and local offset that did not fit, in this
  /// order.
  static std::string_view wide_fields(std::string_view extra) {
    while (extra.size() >= 4) {
      uint16_t id = 0, length = 0;
      std::memcpy(&id, extra.data(), sizeof(id));
      std::memcpy(&length, extra.data() + 2, sizeof(length));
      extra.remove_prefix(4);
      if (length > extra.size()) break;
      if (id == 1) return extra.substr(0, length);
      extra.remove_prefix(length);
    }
    return {};
  }

  const MappedFile& file_;
  std::string_view bytes_;
};

}  // namespace

ZipFile::ZipFile(const std::shared_ptr<const MappedFile>& file) {
  Reader(*file).read(entries_, first_folder_);
}

}  // namespace w2w
