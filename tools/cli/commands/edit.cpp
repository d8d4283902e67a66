// w2w edit: edit the attributes of a person.

#include <fmt/format.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/files/locate.h"
#include "cli/files/lora_output.h"
#include "cli/files/picture_outputs.h"
#include "cli/files/space_choice.h"
#include "cli/options/attribute_options.h"
#include "cli/options/edit_values.h"
#include "cli/options/lora_option.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/engine/edit.h"

namespace w2w::cli {
namespace {

struct EditOptions {
  SharedOptions shared;
  AttributeChoice attributes;
  std::vector<std::string> identities, adds, without;
  std::optional<std::string> sweep;
  std::optional<LoraFormat> lora;
  EditingOptions editing;
  bool sequential = false, raw = false, no_images = false;

  /// What is common to all points, as typed; the errors of parsing.
  Edit edit() const {
    return {parse_strengths(adds), parse_names(without, "--without"),
            sequential ? Debias::sequential : Debias::joint, raw};
  }
};

class EditRun {
 public:
  EditRun(const EditOptions& options, Reporter& reporter)
      : options_(options),
        reporter_(reporter),
        run_(reporter.run()),
        edit_(options.edit()),
        sweep_(options.sweep ? parse_sweep(*options.sweep) : std::vector<AttributeStrength>()),
        source_(open_person(options.identities.front())),
        original_(read_coefficients(source_)),
        space_(Space::open(locate_space(options.shared.space, run_), nullptr, run_)) {
    check_identity_fits(original_, space_, source_.path);
  }

  void run() {
    edit_coefficients();
    plan();
    const auto& paths = outputs_.paths();
    if (std::all_of(paths.begin(), paths.end(),
                    [&](const OutputPath& path) { return options_.shared.leaves(path); }))
      return;
    std::optional<Engine> engine;
    if (pictures_ || options_.lora) engine.emplace(open_engine(options_.shared, space_, run_));
    for (size_t i = 0; i < points_.size(); ++i) {
      const auto& path = outputs_[i].at("coefficients");
      if (options_.shared.leaves(path)) continue;
      write_identity(path, points_[i].identity);
      reporter_.output(path.path, "coefficients", people_[i].facts);
    }
    if (!engine) return;
    std::vector<Lora> edits;
    for (const auto& point : points_) edits.push_back(engine->lora(point.identity));
    for (size_t i = 0; i < points_.size(); ++i) {
      const auto* path = outputs_[i].find("lora");
      if (!path || options_.shared.leaves(*path)) continue;
      write_lora(*path, *options_.lora, edits[i], people_[i].stem, points_[i].identity,
                 lora_model(&engine->checkpoint(), &engine->space()), options_.shared.no_metadata);
      reporter_.output(path->path, "lora", people_[i].facts);
    }
    if (pictures_) draw(*engine, edits);
  }

 private:
  /// The attributes of every point, then the edited people.
  void edit_coefficients() {
    const AttributeSource source(options_.attributes, space_, run_);
    if (edit_.adds.empty() && sweep_.empty()) {
      throw Error(
          ErrorKind::usage, "edit needs --add ATTRIBUTE=STRENGTH or --sweep ATTRIBUTE=FROM:TO:N",
          fmt::format("attributes are {}; `w2w direction list` shows all", first_names(source.attributes())));
    }
    edit_ = with_known_names(std::move(edit_), source, run_);
    points_ = points_of(edit_, with_known_names(std::move(sweep_), source, run_));
    const auto directions = source.directions(points_.front().edit.attributes(), run_);
    for (auto& point : points_) {
      point.identity = edited_person(original_, point.edit, directions, source, space_, run_);
      people_.push_back(person(point.edit, source_.stem + "_" + point.name));
    }
    remark_strengths(points_, directions, run_);
  }

  Person person(const Edit& edit, const std::string& stem) const {
    Person person{stem, {"edit", source_.path}, {{"identity", source_.path}}};
    const auto add = [&](const std::vector<std::string>& words) {
      person.arguments.insert(person.arguments.end(), words.begin(), words.end());
    };
    add(edit_arguments(edit));
    add({"--inject-at", fmt::format("{}", options_.editing.inject_at)});
    add(attribute_arguments(options_.attributes));
    person.facts["edit"] = parse_json(edit.history())["add"];
    if (!edit.without.empty()) person.facts["without"] = edit.without;
    person.facts["inject_at"] = options_.editing.inject_at;
    return person;
  }

  /// Names everything and refuses what cannot be written: of each point, then of the original.
  void plan() {
    const auto& stem = source_.stem;
    std::vector<PlannedOutput> pictures;  // suffixes "_p1_s5.png"
    if (!options_.no_images) {
      pictures_.emplace(options_.shared, space_.data().defaults, reporter_);
      pictures = pictures_->planned(stem);
    }
    for (const auto& point : points_) {
      const auto name = "_" + point.name;
      std::vector<PlannedOutput> outputs = {{"coefficients", stem, name + ".safetensors"}};
      if (options_.lora) outputs.push_back({"lora", stem, name + lora_suffix(*options_.lora)});
      for (const auto& picture : pictures)
        outputs.push_back({"picture", stem, name + picture.suffix, picture.prompt});
      outputs_.add(std::move(outputs));
    }
    std::vector<PlannedOutput> of_original;
    const auto all = "_" + (options_.sweep ? sweep_name(options_.edit(), parse_sweep(*options_.sweep))
                                           : points_.front().name);
    for (const auto& picture : pictures)
      of_original.push_back({"picture", stem, all + "_before" + picture.suffix, picture.prompt});
    if (pictures_) of_original.push_back({"sheet", stem, all + "_sheet.png"});
    outputs_.add(std::move(of_original));
    outputs_.settle(options_.shared.output, options_.shared.existing(), run_);
  }

  void draw(Engine& engine, const std::vector<Lora>& edits) {
    engine.remark(pictures_->plan(), {original_.trigger}, run_);
    const Person before{
        source_.stem, {"render", source_.path}, {{"identity", source_.path}, {"edit", Json::object()}}};
    const auto pictures = pictures_->plan().pictures();
    const auto original = engine.lora(original_);
    const auto of_original = outputs_[points_.size()];
    auto sheet = empty_sheet(source_.stem, points_, options_.sweep.has_value(), shows_original(),
                             options_.editing.inject_at);
    const int64_t calls = engine.model().unet_calls();
    for (size_t i = 0; i < pictures.size(); ++i) {
      const auto part = run_.with_progress([&](ProgressEvent event) {
        event.step += static_cast<int64_t>(i) * event.total;
        event.total *= static_cast<int64_t>(pictures.size());
        run_.report(event);
      });
      const auto drawn = engine.draw_edits(original, edits, pictures[i], options_.editing, part);
      pictures_->write(of_original.all("picture")[i], drawn.front(), before);
      sheet.cells.emplace_back();
      if (shows_original()) sheet.cells.back().push_back(drawn.front().pixels);
      for (size_t p = 0; p < points_.size(); ++p) {
        pictures_->write(outputs_[p].all("picture")[i], drawn[p + 1], people_[p]);
        sheet.cells.back().push_back(drawn[p + 1].pixels);
      }
      sheet.rows.push_back(pictures_->plan().label(i));
    }
    reporter_.field("unet_calls", engine.model().unet_calls() - calls);
    pictures_->write_sheet(of_original.at("sheet"), sheet, engine, maker());
  }

  /// A sweep over zero holds the original already.
  bool shows_original() const {
    return std::none_of(points_.begin(), points_.end(), [&](const EditPoint& point) {
      return point.identity.coefficients.equal(original_.coefficients);
    });
  }

  /// The command as it was given, for the sheet.
  Person maker() const {
    auto maker = person(edit_, source_.stem);
    if (options_.sweep) {
      maker.arguments.insert(maker.arguments.end(), {"--sweep", *options_.sweep});
      maker.facts["sweep"] = *options_.sweep;
    }
    return maker;
  }

  const EditOptions& options_;
  Reporter& reporter_;
  const Run& run_;
  Edit edit_;                             ///< what all points have in common
  std::vector<AttributeStrength> sweep_;  ///< until there are points
  std::vector<EditPoint> points_;
  std::vector<Person> people_;  ///< of the points
  PersonFile source_;
  Identity original_;
  Space space_;
  std::optional<PictureOutputs> pictures_;
  OutputPlan outputs_;  ///< of the points, then of the original
};

void run_edit(const EditOptions& options, Reporter& reporter) {
  check_shared_options(options.shared);
  check_attribute_options(options.attributes);
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
       "edit the attributes of a person",
       "IDENTITY",
       {{"w2w edit person-7.safetensors --add Eyeglasses=2",
         "add glasses: pictures before and after, coefficients of the edited person"},
        {"w2w edit person-7.safetensors --sweep Beard=-2:2:5 -s 5",
         "from clean-shaven to bearded on one sheet"},
        {"w2w edit person-7.safetensors --add Beard=1 --add Gray_Hair=2", "two attributes at once"},
        {"w2w edit person-7.safetensors --add Bald=2 --without Male,Gray_Hair",
         "bald, with Male and Gray_Hair unchanged"},
        {"w2w direction list", "list the attributes"}}},
      [options](Reporter& reporter) { run_edit(*options, reporter); });
  add_arguments(
      parser, "IDENTITY", options->identities,
      "coefficients (.safetensors, .pt, or their folder); one of a file of many people is FILE:NAME or "
      "FILE:ROW")
      ->required();
  add_list(parser, "--add", options->adds, "ATTR=X,...",
           "how much of an attribute to add, in standard deviations of the training models along its "
           "direction; negative removes; default: 2; repeatable. Names in any case, parts of them (glasses) "
           "and usual others (Old, No_Beard) are understood");
  add_text(parser, "--sweep", options->sweep, "ATTR=FROM:TO:N",
           "N people with different strengths of one attribute; --add applies to all of them");
  add_list(
      parser, "--without", options->without, "ATTR,...",
      "attributes to keep unchanged: their directions are removed from every added one, jointly by least "
      "squares");
  add_switch(parser, "--sequential", options->sequential,
             "remove them one after the other, as in the reference's notebooks");
  add_switch(parser, "--raw", options->raw,
             "strengths multiply the least-squares direction itself, as in the notebooks");
  add_number(
      parser, "--inject-at", options->editing.inject_at, {0, 1000},
      "timestep at which the edited person takes over: 1000 is the whole run, lower values keep more of "
      "the picture's layout (default: 800)");
  add_attribute_options(parser, options->attributes);
  add_lora_option(parser, options->lora, "write each edited person as a LoRA too");
  add_switch(parser, "--no-images", options->no_images, "write no pictures");
  add_drawing_options(parser, options->shared);
}

}  // namespace w2w::cli
