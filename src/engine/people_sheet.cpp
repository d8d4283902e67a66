#include "w2w/engine/people_sheet.h"

#include <cmath>

namespace w2w {
namespace {

PictureSheet grid_of(const std::vector<std::string>& names,
                     const std::vector<std::vector<at::Tensor>>& pictures) {
  const auto columns = static_cast<size_t>(std::ceil(std::sqrt(1.5 * static_cast<double>(names.size()))));
  PictureSheet sheet;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i % columns == 0) {
      sheet.cells.emplace_back();
      sheet.captions.emplace_back();
    }
    sheet.cells.back().push_back(pictures[i].front());
    sheet.captions.back().push_back(names[i]);
  }
  return sheet;
}

}  // namespace

PictureSheet people_sheet(const std::vector<std::string>& names, const std::vector<std::string>& labels,
                          const std::vector<std::vector<at::Tensor>>& pictures) {
  if (labels.size() == 1) return grid_of(names, pictures);
  constexpr size_t many = 10;
  PictureSheet sheet;
  if (names.size() > many) {
    sheet.columns = labels;
    sheet.rows = names;
    sheet.cells = pictures;
    return sheet;
  }
  sheet.columns = names;
  sheet.rows = labels;
  for (size_t picture = 0; picture < labels.size(); ++picture) {
    sheet.cells.emplace_back();
    for (const auto& person : pictures) sheet.cells.back().push_back(person[picture]);
  }
  return sheet;
}

}  // namespace w2w
