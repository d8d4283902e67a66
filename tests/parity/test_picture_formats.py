"""GIF, TIFF, HEIC and AVIF, and very large JPEGs, against Pillow and pillow-heif, live."""
import numpy as np
import pillow_heif
import pytest
import torch
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from safetensors import safe_open

pillow_heif.register_heif_opener()


def read(probe, path, tmp_path, *side):
    probe("image", path, tmp_path / "pixels.safetensors", *side)
    with safe_open(tmp_path / "pixels.safetensors", "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def pixels(probe, path, tmp_path, *side):
    return read(probe, path, tmp_path, *side)["pixels"]


def noise(height, width, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height, width):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1).astype(np.uint8)


def of_pillow(path, mode="RGB"):
    with Image.open(path) as saved:
        return np.asarray(ImageOps.exif_transpose(saved).convert(mode))


# GIF.

@pytest.mark.parametrize("options", [{}, {"interlace": 1}, {"transparency": 3}], ids=["plain", "interlaced", "transparent"])
@pytest.mark.parametrize("colours", [2, 16, 200])
def test_gif(probe, tmp_path, colours, options):
    picture = Image.fromarray(noise(33, 17, 3)).quantize(colours)
    picture.save(tmp_path / "x.gif", **options)
    found = pixels(probe, tmp_path / "x.gif", tmp_path)
    transparent = "transparency" in options and colours > 3
    expected = of_pillow(tmp_path / "x.gif", "RGBA" if transparent else "RGB").copy()
    if transparent:  # stb leaves black where nothing is to be seen
        expected[expected[..., 3] == 0] = 0
    assert np.array_equal(found, expected)


def test_grey_gif(probe, tmp_path):
    Image.fromarray(noise(33, 17, 1)[..., 0]).save(tmp_path / "x.gif")
    assert np.array_equal(pixels(probe, tmp_path / "x.gif", tmp_path), of_pillow(tmp_path / "x.gif"))


def test_the_first_frame_of_an_animation(probe, tmp_path):
    frames = [Image.fromarray(noise(20, 30, 3, seed)).quantize(64) for seed in range(3)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:], duration=50, loop=0)
    with Image.open(tmp_path / "x.gif") as saved:
        assert saved.n_frames == 3
    assert np.array_equal(pixels(probe, tmp_path / "x.gif", tmp_path), of_pillow(tmp_path / "x.gif"))


def test_cut_gifs_are_refused(probe, tmp_path):
    Image.fromarray(noise(20, 30, 3)).quantize(64).save(tmp_path / "x.gif")
    whole = (tmp_path / "x.gif").read_bytes()
    for size in range(6, len(whole) - 1, 13):
        (tmp_path / "cut.gif").write_bytes(whole[:size])
        assert "GIF: damaged or cut short" in probe("image", tmp_path / "cut.gif", tmp_path / "out", code=3).stderr


# TIFF.

TIFFS = {
    "rgb": Image.fromarray(noise(33, 17, 3)), "rgba": Image.fromarray(noise(33, 17, 4)), "grey": Image.fromarray(noise(33, 17, 1)[..., 0]),
    "grey_alpha": Image.merge("LA", [Image.fromarray(noise(33, 17, 1, s)[..., 0]) for s in (1, 2)]),
    "palette": Image.fromarray(noise(33, 17, 3)).quantize(200), "two_colours": Image.fromarray(noise(33, 17, 1)[..., 0] > 99),
}


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("name", TIFFS)
def test_tiff(probe, tmp_path, name, compression):
    picture = TIFFS[name]
    picture.save(tmp_path / "x.tif", compression=compression)
    found = read(probe, tmp_path / "x.tif", tmp_path)
    assert np.array_equal(found["pixels"], of_pillow(tmp_path / "x.tif", "RGBA" if "A" in picture.mode else "RGB"))
    assert ("indices" in found) == (name == "palette")
    if name == "palette":
        assert np.array_equal(found["indices"], np.asarray(picture))


def test_cmyk_tiff(probe, tmp_path):
    Image.fromarray(noise(33, 17, 4), "CMYK").save(tmp_path / "x.tif")
    difference = pixels(probe, tmp_path / "x.tif", tmp_path).astype(int) - of_pillow(tmp_path / "x.tif")
    assert np.abs(difference).max() <= 1  # libtiff cuts off the product of colour and black, Pillow rounds it


def test_jpeg_within_tiff(probe, tmp_path):
    Image.fromarray(smooth(64, 48)).save(tmp_path / "x.tif", compression="jpeg", quality=95)
    difference = pixels(probe, tmp_path / "x.tif", tmp_path).astype(int) - of_pillow(tmp_path / "x.tif")
    assert np.abs(difference).max() <= 2  # two libjpegs may round differently


def test_sixteen_bit_tiff(probe, tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (40, 30), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "x.tif")
    found = pixels(probe, tmp_path / "x.tif", tmp_path)
    assert np.array_equal(found, np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiffs_are_upright(probe, tmp_path, orientation):
    tags = ImageFileDirectory_v2()
    tags[274] = orientation
    for picture in (Image.fromarray(smooth(40, 56)), Image.fromarray(smooth(40, 56)).quantize(99)):
        picture.convert("RGB").save(tmp_path / "rgb.tif", tiffinfo=tags)
        expected = of_pillow(tmp_path / "rgb.tif")  # of one with a palette Pillow 13 forgets to turn the pixels
        assert expected.shape == ((40, 56, 3) if orientation < 5 else (56, 40, 3))
        picture.save(tmp_path / "x.tif", tiffinfo=tags)
        found = read(probe, tmp_path / "x.tif", tmp_path)
        assert np.array_equal(found["pixels"], expected)
        assert found.get("indices", expected).shape[:2] == expected.shape[:2]


def test_premultiplied_tiff(probe, tmp_path):
    Image.fromarray(noise(33, 17, 4)).save(tmp_path / "x.tif")
    data = (tmp_path / "x.tif").read_bytes()
    entry = bytes([0x52, 0x01, 3, 0, 1, 0, 0, 0, 2, 0])  # ExtraSamples: 2, straight
    assert data.count(entry) == 1
    (tmp_path / "x.tif").write_bytes(data.replace(entry, entry[:-2] + bytes([1, 0])))
    assert np.array_equal(pixels(probe, tmp_path / "x.tif", tmp_path), of_pillow(tmp_path / "x.tif", "RGBA"))


def test_the_first_page_of_a_tiff(probe, tmp_path):
    pages = [Image.fromarray(noise(20, 30, 3, seed)) for seed in range(3)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(pixels(probe, tmp_path / "x.tif", tmp_path), noise(20, 30, 3))


def test_raw_photographs_are_named(probe, tmp_path):
    tags = ImageFileDirectory_v2()
    tags[254] = 1  # a reduced picture, as cameras put it first
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / "x.nef", "TIFF", tiffinfo=tags)
    assert "a raw camera file" in probe("image", tmp_path / "x.nef", tmp_path / "out", code=3).stderr


def test_cut_and_damaged_tiffs(probe, tmp_path):
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / "x.tif", compression="tiff_lzw")
    whole = (tmp_path / "x.tif").read_bytes()
    for size in range(8, len(whole), 97):
        (tmp_path / "cut.tif").write_bytes(whole[:size])
        assert "TIFF: " in probe("image", tmp_path / "cut.tif", tmp_path / "out", code=3).stderr
    tags = ImageFileDirectory_v2()
    Image.fromarray(noise(1, 1, 3)).save(tmp_path / "x.tif", tiffinfo=tags)
    bomb = (tmp_path / "x.tif").read_bytes()
    for tag in (256, 257):  # 65535 x 65535 pixels
        at = bomb.index(tag.to_bytes(2, "little") + b"\3\0\1\0\0\0") if tag.to_bytes(2, "little") + b"\3\0\1\0\0\0" in bomb \
            else bomb.index(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0")
        bomb = bomb[:at + 8] + b"\xff\xff\0\0" + bomb[at + 12:]
    (tmp_path / "bomb.tif").write_bytes(bomb)
    assert "at most 268 megapixels" in probe("image", tmp_path / "bomb.tif", tmp_path / "out", code=3).stderr


# HEIC and AVIF.

def save(picture, path, **options):
    picture.save(path, **options)
    return of_pillow(path, "RGBA" if picture.mode == "RGBA" else "RGB")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("name,options,bound", [  # YCbCr becomes RGB in integers here and in floats there
    ("x.heic", {"quality": 95, "chroma": 444}, 1), ("x.heic", {"quality": 95, "chroma": 420}, 1),
    ("x.avif", {"quality": 95, "subsampling": "4:4:4"}, 1),
    ("x.avif", {"quality": 95, "subsampling": "4:2:0"}, 5)])  # libavif interpolates chroma of half the size, libheif repeats it
def test_heic_and_avif(probe, tmp_path, name, options, bound, mode):
    picture = Image.fromarray(smooth(80, 56)).convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.fromarray(smooth(80, 56)[..., 1]))
    expected = save(picture, tmp_path / name, **options).astype(int)
    found = pixels(probe, tmp_path / name, tmp_path)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= bound


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["x.heic", "x.avif"])
def test_heic_and_avif_are_upright_once(probe, tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth(40, 56)).save(tmp_path / name, quality=95, exif=exif.tobytes())
    expected = of_pillow(tmp_path / name).astype(int)
    found = pixels(probe, tmp_path / name, tmp_path)
    assert found.shape == expected.shape == ((40, 56, 3) if orientation < 5 else (56, 40, 3))
    assert np.abs(found - expected).max() <= 6  # chroma of half the size, as above


def test_heic_of_ten_bits(probe, tmp_path):
    deep = smooth(40, 56).astype("<u2") * 257
    pillow_heif.encode("RGB;16", (56, 40), deep.tobytes(), tmp_path / "x.heic", quality=95, chroma=444)
    assert pillow_heif.open_heif(tmp_path / "x.heic", convert_hdr_to_8bit=False).info["bit_depth"] > 8
    difference = pixels(probe, tmp_path / "x.heic", tmp_path).astype(int) - of_pillow(tmp_path / "x.heic")
    assert np.abs(difference).max() <= 1  # 10 bits are cut there and rounded here


def test_cut_heic_and_avif(probe, tmp_path):
    for name in ("x.heic", "x.avif"):
        Image.fromarray(noise(64, 64, 3)).save(tmp_path / name, quality=60)
        whole = (tmp_path / name).read_bytes()
        for size in range(16, len(whole), len(whole) // 12):
            (tmp_path / "cut").write_bytes(whole[:size])
            assert "HEIF: " in probe("image", tmp_path / "cut", tmp_path / "out", code=3).stderr, size


def test_kinds_that_are_not_read_are_named(probe, tmp_path):
    for begin, name in ((b"%PDF-1.7", "a PDF"), (b"\xff\x0a", "JPEG XL"), (b"", "an empty file"), (b"<!DOCTYPE html>", "a web page"),
                        (b"\0\0\0\x18ftypmp42", "a video"), (b"hello", "something else")):
        (tmp_path / "x.jpg").write_bytes(begin)
        assert f"found {name}" in probe("image", tmp_path / "x.jpg", tmp_path / "out", code=3).stderr


# Very large JPEGs.

def detailed(height, width):
    """Noise at every scale, as photographs have it."""
    total = np.zeros((height, width, 3), np.float32)
    for level in range(1, 12):
        coarse = Image.fromarray(noise(2 ** level, 2 ** level * 4 // 3, 3, level)).resize((width, height), Image.BICUBIC)
        total += np.asarray(coarse, np.float32) / 2 ** level
    return total.clip(0, 255).astype(np.uint8)


def resized(found, side):
    small = torch.nn.functional.interpolate(torch.from_numpy(found.copy()).permute(2, 0, 1)[None].float(), (side, side * 4 // 3), mode="bilinear",
                                            antialias=True)
    return small.numpy()


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_large_jpegs_are_reduced(probe, tmp_path, mode):
    Image.fromarray(detailed(4500, 6000)).convert(mode).save(tmp_path / "x.jpg", quality=92)
    found = pixels(probe, tmp_path / "x.jpg", tmp_path, 512)
    assert found.shape == (1125, 1500, 3)  # a quarter, and no less than 2 * 512
    difference = np.abs(resized(found, 512) - resized(of_pillow(tmp_path / "x.jpg"), 512))
    print(f"{mode}: {difference.mean():.3f} on average, {difference.max():.2f} at most of 255")
    assert difference.mean() < 0.2 and difference.max() < 2  # libjpeg averages squares, which the resize has to smooth again
    assert pixels(probe, tmp_path / "x.jpg", tmp_path, 2000).shape == (4500, 6000, 3)


def test_usual_jpegs_are_never_reduced(probe, tmp_path):
    Image.fromarray(smooth(3000, 4000)).save(tmp_path / "x.jpg")
    assert np.array_equal(pixels(probe, tmp_path / "x.jpg", tmp_path, 64), pixels(probe, tmp_path / "x.jpg", tmp_path))


def test_a_large_jpeg_that_lies_on_its_side(probe, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth(4000, 8000)).save(tmp_path / "x.jpg", exif=exif)
    assert pixels(probe, tmp_path / "x.jpg", tmp_path, 500).shape == (2000, 1000, 3)
    found = resized(pixels(probe, tmp_path / "x.jpg", tmp_path, 500), 512)
    assert np.abs(found - resized(of_pillow(tmp_path / "x.jpg"), 512)).max() < 2
