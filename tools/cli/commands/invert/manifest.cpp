#include "cli/commands/invert/manifest.h"

#include <algorithm>

#include "cli/files/manifest.h"

namespace w2w::cli {

std::vector<InversionJob> read_inversion_jobs(const std::filesystem::path& path, const Run& run) {
  std::vector<InversionJob> jobs;
  for (const auto& line : read_manifest(path, {"mask"}, run)) {
    auto job = std::find_if(jobs.begin(), jobs.end(),
                            [&](const InversionJob& known) { return known.name == line.name; });
    if (job == jobs.end()) job = jobs.insert(jobs.end(), {line.name, {}, {}});
    job->images.push_back(line.image);
    job->masks.push_back(line.file("mask", path));
  }
  return jobs;
}

}  // namespace w2w::cli
