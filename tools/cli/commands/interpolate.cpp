// w2w interpolate: make the people between two people.

#include <fmt/format.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/files/lora_output.h"
#include "cli/files/picture_outputs.h"
#include "cli/files/space_choice.h"
#include "cli/options/lora_option.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/engine/import.h"
#include "w2w/engine/people.h"

namespace w2w::cli {
namespace {

struct InterpolateOptions {
  SharedOptions shared;
  std::vector<std::string> ends;
  int64_t points = 5;
  bool no_images = false;
  std::optional<LoraFormat> lora;
};

class InterpolateRun {
 public:
  InterpolateRun(const InterpolateOptions& options, Reporter& reporter)
      : options_(options),
        reporter_(reporter),
        run_(reporter.run()),
        from_(open_person(options.ends[0])),
        to_(open_person(options.ends[1])),
        space_(open_space(options.shared,
                          from_.coefficients && to_.coefficients && options.no_images && !options.lora,
                          run_)) {}

  void run() {
    plan();
    const auto& paths = outputs_.paths();
    if (std::all_of(paths.begin(), paths.end(),
                    [&](const OutputPath& path) { return options_.shared.leaves(path); }))
      return;
    const auto from = coefficients_of(from_, space_, run_);
    const auto to = coefficients_of(to_, space_, run_);
    if (from.coefficients.numel() != to.coefficients.numel()) {
      run_.notice(fmt::format("{} has {} coefficients, {} has {}: the missing ones count as 0", from_.path,
                              from.coefficients.numel(), to_.path, to.coefficients.numel()));
    }
    if (pictures_ || options_.lora) engine_.emplace(open_engine(options_.shared, space_, run_));
    if (pictures_) {
      engine_->remark(pictures_->plan(), {from.trigger, to.trigger}, run_);
      sheet_.cells.resize(pictures_->plan().size());
      for (size_t i = 0; i < sheet_.cells.size(); ++i) sheet_.rows.push_back(pictures_->plan().label(i));
    }
    for (size_t i = 0; i < points_.size(); ++i) {
      run_.check_stop();
      make(i, from, to);
    }
    if (pictures_) pictures_->write_sheet(outputs_[points_.size()].at("sheet"), sheet_, *engine_, maker());
  }

 private:
  /// One person on the way.
  struct Point {
    double position;
    Person person;
  };

  std::string name() const { return from_.person() + "-to-" + to_.person(); }

  Person maker() const {
    return {name(),
            {"interpolate", from_.path, to_.path, "--points", std::to_string(options_.points)},
            {{"from", from_.path}, {"to", to_.path}}};
  }

  /// Names everything and refuses what cannot be written, before any work.
  void plan() {
    if (!options_.no_images) pictures_.emplace(options_.shared, space_.data().defaults, reporter_);
    const auto digits = std::max<size_t>(2, std::to_string(options_.points).size());
    for (int64_t i = 0; i < options_.points; ++i) {
      Point point{static_cast<double>(i) / static_cast<double>(options_.points - 1), maker()};
      auto& stem = point.person.stem = fmt::format("{}_{:0{}}", name(), i + 1, digits);
      point.person.facts["position"] = point.position;
      std::vector<PlannedOutput> outputs = {{"coefficients", stem, ".safetensors"}};
      if (options_.lora) outputs.push_back({"lora", stem, lora_suffix(*options_.lora)});
      if (pictures_) {
        for (auto& picture : pictures_->planned(stem)) outputs.push_back(std::move(picture));
      }
      outputs_.add(std::move(outputs));
      points_.push_back(std::move(point));
    }
    if (pictures_) outputs_.add({{"sheet", name(), "_sheet.png"}});
    outputs_.settle(options_.shared.output, options_.shared.existing(), run_);
  }

  std::string heading(size_t index) const {
    if (index == 0) return from_.person();
    if (index + 1 == points_.size()) return to_.person();
    return fmt::format("{:.2f}", points_[index].position);
  }

  void make(size_t index, const Identity& from, const Identity& to) {
    const auto& [position, person] = points_[index];
    const auto identity = between(space_, from, to, position, index == 0 ? run_ : Run());  // warns once
    const auto outputs = outputs_[index];
    if (const auto& path = outputs.at("coefficients"); !options_.shared.leaves(path)) {
      write_identity(path, identity);
      reporter_.output(path.path, "coefficients", person.facts);
    }
    if (!engine_) return;
    const auto lora = engine_->lora(identity);
    if (const auto* path = outputs.find("lora"); path && !options_.shared.leaves(*path)) {
      write_lora(*path, *options_.lora, lora, person.stem, identity,
                 lora_model(&engine_->checkpoint(), &engine_->space()), options_.shared.no_metadata);
      reporter_.output(path->path, "lora", person.facts);
    }
    if (!pictures_) return;
    const size_t each = pictures_->plan().size();
    const auto drawn = pictures_->draw_all(*engine_, lora, person, outputs.all("picture"), index * each,
                                           points_.size() * each);
    for (size_t i = 0; i < each; ++i) sheet_.cells[i].push_back(drawn[i]);
    sheet_.columns.push_back(heading(index));
  }

  const InterpolateOptions& options_;
  Reporter& reporter_;
  const Run& run_;
  PersonFile from_, to_;
  Space space_;
  std::optional<PictureOutputs> pictures_;
  std::vector<Point> points_;
  OutputPlan outputs_;  ///< of the points, then of the sheet
  PictureSheet sheet_;
  std::optional<Engine> engine_;  ///< where a picture or a LoRA is wanted
};

}  // namespace

void add_interpolate(App& app) {
  auto options = std::make_shared<InterpolateOptions>();
  auto& parser = app.add_command(
      {"interpolate",
       "make the people between two people",
       "A B",
       {{"w2w interpolate person-7.safetensors person-8.safetensors -s 5",
         "five people from 7 to 8: coefficients, pictures, and a sheet of all"},
        {"w2w interpolate person-7.safetensors person-9.safetensors --points 9 -p 'sks person on the beach' "
         "-o way",
         "nine people in one scene"},
        {"w2w interpolate person-8.safetensors person-7_lora.safetensors --no-images",
         "coefficients only; an end may be a LoRA"}}},
      [options](Reporter& reporter) {
        check_shared_options(options->shared);
        if (options->ends.size() != 2) {
          throw Error(ErrorKind::usage,
                      fmt::format("interpolate takes two identities, found {}", options->ends.size()),
                      "w2w interpolate a.safetensors b.safetensors");
        }
        InterpolateRun(*options, reporter).run();
      });
  add_arguments(
      parser, "IDENTITY", options->ends,
      "two coefficient files (.safetensors, .pt) or LoRAs; one of a file of many people is FILE:NAME or "
      "FILE:ROW");
  add_integer(parser, "--points", options->points, {2, 1000},
              "how many people, both ends included; default: 5");
  add_lora_option(parser, options->lora, "write each person as a LoRA too");
  add_switch(parser, "--no-images", options->no_images, "write no pictures");
  add_drawing_options(parser, options->shared);
}

}  // namespace w2w::cli
