// w2w interpolate: the people between two people.

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <fmt/format.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/commands/history.h"
#include "cli/commands/import_lora.h"
#include "cli/commands/pictures.h"
#include "cli/files/lora_output.h"
#include "cli/files/space_choice.h"
#include "cli/options/lora_option.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/io/picture_sheet.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

struct InterpolateOptions {
  SharedOptions shared;
  std::vector<std::string> ends;
  int64_t points = 5;
  bool no_images = false;
  std::optional<std::string> lora;
};

/// One person on the way and where the files go: coefficients, LoRA if asked for, pictures.
struct Point {
  double position;
  Person person;
  std::vector<OutputPath> paths;
};

/// The straight line of the space; of two lengths the shorter is padded with the mean person's values, zeros.
at::Tensor on_line(const at::Tensor& from, const at::Tensor& to, double position) {
  const auto length = std::max(from.numel(), to.numel());
  const auto padded = [&](const at::Tensor& c) { return at::constant_pad_nd(c, {0, length - c.numel()}); };
  return padded(from) * (1 - position) + padded(to) * position;
}

class InterpolateRun {
 public:
  InterpolateRun(const InterpolateOptions& options, Reporter& reporter)
      : options_(options),
        reporter_(reporter),
        from_(open_identity(options.ends[0])),
        to_(open_identity(options.ends[1])),
        space_(open_space(options.shared,
                          from_.coefficients && to_.coefficients && options.no_images && !options.lora)) {}

  void run() {
    plan();
    if (finished_) return;
    const auto from = coefficients_of(from_, space_, reporter_.progress());
    const auto to = coefficients_of(to_, space_, reporter_.progress());
    from_history_ = history_list(from.history);
    to_history_ = history_list(to.history);
    if (from.coefficients.numel() != to.coefficients.numel()) {
      notice(fmt::format("{} has {} coefficients, {} has {}: the missing ones count as 0", from_.path,
                         from.coefficients.numel(), to_.path, to.coefficients.numel()));
    }
    if (!options_.no_images) {
      model_.emplace(open_model(options_.shared));
      space_ = open_space_of(*model_, space_.origin());
      sheet_.cells.resize(pictures_->pictures_per_person());
      for (size_t i = 0; i < pictures_->pictures_per_person(); ++i)
        sheet_.rows.push_back(pictures_->label(i));
    }
    for (size_t i = 0; i < points_.size(); ++i) {
      check_interrupt();
      make(points_[i], i, from, to);
    }
    if (model_) pictures_->write_sheet(sheet_path_, draw_sheet(sheet_), *model_, maker(), reporter_);
  }

 private:
  std::string name() const { return from_.person() + "-to-" + to_.person(); }

  Person maker() const {
    return {name(),
            {"interpolate", from_.path, to_.path, "--points", std::to_string(options_.points)},
            {{"from", from_.path}, {"to", to_.path}}};
  }

  /// Names everything and refuses what cannot be written, before any work.
  void plan() {
    if (!options_.no_images) pictures_.emplace(options_.shared, space_.data().defaults);
    const auto digits = std::max<size_t>(2, std::to_string(options_.points).size());
    std::vector<PlannedOutput> planned;
    for (int64_t i = 0; i < options_.points; ++i) {
      Point point;
      point.position = static_cast<double>(i) / static_cast<double>(options_.points - 1);
      point.person = maker();
      point.person.stem = fmt::format("{}_{:0{}}", name(), i + 1, digits);
      point.person.facts["position"] = point.position;
      planned.push_back({"coefficients", point.person.stem, ".safetensors"});
      if (options_.lora) planned.push_back({"lora", point.person.stem, lora_suffix(*options_.lora)});
      if (pictures_) {
        for (auto& picture : pictures_->planned(point.person.stem)) planned.push_back(std::move(picture));
      }
      points_.push_back(std::move(point));
    }
    if (pictures_) planned.push_back({"sheet", name(), "_sheet.png"});
    auto paths = plan_outputs(options_.shared.output, planned, options_.shared.existing());
    const size_t each = paths.size() / points_.size();
    for (size_t i = 0; i < points_.size(); ++i) {
      const auto first = paths.begin() + static_cast<std::ptrdiff_t>(i * each);
      points_[i].paths.assign(first, first + static_cast<std::ptrdiff_t>(each));
    }
    if (pictures_) sheet_path_ = paths.back();
    finished_ = std::all_of(paths.begin(), paths.end(),
                            [&](const OutputPath& path) { return options_.shared.leaves(path); });
  }

  Identity between(const Identity& from, const Identity& to, double position) const {
    Identity identity = from;
    identity.coefficients = on_line(from.coefficients, to.coefficients, position);
    set_space(identity, space_);
    identity.model = space_.data().base_model;
    identity.history = json_text(Json::array({{{"command", "interpolate"},
                                               {"position", position},
                                               {"from", from_history_},
                                               {"to", to_history_}}}));
    return identity;
  }

  void make(const Point& point, size_t index, const Identity& from, const Identity& to) {
    const auto identity = between(from, to, point.position);
    auto path = point.paths.begin();
    if (!options_.shared.leaves(*path)) {
      write_identity(*path, identity);
      reporter_.output(path->path, "coefficients", point.person.facts);
    }
    ++path;
    if (!options_.lora && !model_) return;
    const auto lora = space_.lora(identity.coefficients);
    if (options_.lora && !options_.shared.leaves(*path)) {
      write_lora(*path, *options_.lora, lora, point.person.stem, identity, options_.shared.no_metadata);
      reporter_.output(path->path, "lora", point.person.facts);
    }
    if (options_.lora) ++path;
    if (!model_) return;
    model_->set_person(lora);
    const auto drawn = pictures_->draw(*model_, point.person, {path, point.paths.end()}, reporter_, index,
                                       points_.size(), /*draw_all=*/true);  // for the sheet
    for (size_t i = 0; i < drawn.size(); ++i) sheet_.cells[i].push_back(drawn[i]);
    sheet_.columns.push_back(index == 0                    ? from_.person()
                             : index + 1 == points_.size() ? to_.person()
                                                           : fmt::format("{:.2f}", point.position));
  }

  const InterpolateOptions& options_;
  Reporter& reporter_;
  IdentitySource from_, to_;
  Json from_history_, to_history_;
  Space space_;
  std::optional<PictureJob> pictures_;
  std::vector<Point> points_;
  OutputPath sheet_path_;
  bool finished_ = false;  ///< all of it was there
  PictureSheet sheet_;
  std::optional<TextToImage> model_;
};

}  // namespace

void add_interpolate(App& app) {
  auto options = std::make_shared<InterpolateOptions>();
  auto& parser = app.add_command(
      {"interpolate",
       "the people between two people",
       "A B",
       {{"w2w interpolate person-7.safetensors person-8.safetensors -s 5",
         "five people from 7 to 8: coefficients, pictures, and a sheet of all"},
        {"w2w interpolate a.safetensors b.safetensors --points 9 -p 'sks person on the beach' -o way",
         "nine people in one scene"},
        {"w2w interpolate a.safetensors b_lora.safetensors --no-images",
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
  add_arguments(parser, "IDENTITY", options->ends, "two coefficient files (.safetensors, .pt) or LoRAs");
  add_integer(parser, "--points", options->points, {2, 1000},
              "how many people, both ends included; default: 5");
  add_lora_option(parser, options->lora, "write each person as a LoRA too");
  add_switch(parser, "--no-images", options->no_images, "write no pictures");
  add_drawing_options(parser, options->shared);
}

}  // namespace w2w::cli
