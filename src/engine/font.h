#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct stbtt_fontinfo;

namespace w2w {

/// The characters of UTF-8; what is not becomes U+FFFD.
std::u32string characters(std::string_view utf8);

/// Open Sans at one size. Lengths are in pixels.
class Font {
 public:
  enum class Weight { regular, semibold };
  /// `size`: of the em square.
  Font(Weight weight, double size);

  double width(std::u32string_view text) const;
  double line_height() const { return 1.3 * size_; }
  /// Sets the text's left end and baseline at (x, y) of `pixels` u8 [H, W, 3], in a shade of grey (0: black).
  /// What is outside the picture is cut off.
  void draw(at::Tensor& pixels, double x, double y, std::u32string_view text, uint8_t shade) const;

  /// Lines no wider than `width`, broken at spaces and where the text breaks itself; what does not fit in
  /// `most` lines, or a word wider than a line, ends with an ellipsis.
  std::vector<std::u32string> wrap(std::string_view utf8, double width, size_t most) const;

 private:
  /// The text without its last characters, so that it fits with an ellipsis.
  std::u32string shortened(std::u32string text, double width) const;

  std::shared_ptr<const stbtt_fontinfo> font_;
  double size_;
  float scale_;
};

}  // namespace w2w
