#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace w2w {

/// A contact sheet: pictures in a grid on white, with words around them. Small pictures are enlarged by a
/// whole factor and the letters follow the pictures' size, so that both can be read. All texts are UTF-8, may
/// contain line breaks, and are wrapped, then shortened with an ellipsis where they are too long.
struct PictureSheet {
  std::string title = {};                 ///< above everything; may be empty
  std::string note = {};                  ///< small, below everything; may be empty
  std::vector<std::string> columns = {};  ///< headings, one a column; or none
  std::vector<std::string> rows = {};     ///< labels at the left, one a row; or none
  /// Row by row: u8 [H, W, 3], all of one size; an undefined tensor leaves its place empty.
  std::vector<std::vector<at::Tensor>> cells = {};
  std::vector<std::vector<std::string>> captions = {};  ///< below the pictures, row by row; or none
};

/// The sheet as a picture, u8 [height, width, 3]; the same sheet gives the same bytes. Error(failure) without
/// a picture, when sizes differ, or when there are more texts than places for them.
at::Tensor draw_sheet(const PictureSheet& sheet);

}  // namespace w2w
