#include "w2w/space/labels.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/base/run.h"
#include "w2w/io/data_frame.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// "'a', 'b', 'c', ... (17 in all)"
std::string some_of(const std::vector<std::string>& names) {
  const std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(3, names.size())));
  const auto text = fmt::format("'{}'", fmt::join(first, "', '"));
  return names.size() > 3 ? fmt::format("{}, ... ({} in all)", text, names.size()) : text;
}

/// For each name its row in `rows`. Error(failure) unless both hold the same names.
std::vector<int64_t> rows_by_name(const std::vector<std::string>& names, const std::vector<std::string>& rows,
                                  const std::string& path, const std::string& space) {
  std::unordered_map<std::string_view, int64_t> row_of;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!row_of.emplace(rows[i], static_cast<int64_t>(i)).second) {
      throw Error(ErrorKind::malformed, fmt::format("labels ({}) name '{}' twice", path, rows[i]));
    }
  }
  std::vector<int64_t> order;
  std::vector<std::string> missing;
  for (const auto& name : names) {
    const auto found = row_of.find(name);
    if (found == row_of.end()) {
      missing.push_back(name);
    } else {
      order.push_back(found->second);
      row_of.erase(found);
    }
  }
  std::vector<std::string> unknown;
  for (const auto& row : rows) {
    if (row_of.contains(row)) unknown.push_back(row);
  }
  if (missing.empty() && unknown.empty()) return order;
  std::string what;
  if (!missing.empty()) what = "no labels for " + some_of(missing);
  if (!unknown.empty()) what += (what.empty() ? "" : "; ") + ("unknown to the space: " + some_of(unknown));
  throw Error(
      ErrorKind::failure,
      fmt::format("labels ({}) do not match the training models of the space ({}): {}", path, space, what),
      "labels need one row for every training model, named as <nearest> shows them");
}

/// A table that counts its rows, as data frames without names are saved.
bool counts_rows(const std::vector<std::string>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] != std::to_string(i)) return false;
  }
  return true;
}

std::optional<fs::path> first_of(const Space& space, std::initializer_list<const char*> files) {
  for (const auto* file : files) {
    if (auto path = fs::path(space.origin()) / file; fs::exists(path)) return path;
  }
  return std::nullopt;
}

bool same_names(std::vector<std::string> a, std::vector<std::string> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

}  // namespace

std::vector<std::string> training_names(const Space& space, const Run& run) {
  if (!space.data().names.empty()) return space.data().names;
  if (!space.data().projections.defined()) return {};
  const auto models = space.data().projections.size(0);
  for (const auto* file : {"identity_df.pt", "files/identity_df.pt", "labels.csv"}) {
    const auto path = first_of(space, {file});
    if (!path) continue;
    auto rows = read_row_names(*path, run);
    if (static_cast<int64_t>(rows.size()) != models) {
      run.warn(
          fmt::format("{} has {} names, the space has {} training models: rows are identified by number only",
                      path->string(), rows.size(), models));
    } else if (!counts_rows(rows)) {
      return rows;
    }
  }
  return {};
}

Labels Labels::read(const fs::path& path, const Space& space, const Run& run) {
  const auto& data = space.data();
  if (!data.projections.defined()) {
    throw Error(ErrorKind::failure,
                fmt::format("space ({}) has no projections of its training models to match labels with",
                            space.origin()),
                "add proj_1000pc.pt to the released folder");
  }
  auto table = read_label_table(path, run);
  Labels labels;
  labels.attributes_ = std::move(table.columns);
  labels.origin_ = path.string();
  const auto names = training_names(space, run);
  const bool in_order = data.names.empty() && counts_rows(table.rows) && !same_names(table.rows, names);
  if (!names.empty() && !in_order) {
    const auto order = rows_by_name(names, table.rows, path.string(), space.origin());
    labels.values_ = at::index_select(table.values, 0, at::tensor(order, at::kLong));
    return labels;
  }
  const auto expected = static_cast<size_t>(data.projections.size(0));
  if (table.rows.size() != expected) {
    throw Error(
        ErrorKind::failure,
        fmt::format("labels ({}) do not match the training models of the space ({}): expected {} rows, "
                    "as the projections have, found {}",
                    path.string(), space.origin(), expected, table.rows.size()));
  }
  labels.values_ = std::move(table.values);
  return labels;
}

std::optional<fs::path> Labels::of_space(const Space& space) {
  return first_of(space, {"labels.csv", "identity_df.pt", "files/identity_df.pt"});
}

void Labels::append(const Labels& other) {
  for (const auto& name : other.attributes_) {
    if (std::find(attributes_.begin(), attributes_.end(), name) == attributes_.end()) continue;
    throw Error(ErrorKind::failure,
                fmt::format("attribute '{}' is in two tables ({}, {})", name, origin_, other.origin_),
                "rename it in one of them");
  }
  attributes_.insert(attributes_.end(), other.attributes_.begin(), other.attributes_.end());
  values_ = at::cat({values_, other.values_}, 1);
  origin_ += ", " + other.origin_;
}

at::Tensor Labels::column(const std::string& attribute) const {
  const auto found = std::find(attributes_.begin(), attributes_.end(), attribute);
  if (found == attributes_.end()) {
    throw Error(ErrorKind::usage, fmt::format("unknown attribute '{}' ({})", attribute, origin_),
                suggest(attribute, attributes_));
  }
  const auto values = values_.select(1, found - attributes_.begin());
  const auto count = [&](double value) { return values.eq(value).sum().item<int64_t>(); };
  const int64_t with = count(1), without = count(-1), zero = count(0);
  const int64_t known = values.numel() - values.isnan().sum().item<int64_t>();
  if (with + without + zero != known || (without > 0 && zero > 0)) {
    throw Error(ErrorKind::failure,
                fmt::format("attribute '{}' ({}): expected labels +1 and -1, or 1 and 0, found other numbers",
                            attribute, origin_));
  }
  if (with == 0 || with == known) {
    throw Error(
        ErrorKind::failure,
        fmt::format("attribute '{}' ({}) does not separate the training models: {} with it, {} without",
                    attribute, origin_, with, known - with));
  }
  return zero > 0 ? at::where(values.eq(0), -1.0F, values) : values.contiguous();
}

}  // namespace w2w
