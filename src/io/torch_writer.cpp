// One tensor as torch.save writes it: a zip archive of uncompressed entries, whose data begin at multiples of
// 64 bytes.

#include <fmt/format.h>
#include <zlib.h>

#include <string>
#include <string_view>
#include <vector>

#include "io/torch_storages.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

void put(std::string& out, uint64_t number, int bytes) {  // little-endian
  for (int i = 0; i < bytes; ++i, number >>= 8) out.push_back(static_cast<char>(number));
}

/// Protocol 2, the opcodes spelled as in Python's pickletools.
class TensorPickle {
 public:
  std::string make(const at::Tensor& tensor, const char* storage) {
    out_ =
        "\x80\x02"
        "ctorch._utils\n_rebuild_tensor_v2\n((";
    text("storage");
    out_ += fmt::format("ctorch\n{}\n", storage);
    text("0");
    text("cpu");
    integer(tensor.numel());
    out_ += "tQ";
    integer(0);
    integers(tensor.sizes());
    integers(tensor.strides());
    out_ +=
        "\x89"
        "ccollections\nOrderedDict\n)RtR.";
    return out_;
  }

 private:
  void text(std::string_view value) {
    out_ += 'X';
    put(out_, value.size(), 4);
    out_ += value;
  }

  void integer(int64_t value) {
    out_ += "\x8a\x08";
    put(out_, static_cast<uint64_t>(value), 8);
  }

  void integers(c10::IntArrayRef values) {
    out_ += '(';
    for (const int64_t value : values) integer(value);
    out_ += 't';
  }

  std::string out_;
};

class ZipWriter {
 public:
  explicit ZipWriter(const OutputPath& output) : file_(output) {}

  void add(const std::string& name, std::string_view bytes) {
    constexpr uint64_t limit = UINT32_MAX - 65536;  // no zip64: what is exported this way has kilobytes
    if (bytes.size() > limit - offset_)
      throw Error(ErrorKind::failure,
                  "too large for a torch file (" + file_.path().string() + "): at most 4 GB");
    constexpr size_t alignment = 64, local_size = 30, extra_head = 4;
    const size_t padding =
        (alignment - (offset_ + local_size + name.size() + extra_head) % alignment) % alignment;
    const std::string fields = common_fields(name, bytes, extra_head + padding);
    std::string local = "PK\x03\x04" + fields + name + "FB";
    put(local, padding, 2);
    local.append(padding, 'Z');
    directory_ += std::string("PK\x01\x02\x14\x00", 6) + fields;
    put(directory_, 0, 2 + 2 + 2 + 4);  // comment length, disk, attributes
    put(directory_, offset_, 4);
    directory_ += name + local.substr(local_size + name.size());
    write(local);
    write(bytes);
    ++count_;
  }

  void commit() {
    std::string end("PK\x05\x06\x00\x00\x00\x00", 8);
    put(end, count_, 2);
    put(end, count_, 2);
    put(end, directory_.size(), 4);
    put(end, offset_, 4);
    put(end, 0, 2);
    write(directory_ + end);
    file_.commit();
  }

 private:
  /// What the local header and the directory share: version, flags, method, time, checksum, sizes and
  /// lengths.
  static std::string common_fields(const std::string& name, std::string_view bytes, size_t extra) {
    constexpr int first_of_january_1980 = 0x21;
    const auto checksum = crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    std::string fields;
    put(fields, 20, 2);
    put(fields, 0, 2 + 2 + 2);
    put(fields, first_of_january_1980, 2);
    put(fields, checksum, 4);
    put(fields, bytes.size(), 4);
    put(fields, bytes.size(), 4);
    put(fields, name.size(), 2);
    put(fields, extra, 2);
    return fields;
  }

  void write(std::string_view bytes) {
    file_.write(bytes);
    offset_ += bytes.size();
  }

  AtomicFile file_;
  std::string directory_;
  uint64_t offset_ = 0, count_ = 0;
};

}  // namespace

void write_torch_tensor(const OutputPath& output, const at::Tensor& tensor) {
  const at::Tensor dense = tensor.detach().cpu().contiguous();
  for (const auto& [storage, dtype] : torch_storages) {
    if (dtype != dense.scalar_type()) continue;
    ZipWriter zip(output);
    zip.add("archive/data.pkl", TensorPickle().make(dense, storage));
    zip.add("archive/byteorder", "little");
    zip.add("archive/data/0", {static_cast<const char*>(dense.const_data_ptr()), dense.nbytes()});
    zip.add("archive/version", "3\n");
    zip.commit();
    return;
  }
  throw Error(ErrorKind::failure, std::string("cannot write dtype ") + c10::toString(dense.scalar_type()) +
                                      " into a torch file (" + output.path.string() + ")");
}

}  // namespace w2w
