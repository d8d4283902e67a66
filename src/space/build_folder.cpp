#include "build_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "w2w/base/error.h"
#include "w2w/base/log.h"
#include "w2w/base/progress.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

constexpr const char *key_name = "w2w.build", *stage_name = "stage", *position_name = "position";

}  // namespace

BuildFolder::BuildFolder(const fs::path& output, std::string key, bool anew, double save_every_seconds)
    : output_(output),
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

BuildFolder::~BuildFolder() {
  if (lock_ >= 0) close(lock_);
}

void BuildFolder::lock() {
  lock_ = open((path_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ >= 0 && flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  if (lock_ >= 0 && errno == EWOULDBLOCK) {
    throw Error(ErrorKind::failure,
                fmt::format("another process builds this space now ({})", output_.string()),
                "wait for it, or choose another -o");
  }
  if (lock_ >= 0) return;  // a file system without locks
  throw Error(ErrorKind::failure,
              fmt::format("cannot write into folder ({}): {}", path_.string(), std::strerror(errno)));
}

void BuildFolder::read_state(bool anew) {
  const auto file = path_ / "state.safetensors";
  if (!fs::exists(file)) return;
  auto state = read_safetensors(file);
  if (state.metadata[key_name] != key_) {
    if (!anew) {
      throw Error(ErrorKind::failure,
                  fmt::format("an unfinished build of other models or with other options is there ({})",
                              path_.string()),
                  "delete it, or pass --force to begin anew");
    }
    fs::remove(file);
    return;
  }
  stage_ = saved_stage_ = state.metadata[stage_name];
  position_ = std::stoll(state.metadata[position_name]);
  tensors_ = std::move(state.tensors);
  notice(fmt::format("going on with an unfinished build ({})", path_.string()));
}

const at::Tensor& BuildFolder::tensor(const std::string& name) const {
  if (const auto found = tensors_.find(name); found != tensors_.end()) return found->second;
  throw Error(ErrorKind::malformed,
              fmt::format("the state of an unfinished build lacks '{}' ({})", name, path_.string()),
              "delete the folder to begin anew");
}

bool BuildFolder::due() const { return interrupt_requested() || Clock::now() - saved_ >= interval_; }

void BuildFolder::save(const std::string& stage, int64_t position, const TensorMap& tensors) {
  const auto start = Clock::now();
  TensorMap on_cpu;
  for (const auto& [name, tensor] : tensors) on_cpu[name] = tensor.cpu();
  write_safetensors(path_ / "state.safetensors", on_cpu,
                    {{key_name, key_}, {stage_name, stage}, {position_name, std::to_string(position)}});
  saved_stage_ = stage;
  saved_ = Clock::now();
  interval_ = std::max(interval_, 20 * (saved_ - start));  // at most a twentieth of the time goes into saving
}

void BuildFolder::discard() {
  tensors_.clear();
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace w2w
