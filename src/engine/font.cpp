#include "engine/font.h"

#include <stb/stb_truetype.h>

#include <algorithm>
#include <cmath>

#include "io/text_encoding.h"
#include "w2w/base/error.h"

// open_sans_regular.ttf and open_sans_semibold.ttf, put into the library by fonts.S.
extern "C" const unsigned char w2w_font_regular_begin[], w2w_font_semibold_begin[];

namespace w2w {

std::u32string characters(std::string_view utf8) {
  const auto wide = utf8_to_utf16_big_endian(utf8);
  const auto unit = [&](size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(wide[i]) << 8 |
                                 static_cast<unsigned char>(wide[i + 1]));
  };
  std::u32string text;
  for (size_t i = 0; i + 1 < wide.size(); i += 2) {
    const bool low_surrogate = unit(i) >= 0xDC00 && unit(i) < 0xE000;
    if (low_surrogate && !text.empty()) {
      text.back() = 0x10000 + ((text.back() - 0xD800) << 10) + (unit(i) - 0xDC00);
    } else {
      text += unit(i);
    }
  }
  return text;
}

Font::Font(Weight weight, double size) : size_(size) {
  const auto* bytes = weight == Weight::regular ? w2w_font_regular_begin : w2w_font_semibold_begin;
  auto font = std::make_shared<stbtt_fontinfo>();
  if (!stbtt_InitFont(font.get(), bytes, 0)) {
    throw Error(ErrorKind::failure, "the font compiled into this program is damaged");
  }
  scale_ = stbtt_ScaleForMappingEmToPixels(font.get(), static_cast<float>(size));
  font_ = std::move(font);
}

double Font::width(std::u32string_view text) const {
  double width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    int advance = 0, bearing = 0;
    stbtt_GetCodepointHMetrics(font_.get(), static_cast<int>(text[i]), &advance, &bearing);
    if (i + 1 < text.size()) {
      advance += stbtt_GetCodepointKernAdvance(font_.get(), static_cast<int>(text[i]),
                                               static_cast<int>(text[i + 1]));
    }
    width += advance * scale_;
  }
  return width;
}

void Font::draw(at::Tensor& pixels, double x, double y, std::u32string_view text, uint8_t shade) const {
  const int64_t rows = pixels.size(0), columns = pixels.size(1);
  auto* out = pixels.mutable_data_ptr<uint8_t>();
  std::vector<unsigned char> ink;
  for (size_t i = 0; i < text.size(); ++i) {
    const double pen = x + width(text.substr(0, i + 1)) - width(text.substr(i, 1));
    const auto whole = static_cast<int>(std::floor(pen));
    const auto fraction = static_cast<float>(pen - whole);
    const int glyph = stbtt_FindGlyphIndex(font_.get(), static_cast<int>(text[i]));
    int left = 0, top = 0, right = 0, bottom = 0;
    stbtt_GetGlyphBitmapBoxSubpixel(font_.get(), glyph, scale_, scale_, fraction, 0, &left, &top, &right,
                                    &bottom);
    const int wide = right - left, high = bottom - top;
    if (wide <= 0 || high <= 0) continue;
    ink.assign(static_cast<size_t>(wide) * static_cast<size_t>(high), 0);
    stbtt_MakeGlyphBitmapSubpixel(font_.get(), ink.data(), wide, high, wide, scale_, scale_, fraction, 0,
                                  glyph);
    for (int row = 0; row < high; ++row) {
      const int64_t at_row = std::lround(y) + top + row;
      if (at_row < 0 || at_row >= rows) continue;
      for (int column = 0; column < wide; ++column) {
        const int64_t at_column = int64_t{whole} + left + column;
        if (at_column < 0 || at_column >= columns) continue;
        const int coverage =
            ink[static_cast<size_t>(row) * static_cast<size_t>(wide) + static_cast<size_t>(column)];
        uint8_t* pixel = out + (at_row * columns + at_column) * 3;
        for (int c = 0; c < 3; ++c)
          pixel[c] = static_cast<uint8_t>((pixel[c] * (255 - coverage) + shade * coverage + 127) / 255);
      }
    }
  }
}

std::u32string Font::shortened(std::u32string text, double width) const {
  constexpr char32_t ellipsis = U'\u2026';
  while (!text.empty() && this->width(text + ellipsis) > width) text.pop_back();
  while (!text.empty() && text.back() == U' ') text.pop_back();
  return text + ellipsis;
}

std::vector<std::u32string> Font::wrap(std::string_view utf8, double width, size_t most) const {
  std::vector<std::u32string> lines;
  const auto text = characters(utf8);
  std::u32string line;
  const auto finish = [&] {
    lines.push_back(this->width(line) > width ? shortened(line, width) : line);
    line.clear();
  };
  for (size_t i = 0; i < text.size();) {
    const size_t end = std::min(text.find_first_of(U" \n", i), text.size());
    const auto word = text.substr(i, end - i);
    const auto longer = line.empty() ? word : line + U' ' + word;
    if (!line.empty() && this->width(longer) > width) {
      finish();
      line = word;
    } else {
      line = longer;
    }
    if (end < text.size() && text[end] == U'\n') finish();
    i = end + 1;
  }
  if (!line.empty()) finish();
  if (lines.size() > most) {
    lines.resize(most);
    lines.back() = shortened(lines.back(), width);
  }
  return lines;
}

}  // namespace w2w
