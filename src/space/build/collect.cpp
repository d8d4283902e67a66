#include "collect.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "io/json_file.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/io/matrix_file.h"
#include "w2w/lora/canonical.h"
#include "w2w/lora/formats.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

constexpr const char* tensor_name = "theta";

/// The names of all models; Error(failure) when two have the same.
std::vector<std::string> unique_names(const std::vector<ModelSource>& sources, const BuildOptions& options) {
  std::vector<std::string> names;
  std::vector<const fs::path*> places;
  for (const auto& source : sources) {
    for (const auto& name : source.names) {
      names.push_back(name.empty() ? fmt::format("model_{:05}", names.size() + 1) : name);
      places.push_back(&source.path);
    }
  }
  if (!options.names.empty()) {
    if (options.names.size() != names.size()) {
      throw Error(ErrorKind::malformed,
                  fmt::format("expected a name for each of the {} models ({}), found {} names", names.size(),
                              options.names_file.string(), options.names.size()),
                  "one name a line, in the order of the models");
    }
    names = options.names;
  }
  std::unordered_map<std::string_view, size_t> seen;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [first, is_new] = seen.emplace(names[i], i);
    if (is_new) continue;
    throw Error(ErrorKind::failure,
                fmt::format("two models are named '{}': {} ({}) and {} ({})", names[i], first->second + 1,
                            places[first->second]->string(), i + 1, places[i]->string()),
                "rename one, leave one out, or name all models with <names>");
  }
  return names;
}

/// Rows of weight vectors out of sources, all in one layout.
class RowReader {
 public:
  RowReader(const std::vector<ModelSource>& sources, const BuildOptions& options, bool canonical,
            const Run& run)
      : run_(run), options_(options), canonical_(canonical), first_(sources.front().path.string()) {
    open(sources.front());
    layout_.emplace(first_targets(sources.front()), 1, options.alpha);
  }

  const Layout& layout() const { return *layout_; }

  /// How many rows are read together: a space's components are gone through once for all of them.
  static int64_t batch(ModelSource::Kind kind) { return kind == ModelSource::Kind::space ? 256 : 64; }

  /// Rows `first`.. of a source, f32 [count, P].
  at::Tensor rows(const ModelSource& source, int64_t first, int64_t count) {
    open(source);
    if (source.kind == ModelSource::Kind::lora) return of_lora(source.path).unsqueeze(0);
    if (source.kind == ModelSource::Kind::space) return in_layout(rebuilt(first, count), space_->layout());
    return in_layout(matrix_.narrow(0, first, count).to(at::kFloat), *layout_);
  }

 private:
  void open(const ModelSource& source) {
    if (opened_ == &source) return;
    opened_ = &source;
    if (source.kind == ModelSource::Kind::matrix) matrix_ = read_model_matrix(source.path);
    if (source.kind == ModelSource::Kind::space) open_space(source.path);
    if (layout_) check_fits(source);
  }

  void open_space(const fs::path& path) {
    space_.emplace(Space::open(path, nullptr, run_));
    if (!space_->data().layout) {
      space_.emplace(Space::open(path, &options_.linears, run_));
    }
    if (space_->layout().rank() != 1 || space_->data().projections.size(1) > space_->components()) {
      throw Error(
          ErrorKind::failure,
          fmt::format("the models of space ({}) cannot be reconstructed: expected rank 1 and a component for "
                      "every coefficient, found rank {}, {} coefficients and {} components",
                      path.string(), space_->layout().rank(), space_->data().projections.size(1),
                      space_->components()));
    }
    say_how_exact();
  }

  void say_how_exact() const {
    const auto& data = space_->data();
    std::string share;
    if (data.explained_variance.defined() && data.total_variance > 0) {
      const auto held = data.explained_variance.narrow(0, 0, data.projections.size(1)).sum().item<double>();
      share = fmt::format(", which explain {:.4g} % of their variance", 100 * held / data.total_variance);
    }
    run_.notice(
        fmt::format("{}: its {} models are reconstructed from {} coefficients{}; for exact models, "
                    "use the matrix that their build kept",
                    space_->origin(), data.projections.size(0), data.projections.size(1), share));
  }

  Targets first_targets(const ModelSource& source) {
    if (source.kind == ModelSource::Kind::space) return space_->layout().targets();
    if (source.kind == ModelSource::Kind::matrix) {
      const Layout layout(attention_targets(options_.linears));
      if (matrix_.size(1) != layout.parameters()) {
        throw Error(
            ErrorKind::failure,
            fmt::format("matrix of models ({}): expected {} columns, as the {} adapted matrices of the "
                        "model have, found {}",
                        source.path.string(), layout.parameters(), layout.targets().size(), matrix_.size(1)),
            "give the model they were trained on as <model>");
      }
      return layout.targets();
    }
    const auto lora = read(source.path);
    Targets targets;
    for (const auto& target : options_.linears) {
      if (lora.contains(target.module)) targets.push_back(target);
    }
    sort_by_name(targets);
    return targets;
  }

  void check_fits(const ModelSource& source) const {
    if (source.kind == ModelSource::Kind::matrix && matrix_.size(1) != layout_->parameters()) {
      throw Error(ErrorKind::failure,
                  fmt::format("matrix of models ({}): expected {} columns, as {} has parameters, found {}",
                              source.path.string(), layout_->parameters(), first_, matrix_.size(1)));
    }
    if (source.kind == ModelSource::Kind::space) {
      check_same_targets(space_->layout().targets(), layout_->targets(), "space (" + space_->origin() + ")");
    }
  }

  Lora read(const fs::path& path) {
    if (!options_.partial) return expect_some(path, read_lora(path, options_.linears));
    auto contents = read_lora_contents(path, options_.linears);
    if (!contents.others.empty() && !std::exchange(said_left_out_, true)) say_left_out(path, contents.others);
    return expect_some(path, std::move(contents.lora));
  }

  void say_left_out(const fs::path& path, const Lora& others) const {
    run_.warn(fmt::format(
        "LoRAs are used only in part: of {}, {} matrices are ignored that are not linear layers of "
        "the UNet: {}",
        path.string(), others.size(), first_modules(others)));
  }

  static Lora expect_some(const fs::path& path, Lora lora) {
    if (!lora.empty()) return lora;
    throw Error(
        ErrorKind::malformed,
        fmt::format("LoRA ({}) changes nothing of the model: expected low-rank factors", path.string()));
  }

  at::Tensor of_lora(const fs::path& path) {
    auto lora = read(path);
    for (const auto& target : layout_->targets()) {
      if (!lora.contains(target.module)) refuse(path, "does not change", target.module, "does");
    }
    for (auto& [module, factors] : lora) {
      const auto same = [&name = module](const Target& target) { return target.module == name; };
      if (std::none_of(layout_->targets().begin(), layout_->targets().end(), same)) {
        refuse(path, "changes", module, "does not");
      }
    }
    return layout_->flatten(canonical_ ? canonical_lora(lora) : lora);
  }

  [[noreturn]] void refuse(const fs::path& path, const char* does, const std::string& module,
                           const char* first_does) const {
    throw Error(ErrorKind::failure,
                fmt::format("LoRA ({}) {} {}, which {} {}: all models of a space must change the same "
                            "matrices",
                            path.string(), does, module, first_, first_does));
  }

  /// Signs follow the first model of the build.
  Lora canonical_lora(const Lora& lora) {
    Lora result;
    for (const auto& [module, factors] : lora) {
      const auto [like, is_first] = like_.try_emplace(module);
      result[module] = canonical(factors, like->second);
      if (is_first && result[module].down.any().item<bool>()) like->second = result[module].down;
    }
    return result;
  }

  /// Rows of another scale or form than the layout's, each as a LoRA.
  at::Tensor in_layout(const at::Tensor& rows, const Layout& given) {
    if (!canonical_ && given.scale() == layout_->scale()) return rows;
    auto result = at::empty_like(rows);
    for (int64_t i = 0; i < rows.size(0); ++i) {
      const auto lora = given.factors(rows[i].contiguous());
      result[i].copy_(layout_->flatten(canonical_ ? canonical_lora(lora) : lora));
    }
    return result;
  }

  /// c V^T * std + mean for training models of the space.
  at::Tensor rebuilt(int64_t first, int64_t count) const {
    const auto& data = space_->data();
    const auto c = data.projections.narrow(0, first, count).to(at::kFloat);
    const auto v = space_->components(c.size(1));
    auto theta = at::empty({count, space_->parameters()}, at::kFloat);
    constexpr int64_t block = 8192;
    for (int64_t at = 0; at < space_->parameters(); at += block) {
      run_.check_stop();
      const int64_t length = std::min(block, space_->parameters() - at);
      const auto part = c.mm(v.narrow(1, at, length).to(at::kFloat));
      theta.narrow(1, at, length)
          .copy_(part * data.std.narrow(0, at, length) + data.mean.narrow(0, at, length));
    }
    return theta;
  }

  const Run& run_;
  const BuildOptions& options_;
  bool canonical_;
  std::string first_;
  std::optional<Layout> layout_;
  const ModelSource* opened_ = nullptr;
  at::Tensor matrix_;
  std::optional<Space> space_;
  std::map<std::string, at::Tensor> like_;
  bool said_left_out_ = false;
};

/// A matrix that needs no change is used where it lies; one that lies column by column is copied, as the
/// order of sums would follow its strides.
bool is_usable_in_place(const std::vector<ModelSource>& sources, const BuildOptions& options) {
  return sources.size() == 1 && sources.front().kind == ModelSource::Kind::matrix && !options.canonical &&
         !options.weights && read_model_matrix(sources.front().path).is_contiguous();
}

}  // namespace

ModelMatrix collect_models(const std::vector<ModelSource>& sources, const BuildOptions& options,
                           BuildFolder& folder, const Run& run) {
  auto names = unique_names(sources, options);
  const auto count = static_cast<int64_t>(names.size());
  if (count < 2) {
    throw Error(ErrorKind::usage, fmt::format("too few models: expected at least 2, found {}", count),
                "a space describes how models differ: it needs at least two");
  }
  RowReader reader(sources, options, options.canonical, run);
  if (is_usable_in_place(sources, options)) {
    return {read_model_matrix(sources.front().path), std::move(names), reader.layout()};
  }
  const auto path = folder.path() / collected_file;
  const auto mapped = [&]() -> ModelMatrix {
    const auto file = read_safetensors(path);
    const auto found = file.tensors.find(tensor_name);
    const std::vector<int64_t> shape = {count, reader.layout().parameters()};
    if (found == file.tensors.end() || found->second.sizes() != shape ||
        found->second.scalar_type() != at::kFloat) {
      folder.refuse_state(
          fmt::format("the matrix of models has changed since it was written ({})", path.string()));
    }
    return {found->second, std::move(names), reader.layout()};
  };
  if (!folder.stage().empty() && folder.stage() != build_stage::collect) return mapped();
  int64_t done = folder.stage() == build_stage::collect ? folder.position(count) : 0;
  MatrixFile matrix(path, tensor_name, count, reader.layout().parameters(), at::kFloat,
                    {{"names", json_text(nlohmann::json(names))}});
  if (done > 0 && !matrix.reopened()) {
    folder.refuse_state(
        fmt::format("the matrix of models has changed since it was written ({})", path.string()));
  }
  const auto save = [&] {
    matrix.flush();
    folder.save(build_stage::collect, done, {});
  };
  int64_t begin = 0;  // of the source, as a row of the matrix
  for (const auto& source : sources) {
    const auto end = begin + static_cast<int64_t>(source.names.size());
    // Signs follow the first model, which is read again for that when a build goes on.
    if (options.canonical && begin == 0 && done > 0) reader.rows(source, 0, 1);
    while (done < end) {
      const auto rows =
          reader.rows(source, done - begin, std::min(RowReader::batch(source.kind), end - done));
      matrix.write(done, 0, rows);
      done += rows.size(0);
      run.report({"collecting", done, count, {}});
      if (folder.due()) save();
      run.check_stop();
    }
    begin = end;
  }
  save();
  return mapped();
}

}  // namespace w2w
