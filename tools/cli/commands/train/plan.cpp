#include "cli/commands/train/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/files/lora_output.h"
#include "cli/files/manifest.h"
#include "cli/files/output_paths.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/io/image.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

struct TrainingJob {
  std::string name;
  std::vector<PromptedPicture> pictures;
  std::optional<fs::path> start;
};

/// What systems leave in folders that people look at.
bool is_hidden(const fs::path& path) {
  const auto name = path.filename().string();
  return name.starts_with('.') || name == "Thumbs.db" || name == "desktop.ini";
}

void tell_skipped(std::vector<std::string> names, const fs::path& folder, const std::string& one,
                  const std::string& many, const Run& run) {
  if (names.empty()) return;
  constexpr size_t most_named = 5;
  std::sort(names.begin(), names.end());
  const size_t count = names.size();
  names.resize(std::min(count, most_named));
  run.notice(fmt::format("skipped {} ({}): {}{}",
                         count == 1 ? fmt::format("1 file that is not a {}", one)
                                    : fmt::format("{} files that are not {}", count, many),
                         folder.string(), fmt::join(names, ", "), count > most_named ? ", ..." : ""));
}

/// A picture, or all of a folder.
void add(TrainingJob& job, const fs::path& path, const std::string& prompt, const Run& run) {
  if (!fs::exists(path)) {
    throw Error(ErrorKind::not_found, fmt::format("no such picture or folder ({})", path.string()));
  }
  if (!fs::is_directory(path)) return job.pictures.push_back({path, prompt});
  const auto pictures = pictures_in(path, run);
  if (pictures.empty()) {
    throw Error(
        ErrorKind::not_found, fmt::format("no pictures in this folder ({})", path.string()),
        fmt::format("expected {} files; pass a folder of many people as --batch-file", picture_formats));
  }
  for (const auto& picture : pictures) job.pictures.push_back({picture, prompt});
}

/// A folder for each person.
std::vector<TrainingJob> jobs_in(const fs::path& folder, const Run& run) {
  std::vector<fs::path> people;
  std::vector<std::string> others;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (is_hidden(entry.path())) continue;
    if (entry.is_directory())
      people.push_back(entry.path());
    else
      others.push_back(entry.path().filename().string());
  }
  tell_skipped(std::move(others), folder, "folder of a person", "folders of people", run);
  std::sort(people.begin(), people.end());
  if (people.empty()) {
    throw Error(ErrorKind::not_found,
                fmt::format("no folders of people in --batch-file ({})", folder.string()),
                "pass a folder of one person's pictures without --batch-file");
  }
  std::vector<TrainingJob> jobs;
  for (const auto& person : people)
    add(jobs.emplace_back(TrainingJob{person.filename().string(), {}, {}}), person, "", run);
  return jobs;
}

std::vector<TrainingJob> jobs_of_table(const fs::path& path, const Run& run) {
  std::vector<TrainingJob> jobs;
  for (const auto& line : read_manifest(path, {"prompt", "start"}, run)) {
    auto job = std::find_if(jobs.begin(), jobs.end(),
                            [&](const TrainingJob& known) { return known.name == line.name; });
    if (job == jobs.end()) job = jobs.insert(jobs.end(), {line.name, {}, {}});
    const auto prompt = line.more.find("prompt");
    add(*job, line.image, prompt == line.more.end() ? "" : prompt->second, run);
    const auto start = line.file("start", path);
    if (start && job->start && *start != *job->start) {
      throw Error(ErrorKind::malformed,
                  fmt::format("line {} of {}: '{}' starts from another LoRA above ({})", line.number,
                              path.string(), line.name, job->start->string()));
    }
    if (start) job->start = start;
  }
  return jobs;
}

/// Of the table this shard's.
std::vector<TrainingJob> jobs_of(const TrainOptions& options, const Run& run) {
  if (options.batch_file) {
    auto jobs = fs::is_directory(*options.batch_file) ? jobs_in(*options.batch_file, run)
                                                      : jobs_of_table(*options.batch_file, run);
    return options.shard ? options.shard->of(std::move(jobs)) : jobs;
  }
  TrainingJob job{options.name.value_or(name_of(options.pictures.front())), {}, {}};
  for (const auto& path : options.pictures) add(job, path, "", run);
  return {job};
}

OutputPlan outputs_of(const std::vector<TrainingJob>& jobs, const TrainOptions& options) {
  OutputPlan outputs;
  for (const auto& job : jobs)
    outputs.add({{"lora", job.name, lora_extension(options.format)}, {"log", job.name, "_loss.csv"}});
  return outputs;
}

fs::path checkpoint_of(const fs::path& lora, const fs::path& losses, const TrainOptions& options) {
  if (options.checkpoint) return *options.checkpoint;
  return losses.parent_path() / (lora.stem().string() + "_checkpoint.safetensors");
}

}  // namespace

std::vector<fs::path> pictures_in(const fs::path& folder, const Run& run) {
  std::vector<fs::path> pictures;
  std::vector<std::string> others;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto& path = entry.path();
    if (is_hidden(path)) continue;
    const bool file = !entry.is_directory();
    if (file && (is_named_like_picture(path) || (entry.is_regular_file() && begins_like_picture(path))))
      pictures.push_back(path);
    else
      others.push_back(path.filename().string() + (file ? "" : "/"));
  }
  tell_skipped(std::move(others), folder, "picture", "pictures", run);
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

std::vector<ListedPerson> list_trainings(const TrainOptions& options, const Run& run) {
  const auto jobs = jobs_of(options, run);
  auto outputs = outputs_of(jobs, options);
  outputs.look_up(options.shared.output, run);
  std::vector<ListedPerson> people;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const auto &lora = outputs[i].at("lora").path, &losses = outputs[i].at("log").path;
    people.push_back({jobs[i].name, {}, {lora, losses}, checkpoint_of(lora, losses, options)});
    for (const auto& picture : jobs[i].pictures) people.back().pictures.push_back(picture.image);
  }
  return people;
}

std::vector<TrainingTask> plan_trainings(const TrainOptions& options, const Run& run) {
  auto jobs = jobs_of(options, run);
  auto outputs = outputs_of(jobs, options);
  auto existing = options.shared.existing();
  if (existing == Existing::refuse && (options.resume || options.batch_file)) existing = Existing::keep;
  outputs.settle(options.shared.output, existing, run);
  std::vector<TrainingTask> tasks;
  for (size_t i = 0; i < jobs.size(); ++i) {
    TrainingTask task{jobs[i].name,          std::move(jobs[i].pictures), jobs[i].start,
                      outputs[i].at("lora"), outputs[i].at("log"),        {}};
    if (!task.start && options.start) task.start = *options.start;
    task.losses.replace = existing != Existing::refuse;  // of a run that did not come to its end
    if (fs::exists(task.lora.path) && !options.shared.force) {
      if (!options.batch_file && !options.shared.skip_existing) {
        throw Error(ErrorKind::failure, "the output exists already (" + task.lora.path.string() + ")",
                    "it is finished; pass --force to replace it");
      }
      run.debug(fmt::format("{} is finished", task.name));
      continue;
    }
    task.checkpoint = checkpoint_of(task.lora.path, task.losses.path, options);
    if (!options.resume && !options.batch_file) keep_unfinished(task.checkpoint, options.shared.force);
    check_file_name(task.checkpoint);  // refuses now what could not be written in an hour
    if (options.checkpoint) AtomicFile probe(task.checkpoint);
    tasks.push_back(std::move(task));
  }
  if (tasks.size() < jobs.size()) {
    run.notice(fmt::format("{} of {} are finished", jobs.size() - tasks.size(), jobs.size()));
  }
  return tasks;
}

}  // namespace w2w::cli
