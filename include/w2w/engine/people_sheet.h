#pragma once
#include <string>
#include <vector>

#include "w2w/engine/picture_sheet.h"

namespace w2w {

inline constexpr size_t most_on_a_sheet = 1000;  ///< pictures: beyond, nobody can look at them

/// The pictures of people beside each other: `pictures[i]` are person i's, u8 [H, W, 3], one for each of
/// `labels`. With one picture each they are a grid with the names below them; with several, people are the
/// columns, or the rows where there are many.
PictureSheet people_sheet(const std::vector<std::string>& names, const std::vector<std::string>& labels,
                          const std::vector<std::vector<at::Tensor>>& pictures);

}  // namespace w2w
