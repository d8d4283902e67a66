"""Files and options that ask for more than anybody has: refused, or read in time that grows with their size."""
import io
import json
import pickle
import struct
import subprocess
import zipfile
import zlib

import pytest

from conftest import ROOT
from measured import cost, measured

DEMO = ROOT / "share/w2w/demo"
SECONDS, MEGABYTES = 10, 800  # of the processor; several times what was measured


@pytest.fixture
def bounded(w2w, tmp_path):
    """bounded(code, *arguments): the messages of a run that ended with this code within time and memory."""
    def run(code, *arguments, **environment):
        with open(tmp_path / "messages", "wb") as stream:
            subprocess.run(measured([w2w.path, *arguments], tmp_path / "figures"), cwd=tmp_path, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=stream, env=w2w.environment(**environment), check=True)
        error = (tmp_path / "messages").read_bytes().decode(errors="replace")
        found = cost(tmp_path / "figures")
        print(f"{found.seconds:.1f} s, {found.megabytes:.0f} MB")
        assert found.code == code, error[-2000:]
        assert found.seconds < SECONDS and found.megabytes < MEGABYTES, (found, error[-500:])
        assert len(error) < 20_000, "a message as long as the input"
        return error
    return run


def safetensors(path, header):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 8)


def test_a_header_of_100_000_tensors(bounded, tmp_path):
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    last = {"last": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    safetensors(tmp_path / "many.safetensors", {f"tensor.{i}": empty for i in range(100_000)} | last)
    bounded(0, "inspect", "many.safetensors")
    bounded(0, "inspect", "--json", "many.safetensors")
    safetensors(tmp_path / "meta.safetensors", {"__metadata__": {f"key{i}": "x" for i in range(100_000)}} | last)
    bounded(0, "inspect", "--json", "meta.safetensors")


@pytest.mark.parametrize("part, field, value", [
    ("unet", "layers_per_block", 100_000), ("unet", "transformer_layers_per_block", 100_000), ("unet", "layers_per_block", 10**15),
    ("unet", "block_out_channels", [64] * 100_000), ("unet", "cross_attention_dim", 2**62), ("unet", "norm_num_groups", 2**40),
    ("vae", "layers_per_block", 100_000), ("vae", "block_out_channels", [32] * 70),
    ("text_encoder", "num_hidden_layers", 1_000_000), ("text_encoder", "vocab_size", 2**62), ("text_encoder", "max_position_embeddings", 2**40)])
def test_a_config_that_asks_for_more_than_the_file_has(bounded, tmp_path, part, field, value):
    for source in (DEMO / "model").rglob("*"):
        if source.is_file():
            target = tmp_path / "model" / source.relative_to(DEMO / "model")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)
    config = tmp_path / "model" / part / "config.json"
    text = json.loads(config.read_text())
    config.unlink()
    config.write_text(json.dumps(text | {field: value}))
    error = bounded(3, "sample", "-m", "model", "--steps", "1", "-s", "1", "-o", "out")
    assert field in error or "weights do not fit the model's config.json" in error or "do not fit together" in error


def test_a_zip_of_100_000_entries(bounded, tmp_path):
    with zipfile.ZipFile(tmp_path / "many.pt", "w") as file:
        for i in range(100_000):
            file.writestr(f"a/data/{i}", b"")
    assert "data.pkl" in bounded(3, "inspect", "many.pt")


def torch_zip(path, pickled):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", pickled)
        file.writestr("a/version", "3\n")


def test_pickles_that_grow_when_they_are_read(bounded, tmp_path):
    doubled = []
    for _ in range(60):  # 2^60 lists, each step naming the last one twice
        doubled = [doubled, doubled]
    torch_zip(tmp_path / "doubled.pt", pickle.dumps(doubled, 2))
    bounded(3, "inspect", "doubled.pt")
    wide = {"a": [0] * 1000}
    for i in range(12):
        wide = {str(k): wide for k in range(100)}
    torch_zip(tmp_path / "wide.pt", pickle.dumps(wide, 2))
    bounded(3, "inspect", "wide.pt")
    torch_zip(tmp_path / "deep.pt", b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".")
    bounded(3, "inspect", "deep.pt")
    torch_zip(tmp_path / "pushes.pt", b"\x80\x02" + b"N" * 5_000_000 + b".")
    bounded(0, "inspect", "pushes.pt")


def png(width, height, body=b"", text=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + text
            + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def test_pictures_that_claim_more_than_they_have(bounded, tmp_path):
    (tmp_path / "huge.png").write_bytes(png(2**31 - 1, 2**31 - 1))
    assert "IHDR" in bounded(3, "inspect", "huge.png")
    (tmp_path / "large.png").write_bytes(png(900_000, 900_000))
    assert "megapixels" in bounded(3, "inspect", "large.png")
    (tmp_path / "wide.png").write_bytes(png(13_000, 13_000, zlib.compress(b"\0" * 100)))
    bounded(3, "inspect", "wide.png")
    bomb = zlib.compress(b"\0" * 300_000_000, 9)
    data = b"Comment\0\0" + bomb
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    (tmp_path / "text.png").write_bytes(png(1, 1, zlib.compress(b"\0\0\0\0"), chunk))
    bounded(0, "inspect", "text.png")


def test_a_jpeg_of_thousands_of_scans(bounded, tmp_path):
    """Each goes over all pixels anew: 3 s of work for some hundred bytes."""
    from PIL import Image
    memory = io.BytesIO()
    Image.new("L", (8192, 8192)).save(memory, "JPEG", progressive=True, quality=10)
    data = memory.getvalue()
    last = data.rindex(b"\xff\xda")
    (tmp_path / "scans.jpeg").write_bytes(data[:last] + data[last:-2] * 3000 + b"\xff\xd9")
    assert "scans" in bounded(3, "inspect", "scans.jpeg")


def test_tables_prompts_and_settings(bounded, tmp_path):
    (tmp_path / "wide.csv").write_text("name," + ",".join(f"c{i}" for i in range(1_000_000)) + "\na" + ",1" * 1_000_000 + "\n")
    bounded(0, "inspect", "wide.csv")
    bounded(1, "direction", "fit", "wide.csv", "-o", "d.safetensors")
    (tmp_path / "long.txt").write_text("a person with glasses " * 100_000)
    bounded(0, "tokens", "--file", "long.txt")
    (tmp_path / "long.toml").write_text("".join(f"key{i} = 1\n" for i in range(300_000)))
    bounded(2, "tokens", "x", "--config", "long.toml")


def test_tokenizer_files(bounded, tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({f"w{i}": i for i in range(1_000_000)}))
    (tmp_path / "merges.txt").write_text("w1 w2\n" * 1_000_000)
    bounded(3, "tokens", "x", "--tokenizer", ".")
    bounded(0, "inspect", "vocab.json")


def test_a_space_that_claims_more_than_it_has(bounded, tmp_path):
    for name in ("basis.safetensors", "projections.safetensors"):
        (tmp_path / name).symlink_to(DEMO / "space" / name)
    described = json.loads((DEMO / "space/space.json").read_text())
    for change in ({"components": 2**62}, {"rank": 2**40}, {"parameters": 2**62}, {"modules": described["modules"] * 2000},
                   {"modules": [{"name": "x", "in": 2**62, "out": 2**62}]}):
        (tmp_path / "space.json").write_text(json.dumps(described | change))
        bounded(3, "inspect", tmp_path)


@pytest.mark.parametrize("arguments", [["sample", "-s", "1-1000000000"], ["sample", "--count", "1000000000000"], ["sample", "-s", ",".join(["1"] * 60_000)],
                                       ["edit", DEMO / "people_map.safetensors", "--sweep", "A=0:1:1000000000"], ["interpolate", "a", "b", "--points", "1000000000"],
                                       ["sample", "--steps", "1000000000"], ["sample", "-W", "1000000000"], ["sample", "--threads", "1000000000"]])
def test_options_without_bound_are_refused(bounded, arguments):
    bounded(2, *arguments)


def test_a_prompt_of_many_words(bounded):
    prompt = "a person with glasses " * 5000  # one argument may be 128 kB
    assert "cut off" in bounded(0, "tokens", prompt)
