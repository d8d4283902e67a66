#pragma once
#include <CLI/App.hpp>

#include <optional>
#include <string>
#include <vector>

#include "cli/files/manifest.h"
#include "cli/options/shared_options.h"
#include "w2w/lora/formats.h"
#include "w2w/pipeline/dreambooth.h"

namespace w2w::cli {

/// The options of `w2w train` as typed; an empty optional was not given.
struct TrainOptions {
  SharedOptions shared;
  std::vector<std::string> pictures;
  std::optional<std::string> batch_file, name, start, checkpoint;
  std::optional<Shard> shard;
  std::string fit = "crop";
  DreamboothOptions training;
  int64_t together = 1;

  std::optional<std::string> class_folder;
  std::optional<int64_t> class_count;
  bool prepare = false, list = false;

  LoraFormat format = LoraFormat::kohya;
  std::string lora_dtype = "f32";
  bool resume = false;
};

void add_train_options(CLI::App& parser, TrainOptions& options);

/// Error(usage) for what can be refused before anything is opened.
void check(const TrainOptions& options);

}  // namespace w2w::cli
