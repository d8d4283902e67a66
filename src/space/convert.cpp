#include "w2w/space/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/io/data_frame.h"
#include "w2w/io/matrix_file.h"
#include "w2w/space/direction.h"
#include "w2w/space/labels.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

constexpr int64_t block_bytes = int64_t{256} << 20;

/// Rows of the compact form, as they lie.
void copy_rows(const at::Tensor& components, MatrixFile& file, const Run& run) {
  const int64_t count = components.size(0);
  const int64_t rows = std::max<int64_t>(1, block_bytes / (components.size(1) * components.element_size()));
  for (int64_t first = 0; first < count; first += rows) {
    run.check_stop();
    const auto part = components.narrow(0, first, std::min(rows, count - first));
    file.write(first, 0, part);
    if (part.is_contiguous()) release_pages(part);
    run.report({"components", std::min(first + rows, count), count, {}});
  }
}

/// V.pt [P, K], from which [k, P] is made: blocks of its rows become blocks of columns.
void copy_columns(const at::Tensor& v, MatrixFile& file, int64_t k, const Run& run) {
  const int64_t count = v.size(0);
  const int64_t rows = std::max<int64_t>(1, block_bytes / (v.size(1) * v.element_size()));
  for (int64_t first = 0; first < count; first += rows) {
    run.check_stop();
    const auto part = v.narrow(0, first, std::min(rows, count - first));
    file.write(0, first, part.narrow(1, 0, k).t().contiguous());
    if (part.is_contiguous()) release_pages(part);
    run.report({"components", std::min(first + rows, count), count, {}});
  }
}

at::Tensor first_entries(const at::Tensor& values, int64_t k) {
  return values.defined() && values.numel() > k ? values.narrow(0, 0, k).contiguous() : values;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_text(const LabelTable& table) {
  std::string text = "name";
  for (const auto& column : table.columns) text += "," + csv_cell(column);
  text += "\n";
  const auto values = table.values.contiguous();
  const auto* value = values.const_data_ptr<float>();
  for (const auto& row : table.rows) {
    text += csv_cell(row);
    for (size_t i = 0; i < table.columns.size(); ++i, ++value) {
      text += std::isnan(*value) ? "," : fmt::format(",{:g}", *value);
    }
    text += "\n";
  }
  return text;
}

/// labels.csv, and names for the training models from its rows.
void convert_labels(const Space& space, const fs::path& folder, SpaceData& data, const Run& run) {
  const auto path = Labels::of_space(space);
  if (!path) return;
  const auto table = read_label_table(*path, run);
  if (static_cast<int64_t>(table.rows.size()) != data.models) {
    return run.warn(fmt::format("labels ({}) are left out: {} rows for {} training models", path->string(),
                                table.rows.size(), data.models));
  }
  if (data.names.empty() && data.projections.defined()) data.names = table.rows;
  write_file(folder / "labels.csv", csv_text(table));
}

void copy_directions(const Space& space, const fs::path& folder, int64_t k, const Run& run) {
  const auto path = fs::path(space.origin()) / "directions.safetensors";
  if (!fs::exists(path)) return;
  const auto directions = read_directions(path, space);
  if (directions.components() <= k) return write_directions(folder / "directions.safetensors", directions);
  run.warn(fmt::format("directions ({}) are left out: they have {} components", path.string(),
                       directions.components()));
}

}  // namespace

void convert_space(const Space& space, const ConvertOptions& options, const Run& run) {
  const int64_t k = options.components.value_or(space.components());
  const auto components = space.components(k);
  const auto dtype = options.dtype.value_or(components.scalar_type());
  space.layout();  // refuses one without
  AtomicFolder folder(options.output);
  const auto scratch = folder.temporary() / "components.scratch";
  auto data = space.data();
  {
    MatrixFile file(scratch, "components", k, space.parameters(), dtype);
    if (components.stride(1) == 1) {
      copy_rows(components, file, run);
    } else {
      copy_columns(space.data().components.t(), file, k, run);
    }
  }
  data.components = read_safetensors(scratch).tensors.at("components");
  fs::remove(scratch);  // the mapping stays
  data.base_model = options.base_model.empty() ? data.base_model : options.base_model;
  data.defaults = options.defaults;
  if (data.projections.defined() && data.projections.size(1) > k) {
    data.projections = data.projections.narrow(1, 0, k);
  }
  data.projection_mean = first_entries(data.projection_mean, k);
  data.projection_std = first_entries(data.projection_std, k);
  data.explained_variance = first_entries(data.explained_variance, k);
  convert_labels(space, folder.temporary(), data, run);
  copy_directions(space, folder.temporary(), k, run);
  write_space(folder.temporary(), data, dtype);
  folder.commit();
}

}  // namespace w2w
