#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/files/locate.h"
#include "cli/files/tokenizer_choice.h"
#include "cli/options/option_values.h"
#include "cli/options/shared_options.h"
#include "cli/terminal/reporter.h"
#include "w2w/base/error.h"
#include "w2w/base/read_file.h"
#include "w2w/base/run.h"
#include "w2w/text/clip_tokenizer.h"
#include "w2w/text/prompt_weights.h"

namespace w2w::cli {
namespace {

struct TokensOptions {
  SharedOptions shared;
  std::vector<std::string> prompts;
  std::optional<std::string> file;
  bool pieces = false;
};

std::vector<std::string> read_lines(const std::string& path, const Run& run) {
  const bool is_stdin = path == "-";
  const auto bytes = is_stdin ? read_descriptor(STDIN_FILENO, "stdin", run) : read_file(path, run);
  const std::string text(without_byte_order_mark(bytes, is_stdin ? "stdin" : path));
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    begin = end + 1;
  }
  return lines;
}

/// Ids from BOS to EOS, without the padding.
std::vector<int64_t> framed_ids(const TokenizedPrompt& prompt) {
  return {prompt.ids.begin(), prompt.ids.begin() + prompt.eos_position + 1};
}

void run(const TokensOptions& options, Reporter& reporter) {
  auto prompts = options.prompts;
  if (options.file) {
    for (auto& line : read_lines(*options.file, reporter.run())) prompts.push_back(std::move(line));
  } else if (prompts.empty()) {
    throw Error(ErrorKind::usage, "no prompt given", "w2w tokens \"a person with glasses\", or --file FILE");
  }
  const auto tokenizer = choose_tokenizer(options.shared, reporter.run());
  Json results = Json::array();
  for (size_t i = 0; i < prompts.size(); ++i) {
    reporter.run().check_stop();
    WeightedTokens tokens;
    if (options.shared.prompt_weights) {
      tokens = tokenize_weighted(tokenizer, prompts[i]);
    } else {
      tokens.prompt = tokenizer.tokenize(prompts[i]);
    }
    if (!tokens.prompt.cut_off.empty()) {
      reporter.run().warn(fmt::format("prompt {} is longer than the {} tokens the model sees; cut off: '{}'",
                                      i + 1, tokenizer.max_length() - 2, tokens.prompt.cut_off));
    }
    const auto ids = framed_ids(tokens.prompt);
    std::vector<std::string> pieces;
    for (const int64_t id : ids) pieces.push_back(tokenizer.piece(id));
    const std::string tail = options.pieces ? fmt::format("\t{}", fmt::join(pieces, " ")) : "";
    reporter.line(fmt::format("{}{}", fmt::join(ids, " "), tail));
    if (!reporter.json()) continue;
    results.push_back(
        {{"text", prompts[i]}, {"ids", ids}, {"pieces", pieces}, {"cut_off", tokens.prompt.cut_off}});
    if (options.shared.prompt_weights) {
      tokens.weights.resize(ids.size());
      results.back()["weights"] = tokens.weights;
    }
  }
  reporter.field("prompts", std::move(results));
}

}  // namespace

void add_tokens(App& app) {
  auto options = std::make_shared<TokensOptions>();
  auto& parser = app.add_command(
      {.name = "tokens",
       .summary = "the token ids of prompts as the model sees them",
       .arguments = "PROMPT...",
       .examples = {{"w2w tokens \"a person with glasses\"", "one line of ids, from BOS to EOS"},
                    {"w2w tokens --pieces \"sks person\"", "ids, a tab, and the pieces they stand for"},
                    {"w2w tokens --file prompts.txt --json",
                     "one prompt a line; ids, pieces and cut-off text as JSON"},
                    {"w2w tokens -m ./sd15 \"a photo\"", "with the tokenizer of a model folder"}}},
      [options](Reporter& reporter) { run(*options, reporter); });
  add_arguments(parser, "prompt", options->prompts, "text to tokenize");
  add_text(parser, "--file", options->file, "FILE", "a file with one prompt a line; - for standard input");
  add_switch(parser, "--pieces", options->pieces, "print the pieces too, after a tab");
  add_switch(parser, "--prompt-weights", options->shared.prompt_weights,
             "read (word:1.3) and [word] as A1111 does");
  add_tokenizer_options(parser, options->shared);
  add_unused_options(parser, options->shared);
}

}  // namespace w2w::cli
