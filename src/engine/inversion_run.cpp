#include "w2w/engine/inversion_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/history.h"
#include "w2w/pipeline/inversion_checkpoint.h"

namespace w2w {

InversionOptions inversion_preset(InversionPreset preset, InversionMethod method) {
  InversionOptions options;  // the paper's for photographs (docs/method.md, "Inversion")
  if (preset == InversionPreset::ood) {
    options.components = 1000;
    options.steps = 800;
    options.learning_rate = 1;
    options.weight_decay = 0;
  }
  if (method == InversionMethod::fast) {  // measured: scripts/demo_world/README.md
    options.steps = 100;
    options.learning_rate = 0.2;
    options.weight_decay = 0;
    options.whitened = options.cosine = true;
  }
  return options;
}

Inverter::Inverter(Engine& engine, InversionOptions options, PictureFitting fitting,
                   const RunDescription& more, const Run& run)
    : engine_(engine),
      fitting_(std::move(fitting)),
      inversion_(engine.model(), engine.space(), std::move(options)),
      description_(describe_run(inversion_.options(), engine.space(), engine.model())) {
  description_.insert(more.begin(), more.end());
  if (!fitting_.mask_labels.empty())
    description_["mask-labels"] = fmt::format("{}", fmt::join(fitting_.mask_labels, ","));
  description_["fit"] = fit_names().at(static_cast<size_t>(fitting_.fit));
  for (const auto& remark : engine.model().remarks(inversion_.options().prompt, false)) run.warn(remark);
}

int64_t Inverter::picture_side(bool masked) const {
  const auto [width, height] = inversion_.picture_size();
  constexpr int64_t zoom = 4;
  return std::max(width, height) * (masked ? zoom : 1);
}

std::unique_ptr<InversionRun> Inverter::start(const std::vector<PersonPicture>& pictures, const Run& run) {
  const auto [width, height] = inversion_.picture_size();
  const auto factor = engine_.checkpoint().vae_config().down_factor();
  std::vector<InversionPicture> fitted;
  std::vector<std::string> names;
  PictureHash hash;
  for (const auto& [image, name, mask, mask_name] : pictures) {
    hash.add(image);
    hash.add(mask ? "masked" : "");
    if (mask) hash.add(*mask);
    fitted.push_back(fit_picture(image, name, mask, mask_name, fitting_.fit, width, height, factor,
                                 fitting_.mask_labels, run));
    names.push_back(std::filesystem::path(name).filename().string());
  }
  auto description = description_;
  description["pictures"] = hash.hex();
  return std::make_unique<InversionRun>(*this, fitted, std::move(description), std::move(names));
}

InversionRun::InversionRun(Inverter& inverter, const std::vector<InversionPicture>& pictures,
                           RunDescription description, std::vector<std::string> names)
    : inverter_(inverter),
      pictures_(pictures),
      description_(std::move(description)),
      names_(std::move(names)) {
  walk_.emplace(inverter_.inversion_, pictures_, inverter_.inversion_.initial_state());
}

void InversionRun::step() {
  walk_->step();
  usual_ = smoothed_(loss());
}

double InversionRun::loss() const { return state().losses.empty() ? 0 : state().losses.back(); }

void InversionRun::save(const std::filesystem::path& checkpoint) const {
  write_inversion_checkpoint(checkpoint, state(), description_);
}

void InversionRun::resume(const std::filesystem::path& checkpoint) {
  auto state = read_inversion_checkpoint(checkpoint, description_, inverter_.options().components);
  smoothed_ = {};
  for (const double loss : state.losses) usual_ = smoothed_(loss);
  walk_.reset();  // before another begins, which may set the number of threads
  walk_.emplace(inverter_.inversion_, pictures_, std::move(state));
}

Identity InversionRun::person() const {
  const auto& options = inverter_.options();
  Identity person;
  person.coefficients = inverter_.inversion_.coefficients(state());
  set_space(person, inverter_.engine_.space());
  person.model = inverter_.engine_.space().data().base_model;
  person.trigger = options.prompt;
  person.history = new_history({{"command", "invert"},
                                {"images", names_},
                                {"method", options.whitened ? "fast" : "reference"},
                                {"seed", options.seed},
                                {"components", options.components},
                                {"steps", options.steps},
                                {"lr", options.learning_rate},
                                {"weight_decay", options.weight_decay},
                                {"batch", options.batch * options.accumulate},
                                {"prior", options.prior},
                                {"loss", std::stod(fmt::format("{:.6g}", usual_))}});
  return person;
}

Picture InversionRun::preview(int64_t denoising_steps, const Run& run) const {
  const auto& options = inverter_.options();
  const auto& space = inverter_.engine_.space();
  TextToImageOptions picture;
  picture.prompt = options.prompt;
  picture.negative_prompt = space.data().defaults.negative_prompt;
  picture.cfg_scale = space.data().defaults.cfg_scale;
  picture.steps = denoising_steps;
  picture.width = options.width;
  picture.height = options.height;
  picture.seed = options.seed;
  return inverter_.engine_.draw(space.lora(inverter_.inversion_.coefficients(state())), picture, run);
}

PictureSheet InversionRun::sheet(const at::Tensor& found) const {
  constexpr size_t most = 5;
  PictureSheet sheet;
  sheet.cells.emplace_back();
  for (size_t i = 0; i < std::min(pictures_.size(), most); ++i) {
    const auto pixels = pictures_[i].image.add(1).mul(127.5).round().clamp(0, 255).to(at::kByte);
    sheet.cells.back().push_back(pixels.permute({1, 2, 0}));
    sheet.columns.push_back(names_[i]);
  }
  if (pictures_.size() > most) sheet.note = fmt::format("and {} more pictures", pictures_.size() - most);
  sheet.cells.back().push_back(found);
  sheet.columns.emplace_back("found");
  return sheet;
}

std::string InversionRun::loss_table() const {
  std::string table = "step,loss,smoothed\n";
  SmoothedLoss smoothed;
  for (size_t i = 0; i < state().losses.size(); ++i) {
    const double loss = state().losses[i];
    table += fmt::format("{},{:.9g},{:.9g}\n", i + 1, loss, smoothed(loss));
  }
  return table;
}

}  // namespace w2w
