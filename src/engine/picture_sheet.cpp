#include "w2w/engine/picture_sheet.h"

#include <ATen/ops/full.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/font.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

using Lines = std::vector<std::u32string>;

constexpr int64_t comfortable =
    160;  ///< pixels; pictures whose longer side is shorter are enlarged beyond it
constexpr uint8_t dark = 30, grey = 75, pale = 125;

/// Lines of text that are drawn in one place.
struct Block {
  Lines lines;
  double width = 0, height = 0;

  Block() = default;
  Block(const Font& font, const std::string& text, double room, size_t most)
      : lines(font.wrap(text, room, most)), height(static_cast<double>(lines.size()) * font.line_height()) {
    for (const auto& line : lines) width = std::max(width, font.width(line));
  }
};

/// Sizes in pixels that follow from the pictures.
struct Measures {
  explicit Measures(const at::Tensor& picture) {
    const int64_t longer = std::max(picture.size(0), picture.size(1));
    factor = longer >= comfortable ? 1 : comfortable / longer + 1;
    height = picture.size(0) * factor;
    width = picture.size(1) * factor;
    const auto side = static_cast<double>(longer * factor);
    text = 9 + side / 32;
    gap = std::llround(4 + side / 48);
    margin = 2 * gap + std::llround(text / 2);
  }
  int64_t factor = 1, width = 0, height = 0, gap = 0, margin = 0;
  double text = 0;
};

class Drawing {
 public:
  explicit Drawing(const PictureSheet& sheet)
      : sheet_(sheet),
        size_(first_picture(sheet)),
        heading_(Font::Weight::semibold, size_.text),
        label_(Font::Weight::regular, size_.text),
        small_(Font::Weight::regular, 0.85 * size_.text),
        title_font_(Font::Weight::semibold, 1.3 * size_.text) {
    count_columns();
    place();
  }

  at::Tensor draw() {
    pixels_ = at::full({height_, width_, 3}, 255, at::kByte);
    write(title_font_, title_, static_cast<double>(size_.margin), static_cast<double>(size_.margin), 0, dark);
    for (size_t c = 0; c < headings_.size(); ++c) {
      const auto top = static_cast<double>(grid_top_ - size_.gap) - headings_[c].height;
      write(heading_, headings_[c], static_cast<double>(left_of(c)), top, size_.width, dark);
    }
    for (size_t r = 0; r < sheet_.cells.size(); ++r) draw_row(r);
    const double note_top = static_cast<double>(height_ - size_.margin) - note_.height;
    write(small_, note_, static_cast<double>(size_.margin), note_top, 0, pale);
    return pixels_;
  }

 private:
  static const at::Tensor& first_picture(const PictureSheet& sheet) {
    const at::Tensor* first = nullptr;
    for (const auto& row : sheet.cells) {
      for (const auto& picture : row) {
        if (!picture.defined()) continue;
        if (!first) first = &picture;
        if (picture.dim() != 3 || picture.size(2) != 3 || picture.scalar_type() != at::kByte ||
            picture.numel() == 0 || picture.sizes() != first->sizes()) {
          throw Error(ErrorKind::failure,
                      fmt::format("a sheet takes pictures u8 [H, W, 3] of one size, found [{}] beside [{}]",
                                  fmt::join(picture.sizes(), ", "), fmt::join(first->sizes(), ", ")));
        }
      }
    }
    if (!first) throw Error(ErrorKind::failure, "a sheet needs at least one picture");
    return *first;
  }

  void count_columns() {
    for (const auto& row : sheet_.cells) columns_ = std::max(columns_, row.size());
    const auto check = [](const char* what, size_t labels, size_t places) {
      if (labels > places) {
        throw Error(ErrorKind::failure, fmt::format("a sheet has {} labels for {} {}", labels, places, what));
      }
    };
    check("rows", sheet_.rows.size(), sheet_.cells.size());
    check("columns", sheet_.columns.size(), columns_);
    check("rows", sheet_.captions.size(), sheet_.cells.size());
    for (size_t r = 0; r < sheet_.captions.size(); ++r)
      check("pictures", sheet_.captions[r].size(), sheet_.cells[r].size());
  }

  /// Wraps all texts and adds up the sizes.
  void place() {
    const auto wide = static_cast<double>(size_.width);
    double label_width = 0;
    for (const auto& row : sheet_.rows) {
      labels_.emplace_back(label_, row, wide, 6);
      label_width = std::max(label_width, labels_.back().width);
    }
    grid_left_ = size_.margin;
    if (label_width > 0) grid_left_ += static_cast<int64_t>(std::ceil(label_width)) + 2 * size_.gap;
    const auto columns = static_cast<int64_t>(columns_);
    width_ = grid_left_ + columns * size_.width + (columns - 1) * size_.gap + size_.margin;

    const auto line = static_cast<double>(width_ - 2 * size_.margin);
    title_ = Block(title_font_, sheet_.title, line, 3);
    note_ = Block(small_, sheet_.note, line, 4);
    double heading_height = 0;
    for (const auto& column : sheet_.columns) {
      headings_.emplace_back(heading_, column, wide, 3);
      heading_height = std::max(heading_height, headings_.back().height);
    }
    double top = static_cast<double>(size_.margin);
    if (title_.height > 0) top += title_.height + static_cast<double>(2 * size_.gap);
    if (heading_height > 0) top += heading_height + static_cast<double>(size_.gap);
    grid_top_ = static_cast<int64_t>(std::ceil(top));
    place_rows();
    height_ = row_tops_.back() - size_.gap + size_.margin;
    if (note_.height > 0) height_ += static_cast<int64_t>(std::ceil(note_.height)) + 2 * size_.gap;
  }

  /// Where each row begins; one more entry than rows.
  void place_rows() {
    row_tops_ = {grid_top_};
    captions_.resize(sheet_.cells.size());
    for (size_t r = 0; r < sheet_.cells.size(); ++r) {
      double caption_height = 0;
      if (r < sheet_.captions.size()) {
        for (const auto& text : sheet_.captions[r]) {
          captions_[r].emplace_back(small_, text, static_cast<double>(size_.width), 3);
          caption_height = std::max(caption_height, captions_[r].back().height);
        }
      }
      row_tops_.push_back(row_tops_.back() + size_.height + static_cast<int64_t>(std::ceil(caption_height)) +
                          size_.gap);
    }
  }

  int64_t left_of(size_t column) const {
    return grid_left_ + static_cast<int64_t>(column) * (size_.width + size_.gap);
  }

  void draw_row(size_t r) {
    const int64_t top = row_tops_[r];
    if (r < labels_.size()) {
      const double middle =
          static_cast<double>(top) + (static_cast<double>(size_.height) - labels_[r].height) / 2;
      write(label_, labels_[r], static_cast<double>(size_.margin), middle, 0, grey);
    }
    for (size_t c = 0; c < sheet_.cells[r].size(); ++c) {
      const auto& picture = sheet_.cells[r][c];
      if (!picture.defined()) continue;
      pixels_.narrow(0, top, size_.height).narrow(1, left_of(c), size_.width).copy_(enlarged(picture));
    }
    for (size_t c = 0; c < captions_[r].size(); ++c) {
      write(small_, captions_[r][c], static_cast<double>(left_of(c)), static_cast<double>(top + size_.height),
            size_.width, grey);
    }
  }

  at::Tensor enlarged(const at::Tensor& picture) const {
    if (size_.factor == 1) return picture;
    const auto planes = picture.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat);
    const auto large = at::upsample_bicubic2d(planes, {size_.height, size_.width}, /*align_corners=*/false);
    return large.round().clamp(0, 255).to(at::kByte)[0].permute({1, 2, 0});
  }

  /// Lines from `top` down, their left end at `left`, or centred over `centred` pixels from there if not 0.
  void write(const Font& font, const Block& block, double left, double top, int64_t centred, uint8_t shade) {
    for (const auto& line : block.lines) {
      const double shift = centred > 0 ? (static_cast<double>(centred) - font.width(line)) / 2 : 0;
      font.draw(pixels_, left + shift, top + 0.77 * font.line_height(), line, shade);
      top += font.line_height();
    }
  }

  const PictureSheet& sheet_;
  Measures size_;
  Font heading_, label_, small_, title_font_;
  size_t columns_ = 0;
  Block title_, note_;
  std::vector<Block> headings_, labels_;
  std::vector<std::vector<Block>> captions_;
  int64_t grid_left_ = 0, grid_top_ = 0, width_ = 0, height_ = 0;
  std::vector<int64_t> row_tops_;
  at::Tensor pixels_;
};

}  // namespace

at::Tensor draw_sheet(const PictureSheet& sheet) { return Drawing(sheet).draw(); }

}  // namespace w2w
