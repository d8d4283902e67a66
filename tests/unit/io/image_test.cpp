#include "w2w/io/image.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/io/overwrite.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

using test::expect_error;
using test::overwrite;
using test::read_bytes;
using test::TemporaryFolder;

at::Tensor picture() {
  return at::arange(7 * 5 * 3, at::kInt).mul(37).remainder(256).to(at::kByte).view({7, 5, 3});
}

TEST(Image, PngRoundTrip) {
  TemporaryFolder folder;
  const Metadata text{
      {"parameters", "sks person\nSteps: 50"}, {"latin", "café"}, {"w2w", "{\"prompt\": \"人\"}"}};
  write_png(folder / "x.png", picture(), text);
  const Image image = read_image(folder / "x.png");
  EXPECT_TRUE(image.pixels.equal(picture()));
  EXPECT_EQ(image.text, text);
  const std::string bytes = read_bytes(folder / "x.png");
  EXPECT_NE(bytes.find("tEXtlatin"), std::string::npos);
  EXPECT_NE(bytes.find("iTXtw2w"), std::string::npos);
  write_image(folder / "y.PNG", picture(), text);
  EXPECT_EQ(read_bytes(folder / "y.PNG"), bytes);
}

TEST(Image, JpegCarriesParameters) {
  TemporaryFolder folder;
  const std::string text = "sks person, 𝄞 café 人\nSteps: 50";
  const at::Tensor grey = at::zeros({16, 24, 3}, at::kByte).add(100);
  write_image(folder / "x.jpg", grey, {{"parameters", text}});
  const Image image = read_image(folder / "x.jpg");
  EXPECT_TRUE(image.pixels.equal(grey));
  EXPECT_EQ(image.text, (Metadata{{"parameters", text}}));
  write_jpeg(folder / "plain.jpg", grey);
  EXPECT_TRUE(read_image(folder / "plain.jpg").text.empty());
}

TEST(Image, TooLongParametersAreLeftOutOfJpegWithAWarning) {
  TemporaryFolder folder;
  std::string warning;
  const w2w::Run run{{}, nullptr, [&](LogLevel, std::string_view text) { warning = text; }};
  write_jpeg(folder / "x.jpg", picture(), 90, std::string(40000, 'a'), run);
  EXPECT_NE(warning.find("too long for a JPEG"), std::string::npos);
  EXPECT_TRUE(read_image(folder / "x.jpg").text.empty());
}

TEST(Image, EveryTruncationIsRefused) {
  TemporaryFolder folder;
  write_png(folder / "x.png", picture(), {{"parameters", "text"}});
  write_jpeg(folder / "x.jpg", picture(), 95, "text");
  for (const char* name : {"x.png", "x.jpg"}) {
    const std::string bytes = read_bytes(folder / name);
    for (size_t size = 0; size < bytes.size(); ++size) {
      overwrite(folder / "cut", bytes.substr(0, size));
      expect_error(ErrorKind::malformed, "not a readable picture", [&] { read_image(folder / "cut"); });
    }
  }
}

TEST(Image, EveryDamagedByteIsReadOrRefused) {
  TemporaryFolder folder;
  write_png(folder / "x.png", picture(), {{"parameters", "text"}});
  write_jpeg(folder / "x.jpg", picture(), 95, "text");
  for (const char* name : {"x.png", "x.jpg"}) {
    const std::string bytes = read_bytes(folder / name);
    for (size_t at = 0; at < bytes.size(); ++at) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(~damaged[at]);
      overwrite(folder / "damaged", damaged);
      try {
        read_image(folder / "damaged");
      } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), 3) << error.what();
      }
    }
  }
}

TEST(Image, BombsAreRefusedBeforeTheyAreAllocated) {
  TemporaryFolder folder;
  // The header of a 60000 x 60000 RGB PNG, with its checksum, and nothing else.
  std::string bytes("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0", 29);
  bytes.append("\x0f\xb0\xe2\x15").append("\0\0\0\0IDAT", 8);
  overwrite(folder / "bomb.png", bytes);
  expect_error(ErrorKind::malformed, "60000 x 60000 pixels, expected at most 268 megapixels",
               [&] { read_image(folder / "bomb.png"); });
}

TEST(Image, WhatIsNoPicture) {
  TemporaryFolder folder;
  overwrite(folder / "x.png", "%PDF-1.7");
  expect_error(ErrorKind::malformed,
               "expected PNG, JPEG, WebP, GIF, TIFF, HEIC, AVIF, BMP or TGA, found a PDF",
               [&] { read_image(folder / "x.png"); });
  overwrite(folder / "x.bmp", std::string("BM\xff\0\0\0", 6));
  expect_error(ErrorKind::malformed, "BMP: expected 255 bytes, found 6",
               [&] { read_image(folder / "x.bmp"); });
  expect_error(ErrorKind::not_found, "no such file", [&] { read_image(folder / "none.png"); });
  expect_error(ErrorKind::usage, "no picture format for '.gif'",
               [&] { write_image(folder / "x.gif", picture()); });
  expect_error(ErrorKind::failure, "expected u8 [H, W, 3]",
               [&] { write_png(folder / "y.png", picture().to(at::kFloat)); });
  EXPECT_FALSE(std::filesystem::exists(folder / "y.png"));
}

}  // namespace
}  // namespace w2w
