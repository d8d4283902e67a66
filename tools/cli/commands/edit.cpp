// w2w edit: a person with more or less of an attribute.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/commands/attribute_source.h"
#include "cli/commands/edit_plan.h"
#include "cli/commands/history.h"
#include "cli/commands/identity_source.h"
#include "cli/commands/pictures.h"
#include "cli/files/locate.h"
#include "cli/files/lora_output.h"
#include "cli/files/space_choice.h"
#include "cli/options/lora_option.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/io/picture_sheet.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/formats.h"
#include "w2w/pipeline/editing.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

struct EditOptions {
  SharedOptions shared;
  AttributeOptions attributes;
  std::vector<std::string> identities, adds, without;
  std::optional<std::string> sweep, lora;
  EditingOptions editing;
  bool sequential = false, raw = false, no_images = false;

  /// What is common to all points; the errors of parsing.
  Edit edit() const {
    Edit edit{{}, parse_names(without, "--without"), sequential ? Debias::sequential : Debias::joint, raw};
    for (const auto& text : adds) edit.adds.push_back(parse_strength(text));
    return edit;
  }
};

/// Error(usage) for a LoRA, which has no place in the space yet.
Identity read_coefficients(const IdentitySource& source) {
  if (source.coefficients) return *source.coefficients;
  const auto is_lora = [&] {
    if (is_lora_folder(source.path)) return true;
    if (fs::is_directory(source.path)) return false;
    const auto tensors = read_tensor_file(source.path).tensors;
    return std::any_of(tensors.begin(), tensors.end(),
                       [](const auto& entry) { return entry.first.find("lora") != std::string::npos; });
  };
  if (!is_lora()) return read_identity(source.path);  // says what is wrong with it
  throw Error(ErrorKind::usage, fmt::format("edit takes coefficients, and this is a LoRA ({})", source.path),
              "`w2w import` finds the coefficients of a LoRA");
}

class EditRun {
 public:
  EditRun(const EditOptions& options, Reporter& reporter)
      : options_(options),
        reporter_(reporter),
        points_(points_of(options.edit(), options.sweep)),
        source_(open_identity(options.identities.front())),
        original_(read_coefficients(source_)),
        space_path_(locate_space(options.shared.space)),
        space_(Space::open(space_path_)) {
    check_identity_fits(original_, space_, source_.path);
  }

  void run() {
    edit_coefficients();
    plan();
    if (std::all_of(paths_.begin(), paths_.end(),
                    [&](const OutputPath& path) { return options_.shared.leaves(path); }))
      return;
    std::optional<TextToImage> model;
    if (job_ || options_.lora) {
      model.emplace(open_model(options_.shared));
      space_ = open_space_of(*model, space_path_);  // the same, checked against the model
    }
    for (size_t i = 0; i < points_.size(); ++i) {
      const auto& path = *path_++;
      if (options_.shared.leaves(path)) continue;
      write_identity(path, points_[i].identity);
      reporter_.output(path.path, "coefficients", people_[i].facts);
    }
    if (!model) return;
    std::vector<Lora> edits;
    for (const auto& point : points_) edits.push_back(space_.lora(point.identity.coefficients));
    for (size_t i = 0; options_.lora && i < points_.size(); ++i) {
      const auto& path = *path_++;
      if (options_.shared.leaves(path)) continue;
      write_lora(path, *options_.lora, edits[i], people_[i].stem, points_[i].identity,
                 options_.shared.no_metadata);
      reporter_.output(path.path, "lora", people_[i].facts);
    }
    if (job_) draw(*model, space_.lora(original_.coefficients), edits);
  }

 private:
  /// The attributes of every point, then the edited people.
  void edit_coefficients() {
    const AttributeSource source(options_.attributes, space_);
    if (points_.front().edit.adds.empty()) {
      throw Error(
          ErrorKind::usage, "edit needs --add ATTRIBUTE=STRENGTH or --sweep ATTRIBUTE=FROM:TO:N",
          fmt::format("attributes are {}; `w2w direction list` shows all", first_names(source.attributes())));
    }
    const auto directions = source.directions(points_.front().edit.attributes());
    for (auto& point : points_) {
      point.identity = original_;
      point.identity.coefficients = edited(original_.coefficients, point.edit.step(directions));
      set_space(point.identity, space_);
      if (point.identity.model.empty()) point.identity.model = space_.data().base_model;
      auto entry = point.edit.history();
      entry["components"] = source.components();
      entry["attributes"] = fs::path(source.origin()).filename().string();
      if (!directions.without.empty()) {  // before this edit, so nothing else was taken out by it
        entry["without"] = directions.without;
        entry["debias"] = "joint";
      }
      point.identity.history = longer_history(original_.history, entry);
      people_.push_back(person(point.edit, source_.stem + point.suffix));
    }
  }

  Person person(const Edit& edit, const std::string& stem) const {
    Person person{stem, {"edit", source_.path}, {{"identity", source_.path}}};
    const auto add = [&](const std::vector<std::string>& words) {
      person.arguments.insert(person.arguments.end(), words.begin(), words.end());
    };
    add(edit.arguments());
    add({"--inject-at", fmt::format("{}", options_.editing.inject_at)});
    add(options_.attributes.arguments());
    person.facts["edit"] = edit.history()["add"];
    if (!edit.without.empty()) person.facts["without"] = edit.without;
    person.facts["inject_at"] = options_.editing.inject_at;
    return person;
  }

  /// Names everything in the order it is written, and refuses what cannot be.
  void plan() {
    const auto& stem = source_.stem;
    std::vector<PlannedOutput> planned;
    for (const auto& point : points_)
      planned.push_back({"coefficients", stem, point.suffix + ".safetensors"});
    for (const auto& point : points_) {
      if (options_.lora) planned.push_back({"lora", stem, point.suffix + lora_suffix(*options_.lora)});
    }
    if (!options_.no_images) {
      job_.emplace(options_.shared, space_.data().defaults);
      const auto pictures = job_->planned(stem);  // suffixes "_p1_s5.png"
      for (const auto& picture : pictures) {
        planned.push_back({"picture", stem, "_before" + picture.suffix});
        for (const auto& point : points_) planned.push_back({"picture", stem, point.suffix + picture.suffix});
      }
      planned.push_back({"sheet", stem, "_edit_sheet.png"});
    }
    paths_ = plan_outputs(options_.shared.output, planned, options_.shared.existing());
    path_ = paths_.begin();
  }

  void draw(TextToImage& model, const Lora& original, const std::vector<Lora>& edits) {
    const Person before{source_.stem + "_before",
                        {"render", source_.path},
                        {{"identity", source_.path}, {"edit", Json::object()}}};
    const auto pictures = job_->pictures();
    auto sheet = empty_sheet(source_.stem, points_, options_.sweep.has_value(), shows_original(),
                             options_.editing.inject_at);
    const int64_t calls = model.unet_calls();
    auto bar = reporter_.progress();
    for (size_t i = 0; i < pictures.size(); ++i) {
      const auto drawn =
          draw_edits(model, original, edits, pictures[i], options_.editing, [&](ProgressEvent event) {
            event.step += static_cast<int64_t>(i) * event.total;
            event.total *= static_cast<int64_t>(pictures.size());
            report(bar, event);
          });
      job_->write(*path_++, drawn.original, model, before, pictures[i], reporter_);
      sheet.cells.emplace_back();
      if (shows_original()) sheet.cells.back().push_back(drawn.original);
      for (size_t p = 0; p < points_.size(); ++p) {
        job_->write(*path_++, drawn.edited[p], model, people_[p], pictures[i], reporter_);
        sheet.cells.back().push_back(drawn.edited[p]);
      }
      sheet.rows.push_back(job_->label(i));
    }
    reporter_.field("unet_calls", model.unet_calls() - calls);
    job_->write_sheet(*path_++, draw_sheet(sheet), model, maker(), reporter_);
  }

  /// A sweep over zero holds the original already.
  bool shows_original() const {
    return std::none_of(points_.begin(), points_.end(), [&](const EditPoint& point) {
      return point.identity.coefficients.equal(original_.coefficients);
    });
  }

  /// The command as it was given, for the sheet.
  Person maker() const {
    const auto edit = options_.edit();
    auto maker = person(edit, source_.stem);
    if (options_.sweep) {
      maker.arguments.insert(maker.arguments.end(), {"--sweep", *options_.sweep});
      maker.facts["sweep"] = *options_.sweep;
    }
    return maker;
  }

  const EditOptions& options_;
  Reporter& reporter_;
  std::vector<EditPoint> points_;
  std::vector<Person> people_;  ///< of the points
  IdentitySource source_;
  Identity original_;
  fs::path space_path_;
  Space space_;
  std::optional<PictureJob> job_;
  std::vector<OutputPath> paths_;
  std::vector<OutputPath>::const_iterator path_;  ///< of the next output
};

void run_edit(const EditOptions& options, Reporter& reporter) {
  check_shared_options(options.shared);
  if (options.identities.size() != 1) {
    throw Error(ErrorKind::usage,
                fmt::format("edit takes one identity, found {}", options.identities.size()));
  }
  EditRun(options, reporter).run();
}

}  // namespace

void add_edit(App& app) {
  auto options = std::make_shared<EditOptions>();
  auto& parser = app.add_command(
      {"edit",
       "a person with more or less of an attribute",
       "IDENTITY",
       {{"w2w edit person-7.safetensors --add Eyeglasses=2",
         "with glasses: before and after, and the new person"},
        {"w2w edit person-7.safetensors --sweep Beard=-2:2:5 -s 5",
         "from clean-shaven to bearded on one sheet"},
        {"w2w edit person-7.safetensors --add Beard=1 --add Gray_Hair=2", "two attributes at once"},
        {"w2w edit person-7.safetensors --add Bald=2 --without Male,Gray_Hair",
         "and nothing of those two with it"},
        {"w2w direction list", "which attributes there are"}}},
      [options](Reporter& reporter) { run_edit(*options, reporter); });
  add_arguments(parser, "IDENTITY", options->identities, "coefficients (.safetensors, .pt, or their folder)")
      ->required();
  add_list(parser, "--add", options->adds, "ATTR=STRENGTH",
           "how much of an attribute to add, in standard deviations of the training models along its "
           "direction; negative takes away; repeatable");
  add_text(parser, "--sweep", options->sweep, "ATTR=FROM:TO:N",
           "N people with different strengths of an attribute, beside what --add adds to all of them");
  add_list(parser, "--without", options->without, "ATTR,...",
           "attributes that shall stay: their directions are taken out of every added one, jointly by least "
           "squares");
  add_switch(parser, "--sequential", options->sequential,
             "take them out one after the other, as the reference's notebooks do");
  add_switch(parser, "--raw", options->raw,
             "strengths multiply the least-squares direction itself, as in the notebooks");
  add_number(
      parser, "--inject-at", options->editing.inject_at, {0, 1000},
      "timestep from which the edited person is drawn: 1000 is the whole run, lower values keep more of "
      "the picture's layout (default: 800)");
  add_attribute_options(parser, options->attributes);
  add_lora_option(parser, options->lora, "write each edited person as a LoRA too");
  add_switch(parser, "--no-images", options->no_images, "write no pictures");
  add_drawing_options(parser, options->shared);
}

}  // namespace w2w::cli
