#include "cli/commands/train/class_pictures.h"

#include <fmt/format.h>

#include "cli/commands/train/plan.h"
#include "w2w/base/error.h"
#include "w2w/io/image.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t usual_count = 200;

fs::path made(const fs::path& folder, int64_t number) {
  return folder / fmt::format("class-{:03}.png", number);
}

}  // namespace

fs::path class_folder(const TrainOptions& options) {
  if (options.class_folder) return *options.class_folder;
  const fs::path output = options.shared.output.value_or("");
  return (output.has_extension() ? output.parent_path() : output) / "class";
}

std::vector<fs::path> make_class_pictures(const TrainOptions& options, Trainer& trainer, Reporter& reporter) {
  const auto folder = class_folder(options);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(ErrorKind::failure, fmt::format("cannot make the folder of class pictures ({}): {}",
                                                folder.string(), error.message()));
  }
  std::vector<fs::path> own;
  for (int64_t i = 1; fs::exists(made(folder, i)); ++i) own.push_back(made(folder, i));
  const auto& run = reporter.run();
  auto found = pictures_in(folder, run);
  // Pictures that somebody else put there are enough, however many; a set of our own is completed.
  const bool foreign = found.size() > own.size();
  const int64_t wanted =
      options.class_count.value_or(foreign ? static_cast<int64_t>(found.size()) : usual_count);

  for (int64_t number = 1; static_cast<int64_t>(found.size()) < wanted; ++number) {
    const auto path = made(folder, number);
    if (fs::exists(path)) continue;
    const auto picture = trainer.draw_class_picture(static_cast<uint64_t>(number), run.with_progress({}));
    write_image(path, picture.pixels, {}, run);
    reporter.output(path, "picture", {{"seed", number}, {"prompt", picture.options.prompt}});
    found.push_back(path);
    run.report({"drawing class pictures", static_cast<int64_t>(found.size()), wanted, {}});
  }
  found.resize(static_cast<size_t>(std::min<int64_t>(wanted, static_cast<int64_t>(found.size()))));
  return found;
}

}  // namespace w2w::cli
