#include "w2w/space/space.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <mutex>

#include "column_products.h"
#include "io/json_file.h"
#include "readers.h"
#include "w2w/base/error.h"
#include "w2w/base/sha256.h"
#include "w2w/device/device.h"
#include "w2w/io/tensor_file.h"
#include "weight_dimensions.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

std::string hash_of(const at::Tensor& mean, const at::Tensor& std) {
  Sha256 hash;
  for (const auto& tensor : {mean, std}) {
    const auto values = tensor.contiguous();
    hash.update(values.data_ptr(), values.nbytes());
  }
  return hash.hex();
}

/// Of SpaceData::build.
std::string basis_of(const std::string& build) {
  const auto facts = parse_json(build);
  if (!facts.contains("method") || !facts["method"].is_string()) return {};
  auto text = facts["method"].get<std::string>();
  if (text == "exact") return text;
  for (const auto* name : {"oversample", "passes", "seed", "basis", "names"}) {
    if (const auto fact = facts.find(name); fact != facts.end()) {
      text += fmt::format(", {} {}", name, fact->is_string() ? fact->get<std::string>() : fact->dump());
    }
  }
  return text;
}

void expect_shape(const std::string& origin, const char* name, const at::Tensor& tensor,
                  at::IntArrayRef shape) {
  if (tensor.sizes() == shape) return;
  throw Error(ErrorKind::malformed, fmt::format("space ({}): expected {} [{}], found [{}]", origin, name,
                                                fmt::join(shape, ", "), fmt::join(tensor.sizes(), ", ")));
}

void check_shapes(const SpaceData& data, const std::string& origin) {
  const int64_t parameters = data.mean.numel(), components = data.components.size(0);
  expect_shape(origin, "mean", data.mean, {parameters});
  expect_shape(origin, "std", data.std, {parameters});
  expect_shape(origin, "components", data.components, {components, parameters});
  if (parameters == 0 || components == 0) {
    throw Error(ErrorKind::malformed, fmt::format("space ({}) is empty: {} components of {} parameters",
                                                  origin, components, parameters));
  }
  if (data.explained_variance.defined()) {
    expect_shape(origin, "explained_variance", data.explained_variance, {components});
  }
  if (data.projection_mean.defined()) {
    expect_shape(origin, "projection_std", data.projection_std, data.projection_mean.sizes());
  }
  if (data.projections.defined() && !data.names.empty() &&
      data.projections.size(0) != static_cast<int64_t>(data.names.size())) {
    throw Error(ErrorKind::malformed, fmt::format("space ({}): {} names for {} projections", origin,
                                                  data.names.size(), data.projections.size(0)));
  }
}

/// matrix[:, :k] @ c for k values c, where `matrix` [P, K] is mapped row by row (V.pt), in blocks of about 64
/// MB of the file. When only a part of each row is used the system still makes its neighbours resident: each
/// block is released after use.
at::Tensor product_by_rows(const at::Tensor& matrix, const at::Tensor& c) {
  auto result = at::empty({matrix.size(0)}, at::kFloat);
  const int64_t block = std::max<int64_t>(1, (int64_t{64} << 20) / (matrix.element_size() * matrix.size(1)));
  for (int64_t row = 0; row < matrix.size(0); row += block) {
    const auto rows = matrix.narrow(0, row, std::min(block, matrix.size(0) - row));
    auto part = result.narrow(0, row, rows.size(0));
    at::mv_out(part, rows.narrow(1, 0, c.numel()).to(at::kFloat), c);
    if (c.numel() < matrix.size(1) && rows.is_contiguous()) release_pages(rows);
  }
  return result;
}

/// matrix[:, :k]^T @ x for x [P] and a matrix as in product_by_rows.
at::Tensor transposed_product_by_rows(const at::Tensor& matrix, const at::Tensor& x, int64_t k) {
  auto result = at::zeros({k}, at::kFloat);
  const int64_t block = std::max<int64_t>(1, (int64_t{64} << 20) / (matrix.element_size() * matrix.size(1)));
  for (int64_t row = 0; row < matrix.size(0); row += block) {
    const int64_t count = std::min(block, matrix.size(0) - row);
    const auto rows = matrix.narrow(0, row, count);
    result.addmv_(rows.narrow(1, 0, k).to(at::kFloat).t(), x.narrow(0, row, count));
    if (k < matrix.size(1) && rows.is_contiguous()) release_pages(rows);
  }
  return result;
}

/// Column means and unbiased deviations in two passes, sums of blocks in f32 added up in f64: at::std_mean
/// takes seconds for the 64,974 x 1,000 values of the release.
ProjectionStatistics statistics_of(const at::Tensor& projections) {
  constexpr int64_t block = 4096;
  const auto column_sums = [&](const auto& of_block) {
    auto total = at::zeros({projections.size(1)}, at::kDouble);
    for (int64_t row = 0; row < projections.size(0); row += block) {
      const auto rows = projections.narrow(0, row, std::min(block, projections.size(0) - row));
      total += of_block(rows.to(at::kFloat)).sum(0);
    }
    return total;
  };
  const auto count = static_cast<double>(projections.size(0));
  const auto mean = column_sums([](const at::Tensor& rows) { return rows; }) / count;
  const auto centre = mean.to(at::kFloat);
  const auto squares = column_sums([&](const at::Tensor& rows) { return (rows - centre).square(); });
  return {centre, (squares / (count - 1)).sqrt().to(at::kFloat)};
}

/// Where the files of a release are, of its folder or its `files`.
fs::path released_folder(const fs::path& folder) {
  return fs::exists(folder / "files" / "V.pt") ? folder / "files" : folder;
}

}  // namespace

struct Space::Lazy {
  std::once_flag once;
  ProjectionStatistics statistics;
};

bool is_space_folder(const fs::path& folder) {
  return fs::exists(folder / "space.json") || fs::exists(folder / "V.pt") ||
         fs::exists(folder / "files" / "V.pt");
}

Space Space::open(const fs::path& folder, const Targets* linears, const Run& run) {
  const auto released = released_folder(folder);
  SpaceData data;
  if (fs::exists(folder / "space.json")) {
    data = read_compact_space(folder);
  } else if (fs::exists(released / "V.pt")) {
    data = read_released_space(released);
  } else {
    throw Error(
        ErrorKind::not_found,
        fmt::format(
            "no space in this folder ({}): expected space.json and basis.safetensors, or the released "
            "V.pt, mean.pt and std.pt; {}",
            folder.string(),
            fs::is_directory(folder) ? "found neither"
            : fs::exists(folder)     ? "it is a file"
                                     : "there is no such folder"),
        "give the folder that holds these files as <space>");
  }
  Space space(std::move(data), folder.string());
  if (linears) space.bind(*linears, run);
  return space;
}

void Space::bind(const Targets& linears, const Run& run) {
  if (!data_.layout) {
    data_.layout = Layout(attention_targets(linears), data_.rank, data_.alpha);
    check_layout();
    const auto dimensions = released_folder(origin_) / "weight_dimensions.pt";
    if (fs::exists(dimensions)) check_weight_dimensions(dimensions, *data_.layout, run);
  }
  check_targets_of(layout().targets(), linears, data_.model_layers, fmt::format("space ({})", origin_));
}

void Space::check_layout() const {
  if (!data_.layout || data_.layout->parameters() == parameters()) return;
  throw Error(ErrorKind::failure,
              fmt::format("space ({}) has {} parameters, the {} adapted matrices of the model have {}",
                          origin_, parameters(), data_.layout->targets().size(), data_.layout->parameters()),
              "choose the model the space was made with");
}

Space::Space(SpaceData data, std::string origin)
    : data_(std::move(data)), origin_(std::move(origin)), lazy_(std::make_shared<Lazy>()) {
  check_shapes(data_, origin_);
  check_layout();
  hash_ = hash_of(data_.mean, data_.std);
  basis_ = basis_of(data_.build);
}

const Layout& Space::layout() const {
  if (data_.layout) return *data_.layout;
  throw Error(ErrorKind::failure, fmt::format("space ({}) does not list its modules", origin_),
              "give the model it was made with");
}

at::Tensor Space::components(int64_t k) const {
  if (k < 1 || k > components()) {
    throw Error(ErrorKind::usage,
                fmt::format("expected 1 to {} components, as many as the space ({}) has, found {}",
                            components(), origin_, k));
  }
  return data_.components.narrow(0, 0, k);
}

at::Tensor Space::theta(const at::Tensor& coefficients) const {
  const auto used = components(coefficients.numel());
  const auto c = coefficients.to(at::kFloat).view(-1);
  const auto centred = is_compact() ? product_by_columns(used, c) : product_by_rows(data_.components.t(), c);
  return at::addcmul(data_.mean, centred, data_.std);
}

at::Tensor Space::scores(const at::Tensor& x, int64_t k) const {
  const auto used = components(k);
  const auto vector = x.to(at::kFloat).view(-1);
  return is_compact() ? transposed_product_by_columns(used, vector)
                      : transposed_product_by_rows(data_.components.t(), vector, k);
}

const ProjectionStatistics& Space::projection_statistics() const {
  std::call_once(lazy_->once, [&] {
    if (data_.projection_mean.defined()) {
      lazy_->statistics = {data_.projection_mean, data_.projection_std};
    } else if (data_.projections.defined()) {
      lazy_->statistics = statistics_of(data_.projections);
      if (data_.projections.is_contiguous()) release_pages(data_.projections);
    } else {
      throw Error(
          ErrorKind::failure,
          fmt::format("space ({}) has no projections of its training models, so no statistics to draw from",
                      origin_),
          "add proj_1000pc.pt to the released folder");
    }
    for (const auto& values : {lazy_->statistics.mean, lazy_->statistics.std}) {
      if (at::isfinite(values).all().item<bool>()) continue;
      throw Error(ErrorKind::malformed,
                  fmt::format("space ({}): statistics of its projections that are not finite", origin_),
                  "<verify> shows details");
    }
  });
  return lazy_->statistics;
}

}  // namespace w2w
