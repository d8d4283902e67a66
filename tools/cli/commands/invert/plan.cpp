#include "cli/commands/invert/plan.h"

#include <fmt/format.h>

#include "cli/files/lora_output.h"
#include "cli/files/output_paths.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

std::vector<InversionJob> jobs_of(const InvertOptions& options, const Run& run) {
  if (options.batch_file) {
    auto jobs = read_inversion_jobs(*options.batch_file, run);
    return options.shard ? options.shard->of(std::move(jobs)) : jobs;
  }
  InversionJob job{options.name.value_or(fs::path(options.images.front()).stem().string()), {}, {}};
  for (size_t i = 0; i < options.images.size(); ++i) {
    job.images.emplace_back(options.images[i]);
    job.masks.push_back(options.masks.empty() ? std::nullopt : std::optional<fs::path>(options.masks[i]));
  }
  return {job};
}

/// Every --preview-every steps and at the end.
std::vector<int64_t> preview_steps(const InvertOptions& options, int64_t steps) {
  std::vector<int64_t> previews;
  if (options.preview_every == 0) return previews;
  for (int64_t step = options.preview_every; step < steps; step += options.preview_every) {
    previews.push_back(step);
  }
  previews.push_back(steps);
  return previews;
}

std::vector<PlannedOutput> outputs_of(const InvertOptions& options, const std::string& name,
                                      const std::vector<int64_t>& previews) {
  std::vector<PlannedOutput> outputs = {{"coefficients", name, ".safetensors"}, {"log", name, "_loss.csv"}};
  if (options.lora) outputs.push_back({"lora", name, lora_suffix(*options.lora)});
  if (!options.no_images) outputs.push_back({"sheet", name, "_sheet.png"});
  for (const auto step : previews) {
    outputs.push_back({"picture", name, fmt::format("_preview_{:04}.png", step)});
  }
  return outputs;
}

InversionTask task_of(const InvertOptions& options, const InversionJob& job,
                      const std::vector<int64_t>& previews, const PersonOutputs& outputs) {
  const auto& coefficients = outputs.at("coefficients");
  InversionTask task{job, coefficients, outputs.at("log"), coefficients.path, {}, {}, {}};
  if (const auto* lora = outputs.find("lora")) task.lora = *lora;
  if (const auto* sheet = outputs.find("sheet")) task.sheet = *sheet;
  for (size_t i = 0; i < previews.size(); ++i)
    task.previews.emplace_back(previews[i], outputs.all("picture")[i]);
  task.checkpoint.replace_extension();
  task.checkpoint += "_checkpoint.safetensors";
  if (options.checkpoint) task.checkpoint = *options.checkpoint;
  return task;
}

}  // namespace

std::vector<ListedPerson> list_inversions(const InvertOptions& options, const Run& run) {
  const auto jobs = jobs_of(options, run);
  OutputPlan outputs;
  for (const auto& job : jobs) outputs.add(outputs_of(options, job.name, {}));
  outputs.look_up(options.shared.output, run);
  std::vector<ListedPerson> people;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const auto task = task_of(options, jobs[i], {}, outputs[i]);
    people.push_back({jobs[i].name, jobs[i].images, {}, task.checkpoint});
    for (const auto& output : outputs[i].all()) people.back().outputs.push_back(output.path);
  }
  return people;
}

std::vector<InversionTask> plan_inversions(const InvertOptions& options, int64_t steps, const Run& run) {
  const auto jobs = jobs_of(options, run);
  if (jobs.empty()) return {};
  const auto previews = preview_steps(options, steps);
  OutputPlan outputs;
  for (const auto& job : jobs) outputs.add(outputs_of(options, job.name, previews));
  auto existing = options.shared.existing();
  if (existing == Existing::refuse && (options.resume || options.batch_file)) existing = Existing::keep;
  outputs.settle(options.shared.output, existing, run);
  const size_t each = outputs.paths().size() / jobs.size();
  for (size_t i = 0; i < outputs.paths().size(); ++i) {  // what an unfinished run left is replaced
    if (i % each != 0) outputs.paths()[i].replace = existing != Existing::refuse;
  }

  std::vector<InversionTask> tasks;
  for (size_t i = 0; i < jobs.size(); ++i) {
    auto task = task_of(options, jobs[i], previews, outputs[i]);
    if (fs::exists(task.coefficients.path) && !options.shared.force) {
      if (!options.batch_file && !options.shared.skip_existing) {
        throw Error(ErrorKind::failure, "the output exists already (" + task.coefficients.path.string() + ")",
                    "it is finished; pass --force to replace it");
      }
      run.notice(fmt::format("{} is finished", task.job.name));
      continue;
    }
    if (!options.resume && !options.batch_file) keep_unfinished(task.checkpoint, options.shared.force);
    check_file_name(task.checkpoint);  // refuses now what could not be written in an hour
    if (options.checkpoint) AtomicFile probe(task.checkpoint);
    tasks.push_back(std::move(task));
  }
  return tasks;
}

}  // namespace w2w::cli
