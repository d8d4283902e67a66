"""The io room against torch, safetensors, pandas and Pillow, live: files of one are read by the other, without a difference."""
import json
import os
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pandas
import pytest
import safetensors.torch
import torch
from PIL import Image, ImageOps, PngImagePlugin
from safetensors import safe_open

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
          torch.uint8, torch.bool]


def every_dtype(seed=0):
    generator = torch.Generator().manual_seed(seed)
    tensors = {str(dtype)[6:]: (torch.randn(3, 5, generator=generator) * 10).to(dtype) for dtype in DTYPES}
    return tensors | {"scalar": torch.tensor(2.5), "empty": torch.empty(0, 3), "key.with.dots": torch.ones(2, 1, 2)}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, name
        assert torch.equal(found[name], tensor), name


def through_probe(probe, source, tmp_path):
    probe("tensors", source, tmp_path / "out.safetensors")
    return safetensors.torch.load_file(tmp_path / "out.safetensors")


def test_safetensors_of_the_library(probe, tmp_path):
    metadata = {"format": "pt", "prompt": "a \"quoted\" smörgås 人\n"}
    tensors = every_dtype() | {f"u{bits}": torch.arange(4).to(getattr(torch, f"uint{bits}")) for bits in (16, 32, 64)}
    safetensors.torch.save_file(tensors, tmp_path / "x.safetensors", metadata)
    found = through_probe(probe, tmp_path / "x.safetensors", tmp_path)
    assert_same(found, tensors)
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        assert file.metadata() == metadata


def test_safetensors_layout_is_that_of_the_library(probe, tmp_path):
    """Tensors of one dtype: the same header and payload, only the order of the header's keys may differ."""
    tensors = {f"layer.{i}.weight": torch.randn(i + 1, 3) for i in range(12)}
    safetensors.torch.save_file(tensors, tmp_path / "x.safetensors")
    probe("tensors", tmp_path / "x.safetensors", tmp_path / "out.safetensors")
    length = lambda data: struct.unpack("<Q", data[:8])[0]  # noqa: E731
    ours, theirs = (tmp_path / "out.safetensors").read_bytes(), (tmp_path / "x.safetensors").read_bytes()
    assert ours[8 + length(ours):] == theirs[8 + length(theirs):]
    assert json.loads(ours[8:8 + length(ours)]) == json.loads(theirs[8:8 + length(theirs)])


FORMATS = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}, "protocol4": {"pickle_protocol": 4},
           "legacy_protocol4": {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
           "protocol5": {"pickle_protocol": 5}}


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS.keys())
def test_state_dicts_of_torch(probe, tmp_path, options):
    base = torch.arange(60, dtype=torch.float32)
    state = every_dtype() | {
        "transposed": base.view(6, 10).t(), "part": base[7:30:3], "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 4),
        "parameter": torch.nn.Parameter(torch.randn(4)), "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)}
    for content in (state, OrderedDict(state), {"state_dict": state, "epoch": 7, "hyper": {"lr": [1e-3, None, True]}}):
        torch.save(content, tmp_path / "x.pt", **options)
        assert_same(through_probe(probe, tmp_path / "x.pt", tmp_path), state)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    torch.save(module.state_dict(), tmp_path / "x.pt", **options)
    assert_same(through_probe(probe, tmp_path / "x.pt", tmp_path), dict(module.state_dict()))


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS.keys())
def test_bare_and_nested_tensors(probe, tmp_path, options):
    torch.save(torch.arange(5.0), tmp_path / "x.pt", **options)
    assert_same(through_probe(probe, tmp_path / "x.pt", tmp_path), {"": torch.arange(5.0)})
    torch.save({"a": {"b": torch.ones(1)}, "c": [torch.zeros(2), 3]}, tmp_path / "x.pt", **options)
    assert_same(through_probe(probe, tmp_path / "x.pt", tmp_path), {"a.b": torch.ones(1), "c.0": torch.zeros(2)})


def test_optimizer_state(probe, tmp_path):
    weights = [torch.nn.Parameter(torch.randn(3, 2)) for _ in range(2)]
    optimizer = torch.optim.AdamW(weights)
    with torch.enable_grad():
        sum(weight.square().sum() for weight in weights).backward()
    optimizer.step()
    torch.save(optimizer.state_dict(), tmp_path / "x.pt")
    found = through_probe(probe, tmp_path / "x.pt", tmp_path)
    assert_same(found, {f"{i}.{key}": tensor for i, entry in optimizer.state_dict()["state"].items() for key, tensor in entry.items()})


def test_weight_dimensions(probe, tmp_path):
    dimensions = {f"base.{i}.lora_A.weight": (320 * i, torch.Size([1, 320 * i])) for i in range(1, 129)}
    for options in FORMATS.values():
        torch.save(dimensions, tmp_path / "x.pt", **options)
        tree = json.loads(probe("value", tmp_path / "x.pt").stdout)
        assert {key: (count, torch.Size(shape)) for key, (count, shape) in tree["dict"]} == dimensions


def test_plain_values(probe, tmp_path):
    content = {"text": "né\n\0", "none": None, "flag": False, "small": -5, "large": 2**40, "negative": -2**62, "real": -1e-300,
               "tuple": (1, (2, ())), "set": {4}, "bytes": bytes(range(256)), "no bytes": b"", 7: "number as key"}
    for options in FORMATS.values():
        torch.save(content, tmp_path / "x.pt", **options)
        found = {str(key): value for key, value in json.loads(probe("value", tmp_path / "x.pt").stdout)["dict"]}
        assert found == {"text": "né\n\0", "none": None, "flag": False, "small": -5, "large": 2**40, "negative": -2**62,
                         "real": -1e-300, "tuple": [1, [2, []]], "set": [4], "bytes": {"bytes": list(range(256))},
                         "no bytes": {"bytes": []}, "7": "number as key"}


def test_code_in_a_file_is_not_run(probe, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'owned'}",)

    for options in FORMATS.values():
        torch.save({"weight": torch.ones(1), "x": Evil()}, tmp_path / "x.pt", **options)
        done = probe("tensors", tmp_path / "x.pt", tmp_path / "out.safetensors", code=3)
        assert "posix.system" in done.stderr and "hint:" in done.stderr
    assert not (tmp_path / "owned").exists() and not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("tensor", [torch.randn(1, 1000), torch.randn(4, 6).t(), torch.arange(3), torch.tensor(1.5).half(),
                                    torch.tensor([True, False]), torch.empty(0, 2)], ids=lambda t: f"{t.dtype}-{t.dim()}d")
def test_torch_reads_what_is_written(probe, tmp_path, tensor):
    safetensors.torch.save_file({"x": tensor.contiguous()}, tmp_path / "x.safetensors")
    probe("torch", tmp_path / "x.safetensors", tmp_path / "x.pt")
    for options in ({}, {"mmap": True}):
        found = torch.load(tmp_path / "x.pt", weights_only=True, **options)
        assert found.dtype == tensor.dtype and torch.equal(found, tensor)
    assert zipfile.ZipFile(tmp_path / "x.pt").testzip() is None


# Label tables.

def read_labels(probe, path, tmp_path):
    names = json.loads(probe("labels", path, tmp_path / "labels.safetensors").stdout)
    values = safetensors.torch.load_file(tmp_path / "labels.safetensors")["values"]
    return pandas.DataFrame(values.numpy(), index=names["rows"], columns=names["columns"])


def frames():
    random = np.random.default_rng(0)
    names = [f"person_{i}" for i in range(500)]
    columns = [f"attribute {i}" for i in range(40)]
    labels = random.choice([-1, 1], (500, 40))
    yield "celeba", pandas.DataFrame(labels, index=names, columns=columns)
    yield "fortran", pandas.DataFrame(np.asfortranarray(labels), index=names, columns=columns)
    yield "transposed", pandas.DataFrame(labels.T.copy(), columns=names, index=columns).T
    yield "float32", pandas.DataFrame(labels.astype("float32"), index=names, columns=columns)
    yield "int8", pandas.DataFrame(labels.astype("int8"), index=names, columns=columns)
    yield "range_index", pandas.DataFrame(labels, columns=columns)
    yield "integer_index", pandas.DataFrame(labels, index=np.arange(500) * 7, columns=columns)
    mixed = pandas.DataFrame({"a": labels[:, 0], "b": labels[:, 1] * 0.5, "c": labels[:, 2] > 0, "d": labels[:, 3]}, index=names)
    mixed.insert(1, "late", labels[:, 4])
    yield "mixed", mixed
    yield "selected_rows", pandas.DataFrame(labels, index=names, columns=columns).loc[names[::-3]]
    objects = pandas.DataFrame({"a": labels[:, 0].astype(object), "b": labels[:, 1]}, index=names)
    objects.iloc[3, 0] = None
    yield "objects", objects
    yield "missing", pandas.DataFrame(labels, index=names, columns=columns).where(labels > 0)
    yield "columns_one_by_one", pandas.concat([pandas.Series(labels[:, i], index=names, name=columns[i]) for i in range(40)], axis=1)


@pytest.mark.parametrize("name,frame", list(frames()), ids=lambda value: value if isinstance(value, str) else "")
def test_data_frames_of_pandas(probe, tmp_path, name, frame):
    expected = frame.astype("float32")
    expected.index = [str(row) for row in frame.index]
    for options in FORMATS.values():
        torch.save(frame, tmp_path / "x.pt", **options)
        pandas.testing.assert_frame_equal(read_labels(probe, tmp_path / "x.pt", tmp_path), expected)
    frame.to_csv(tmp_path / "x.csv")
    pandas.testing.assert_frame_equal(read_labels(probe, tmp_path / "x.csv", tmp_path), expected)


TABLES = {  # text, how pandas is asked for it
    "comma": ("name,a,b\nx,0.5,2\ny,-1,3\n", {}),
    "crlf": ("name,a,b\r\nx,0.5,2\r\n\r\ny,-1,3\r\n", {}),
    "byte order mark": ("\ufeffname,a,b\nx,0.5,2\n", {}),
    "semicolons": ("name;a;b\nx;0.5;2\ny;-1;3\n", {"sep": ";"}),
    "decimal commas": ("name;a;b\nx;0,5;2\ny;-1,25e1;3\n", {"sep": ";", "decimal": ","}),
    "tabs": ("name\ta\tb\nx\t0.5\t2\n", {"sep": "\t"}),
    "quoted names": ("name;\"a, b\";c\nx;1;2\n", {"sep": ";"}),
    "flags": ("name,a,b\nx,True,2\ny,FALSE,3\nz,tRUE,4\n", {}),
    "missing": ("name,a,b\nx,NA,2\ny,1,n/a\nz,,nan\n", {}),
    "blank lines": ("name,a,b\n\nx,1,2\n  \n,,\ny,3,4\n,,\n", {}),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_as_pandas_reads_them(probe, tmp_path, name):
    text, options = TABLES[name]
    (tmp_path / "x.csv").write_bytes(text.encode())
    expected = pandas.read_csv(tmp_path / "x.csv", index_col=0, **options)
    expected = expected.loc[expected.index.notna()].astype("float32")  # pandas keeps rows of nothing, without a name
    expected.index.name = None
    pandas.testing.assert_frame_equal(read_labels(probe, tmp_path / "x.csv", tmp_path), expected)


@pytest.mark.parametrize("text, says", [
    ("name;a\nx;0,5\ny;0.5\n", "expected either decimal points or decimal commas, found '0.5' in line 3 and '0,5' in line 2"),
    ("name\ta\nx\t0,5\n", "expected a decimal point, found '0,5'"), ('name,a\nx,"0,5"\n', "expected a decimal point, found '0,5'"),
    ("name,a;b\nx,1\n", "mixes commas, semicolons and tabs"), ("name,a\nx,True\ny,1\n", "expected True or False, found '1'"),
    ("name,a\nx,1\ny,True\n", "expected a number, found 'True'"), ("name,a\nx,yes\n", "no column holds numbers")])
def test_tables_that_could_be_misread(probe, tmp_path, text, says):
    (tmp_path / "x.csv").write_text(text)
    assert says in probe("labels", tmp_path / "x.csv", tmp_path / "out", code=3).stderr


@pytest.mark.parametrize("line", [b"\xc4", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x8f\xbf\xbf", "ä€\U0010ffff\ud7ff\ue000".encode()])
def test_tables_are_utf8_where_pandas_says_so(probe, tmp_path, line):
    (tmp_path / "x.csv").write_bytes(b"name,a\n" + line + b",1\n")
    try:
        pandas.read_csv(tmp_path / "x.csv")
        code = 0
    except UnicodeDecodeError:
        code = 3
    error = probe("labels", tmp_path / "x.csv", tmp_path / "out", code=code).stderr
    assert code == 0 or "expected text in UTF-8, found other bytes in line 2" in error


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_tables_in_utf16_are_named(probe, tmp_path, encoding):
    (tmp_path / "x.csv").write_bytes(("" if encoding == "utf-16" else "\ufeff").encode(encoding) + "name,a\nx,1\n".encode(encoding))
    assert "expected text in UTF-8, found UTF-16" in probe("labels", tmp_path / "x.csv", tmp_path / "out", code=3).stderr


# Pictures.

def pixels_of(probe, path, tmp_path):
    probe("image", path, tmp_path / "pixels.safetensors")
    with safe_open(tmp_path / "pixels.safetensors", "np") as file:
        return file.get_tensor("pixels"), file.metadata() or {}


def noise(height, width, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height, width):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8)


PNGS = {
    "rgb": Image.fromarray(noise(33, 17, 3)), "rgba": Image.fromarray(noise(33, 17, 4)),
    "grey": Image.fromarray(noise(33, 17, 1)[..., 0]),
    "grey_alpha": Image.merge("LA", [Image.fromarray(noise(33, 17, 1, s)[..., 0]) for s in (1, 2)]),
    "palette": Image.fromarray(noise(33, 17, 3)).quantize(200), "two_colours": Image.fromarray(noise(33, 17, 1)[..., 0] > 99),
}


@pytest.mark.parametrize("name", PNGS)
def test_png_of_pillow(probe, tmp_path, name):
    picture = PNGS[name]
    picture.save(tmp_path / "x.png")
    alpha = "A" in picture.mode
    assert np.array_equal(pixels_of(probe, tmp_path / "x.png", tmp_path)[0], np.asarray(picture.convert("RGBA" if alpha else "RGB")))


def test_palette_with_transparency(probe, tmp_path):
    picture = Image.fromarray(noise(20, 20, 3)).quantize(16)
    picture.save(tmp_path / "x.png", transparency=3)
    with Image.open(tmp_path / "x.png") as saved:
        expected = np.asarray(saved.convert("RGBA"))
    assert np.array_equal(pixels_of(probe, tmp_path / "x.png", tmp_path)[0], expected)


def test_sixteen_bits_are_rounded(probe, tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (40, 30), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "x.png")
    found, _ = pixels_of(probe, tmp_path / "x.png", tmp_path)
    assert np.array_equal(found, np.repeat(np.round(deep / 257).astype(np.uint8)[..., None], 3, -1))


def test_png_texts_of_pillow(probe, tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "sks person\nSteps: 50, Sampler: café")
    info.add_text("packed", "long " * 500, zip=True)
    info.add_itxt("w2w", "{\"prompt\": \"人 𝄞\"}")
    info.add_itxt("packed too", "人" * 900, zip=True)
    Image.fromarray(noise(5, 4, 3)).save(tmp_path / "x.png", pnginfo=info)
    assert pixels_of(probe, tmp_path / "x.png", tmp_path)[1] == {
        "parameters": "sks person\nSteps: 50, Sampler: café", "packed": "long " * 500, "w2w": "{\"prompt\": \"人 𝄞\"}",
        "packed too": "人" * 900}


def jpeg_close(found, expected):
    """Two libjpegs may round an inverse cosine transform differently; nothing else may differ."""
    return found.shape == expected.shape and np.abs(found.astype(int) - expected).max() <= 2


def save_turned(path, picture, exif=None, xmp=None):
    """A picture with an orientation in its EXIF block, its XMP packet, or both."""
    options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {"lossless": True, "exact": True}
    if exif:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = exif
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{xmp}"/></x:xmpmeta>'
    if xmp and path.suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", packet)
    elif xmp:
        options["xmp"] = packet.encode()
    picture.save(path, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp"])
def test_pictures_are_upright(probe, tmp_path, name, orientation):
    for where in ({"exif": orientation}, {"xmp": orientation}, {"exif": orientation, "xmp": 1 + orientation % 8}):
        save_turned(tmp_path / name, Image.fromarray(smooth(40, 56)), **where)
        with Image.open(tmp_path / name) as saved:
            expected = np.asarray(ImageOps.exif_transpose(saved).convert("RGB"))
        assert expected.shape == ((40, 56, 3) if orientation < 5 else (56, 40, 3))
        assert jpeg_close(pixels_of(probe, tmp_path / name, tmp_path)[0], expected), where


def test_cmyk_without_the_marker_of_adobe(probe, tmp_path):
    Image.fromarray(smooth(40, 56)).convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    data = (tmp_path / "x.jpg").read_bytes()
    at = data.index(b"\xff\xee")
    (tmp_path / "x.jpg").write_bytes(data[:at] + data[at + 2 + int.from_bytes(data[at + 2:at + 4], "big"):])
    with Image.open(tmp_path / "x.jpg") as saved:
        assert saved.mode == "CMYK" and "adobe" not in saved.info
        expected = np.asarray(saved.convert("RGB"))
    assert jpeg_close(pixels_of(probe, tmp_path / "x.jpg", tmp_path)[0], expected)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_jpeg_modes_of_pillow(probe, tmp_path, mode):
    Image.fromarray(smooth(40, 56)).convert(mode).save(tmp_path / "x.jpg", quality=95, progressive=True)
    with Image.open(tmp_path / "x.jpg") as saved:
        expected = np.asarray(saved.convert("RGB"))
    assert jpeg_close(pixels_of(probe, tmp_path / "x.jpg", tmp_path)[0], expected)


@pytest.mark.parametrize("name", ["x.bmp", "x.tga", "x.webp"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_other_formats_of_pillow(probe, tmp_path, name, mode):
    options = {"lossless": True, "exact": True} if name == "x.webp" else {}
    if name == "x.bmp" and mode == "RGBA":
        mode = "1"  # Pillow writes no alpha into BMP, but pictures of one bit
    picture = Image.fromarray(noise(33, 18, 4)).convert(mode)
    picture.save(tmp_path / name, **options)
    assert np.array_equal(pixels_of(probe, tmp_path / name, tmp_path)[0], np.asarray(picture.convert("RGBA" if mode == "RGBA" else "RGB")))


TEXT = "sks person, café 人 𝄞\nNegative prompt: ugly\nSteps: 50, Sampler: DDIM, CFG scale: 3.0, Seed: 5"


def write_picture(probe, tmp_path, pixels, metadata, name):
    safetensors.torch.save_file({"pixels": torch.from_numpy(pixels)}, tmp_path / "in.safetensors", metadata)
    probe("picture", tmp_path / "in.safetensors", tmp_path / name)
    return Image.open(tmp_path / name)


def test_pillow_reads_written_png(probe, tmp_path):
    with write_picture(probe, tmp_path, noise(31, 44, 3), {"parameters": TEXT, "w2w": "{}"}, "x.png") as picture:
        assert picture.mode == "RGB" and picture.info["w2w"] == "{}" and str(picture.info["parameters"]) == TEXT
        assert np.array_equal(np.asarray(picture), noise(31, 44, 3))


def test_pillow_reads_written_jpeg(probe, tmp_path):
    with write_picture(probe, tmp_path, smooth(64, 48), {"parameters": TEXT}, "x.jpg") as picture:
        comment = picture.getexif().get_ifd(0x8769)[0x9286]
        assert comment[:8] == b"UNICODE\0" and comment[8:].decode("utf-16-be") == TEXT
        assert np.abs(np.asarray(picture).astype(int) - smooth(64, 48)).mean() < 2
    assert pixels_of(probe, tmp_path / "x.jpg", tmp_path)[1] == {"parameters": TEXT}


@pytest.mark.parametrize("comment", [b"UNICODE\0" + TEXT.encode("utf-16-le"), b"ASCII\0\0\0" + b"sks person",
                                     b"\0" * 8 + TEXT.encode()], ids=["little_endian", "ascii", "undefined"])
def test_comments_of_other_writers(probe, tmp_path, comment):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    Image.fromarray(smooth(16, 16)).save(tmp_path / "x.jpg", exif=exif)
    expected = "sks person" if comment.startswith(b"ASCII") else TEXT
    assert pixels_of(probe, tmp_path / "x.jpg", tmp_path)[1]["parameters"] == expected
