#include "build_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "w2w/base/error.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

constexpr const char *key_name = "w2w.build", *stage_name = "stage", *position_name = "position";
constexpr const char *file_name = "state.safetensors", *start_over = "delete its folder to start over";

std::string damaged(const fs::path& folder) {
  return fmt::format("damaged state of an unfinished build ({})", (folder / file_name).string());
}

}  // namespace

BuildFolder::BuildFolder(const fs::path& output, std::string key, bool anew, double save_every_seconds,
                         const Run& run)
    : run_(run),
      output_(output),
      path_(output.string() + ".building"),
      key_(std::move(key)),
      interval_(
          std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(save_every_seconds))) {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) {
    throw Error(ErrorKind::failure, fmt::format("cannot make the folder of an unfinished build ({}): {}",
                                                path_.string(), error.message()));
  }
  lock();
  read_state(anew);
}

void BuildFolder::lock() {
  lock_ = FileDescriptor(open((path_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (lock_.is_open() && flock(lock_.number(), LOCK_EX | LOCK_NB) == 0) return;
  if (lock_.is_open() && errno == EWOULDBLOCK) {
    throw Error(ErrorKind::failure,
                fmt::format("another process is building this space ({})", output_.string()),
                "wait for it, or choose another <output>");
  }
  if (lock_.is_open()) return;  // a file system without locks
  throw Error(ErrorKind::failure,
              fmt::format("cannot write into folder ({}): {}", path_.string(), std::strerror(errno)));
}

void BuildFolder::read_state(bool anew) {
  const auto file = path_ / file_name;
  if (!fs::exists(file)) return;
  auto state = read_safetensors(file);
  if (state.metadata[key_name] != key_) {
    if (!anew) {
      throw Error(ErrorKind::failure,
                  fmt::format("there is an unfinished build of other models or with other options ({})",
                              path_.string()),
                  "delete it, or use <force> to start over");
    }
    fs::remove(file);
    return;
  }
  stage_ = saved_stage_ = state.metadata[stage_name];
  const auto stages = {build_stage::collect, build_stage::gram, build_stage::krylov, build_stage::components};
  if (std::find(stages.begin(), stages.end(), stage_) == stages.end()) {
    refuse_state(fmt::format("expected a stage of {}, found '{}'", fmt::join(stages, ", "), stage_));
  }
  const auto& position = state.metadata[position_name];
  const auto [end, status] = std::from_chars(position.data(), position.data() + position.size(), position_);
  if (status != std::errc{} || end != position.data() + position.size() || position_ < 0) {
    refuse_state(fmt::format("expected a position of 0 or more, found '{}'", position));
  }
  tensors_ = std::move(state.tensors);
  run_.notice(fmt::format("resuming an unfinished build ({})", path_.string()));
}

int64_t BuildFolder::position(int64_t all) const {
  if (position_ <= all) return position_;
  refuse_state(fmt::format("expected a position of {} at most in '{}', found {}", all, stage_, position_));
}

const at::Tensor& BuildFolder::tensor(const std::string& name, c10::ScalarType dtype,
                                      at::IntArrayRef shape) const {
  try {
    return expect_tensor(tensors_, name, dtype, shape, damaged(path_), start_over);
  } catch (const Error&) {
    refused_ = true;
    throw;
  }
}

void BuildFolder::refuse_state(const std::string& what) const {
  refused_ = true;
  throw Error(ErrorKind::malformed, damaged(path_) + ": " + what, start_over);
}

bool BuildFolder::due() const { return run_.stop_requested() || Clock::now() - saved_ >= interval_; }

void BuildFolder::save(const std::string& stage, int64_t position, const TensorMap& tensors) {
  const auto start = Clock::now();
  TensorMap on_cpu;
  for (const auto& [name, tensor] : tensors) on_cpu[name] = tensor.cpu();
  write_safetensors(path_ / file_name, on_cpu,
                    {{key_name, key_}, {stage_name, stage}, {position_name, std::to_string(position)}});
  saved_stage_ = stage;
  saved_ = Clock::now();
  // At most a twentieth of the time goes into saving, unless it was to be done after every step.
  if (interval_ > Clock::duration::zero()) interval_ = std::max(interval_, 20 * (saved_ - start));
}

void BuildFolder::discard() {
  tensors_.clear();
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace w2w
