#include "w2w/engine/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "io/text_encoding.h"

namespace w2w {
namespace {

/// In lower case, without what stands between them.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || byte >= 0x80 || c == '_')
      words.back() += static_cast<char>(std::tolower(byte));
    else if (!words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

}  // namespace

PicturePlan::PicturePlan(const PictureRequest& request, const SpaceDefaults& defaults)
    : prompts_(request.prompts), seeds_(request.seeds) {
  if (prompts_.empty()) prompts_ = {defaults.prompt};
  const auto& negative = request.negative_prompts;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    negative_prompts_.push_back(negative.empty()       ? defaults.negative_prompt
                                : negative.size() == 1 ? negative.front()
                                                       : negative.at(i));
  }
  common_.steps = request.steps.value_or(defaults.steps);
  common_.cfg_scale = request.cfg_scale.value_or(defaults.cfg_scale);
  common_.width = request.width.value_or(defaults.width);
  common_.height = request.height.value_or(defaults.height);
  common_.clip_skip = request.clip_skip.value_or(1);
  common_.sampler = request.sampler;
  common_.noise = request.noise;
  common_.prompt_weights = request.prompt_weights;
  common_.tiled_decode = request.tiled_decode;
  common_.check();
}

std::vector<TextToImageOptions> PicturePlan::pictures() const {
  std::vector<TextToImageOptions> all;
  for (size_t prompt = 0; prompt < prompts_.size(); ++prompt) {
    for (const auto seed : seeds_) {
      all.push_back(common_);
      all.back().prompt = prompts_[prompt];
      all.back().negative_prompt = negative_prompts_[prompt];
      all.back().seed = seed;
    }
  }
  return all;
}

std::string PicturePlan::label(size_t index) const {
  const auto seed = fmt::format("seed {}", seeds_[index % seeds_.size()]);
  if (prompts_.size() == 1) return seed;
  const auto& prompt = prompts_[index / seeds_.size()];
  return seeds_.size() == 1 ? prompt : prompt + "\n" + seed;
}

std::string trigger_word(const std::string& trigger) {
  static const std::set<std::string> common = {"a",       "an",    "the", "photo",
                                               "picture", "image", "of",  "portrait"};
  const auto words = words_of(trigger);
  const auto found =
      std::find_if(words.begin(), words.end(), [](const auto& word) { return !common.contains(word); });
  return found == words.end() ? "" : *found;
}

void remark_triggers(const PicturePlan& plan, const std::vector<std::string>& triggers, const Run& run) {
  std::set<std::string> needed, told;
  for (const auto& trigger : triggers) needed.insert(trigger_word(trigger));
  needed.erase("");
  for (const auto& prompt : plan.prompts()) {
    const auto words = words_of(prompt);
    const auto is_there = [&](const std::string& word) {
      return std::find(words.begin(), words.end(), word) != words.end();
    };
    if (needed.empty() || std::any_of(needed.begin(), needed.end(), is_there)) continue;
    if (!told.insert(prompt).second) continue;
    run.notice(
        fmt::format("the prompt \"{}\" does not name the person: expected \"{}\" in it", valid_utf8(prompt),
                    *std::find_if(triggers.begin(), triggers.end(),
                                  [](const auto& trigger) { return !trigger_word(trigger).empty(); })));
  }
}

void remark_size(const std::pair<int64_t, int64_t>& own, const std::pair<int64_t, int64_t>& wanted,
                 const Run& run) {
  const auto is_far = [](int64_t side, int64_t usual) { return side >= 2 * usual || 2 * side <= usual; };
  if (!is_far(wanted.first, own.first) && !is_far(wanted.second, own.second)) return;
  run.notice(
      fmt::format("pictures of {}x{} are far from the {}x{} that the model was trained at: expect "
                  "distorted ones",
                  wanted.first, wanted.second, own.first, own.second));
}

Run one_picture_of(const Run& run, size_t done, size_t total) {
  return run.with_progress([&run, done, total](ProgressEvent event) {
    event.what = fmt::format("picture {} of {}", done + 1, total);
    event.step += static_cast<int64_t>(done) * event.total;
    event.total *= static_cast<int64_t>(total);
    run.report(event);
  });
}

}  // namespace w2w
