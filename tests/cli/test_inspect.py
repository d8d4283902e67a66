"""`w2w inspect` tells every kind of file w2w reads, and refuses others with the right exit code."""
import json
import shlex

import numpy as np
import pandas
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file

from conftest import ROOT

DEMO = ROOT / "share" / "w2w" / "demo"
MODULE = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture
def inspect(w2w):
    def get(path, **options):
        result = json.loads(w2w("inspect", "--json", path, **options).stdout)
        assert result["command"] == "inspect"
        [file] = result["files"]
        assert file["path"] == str(path)
        text = w2w("inspect", path).stdout
        assert text.startswith(f"{path}: ")
        return file
    return get


def test_the_demo_world(inspect):
    model = inspect(DEMO / "model")
    assert model["kind"] == "model" and model["facts"]["vae_down_factor"] == 4
    space = inspect(DEMO / "space")
    described = json.loads((DEMO / "space" / "space.json").read_text())
    assert space["kind"] == "space" and space["facts"]["components"] == described["components"]
    assert space["facts"]["hash"] == described["hash"]
    assert inspect(DEMO / "model" / "tokenizer")["kind"] == "tokenizer"


def test_coefficients(inspect, tmp_path):
    metadata = {"w2w.format": "1", "w2w.space": "ab" * 32, "w2w.model": "demo", "w2w.history": "[]",
                "w2w.trigger": "sks person"}
    save_file({"coefficients": torch.zeros(40)}, tmp_path / "me.safetensors", metadata)
    file = inspect("me.safetensors")
    assert file["kind"] == "coefficients" and file["metadata"] == metadata
    assert file["facts"]["components"] == 40 and file["facts"]["space"] == "ab" * 32
    assert file["tensors"] == [{"name": "coefficients", "dtype": "f32", "shape": [40]}]
    torch.save(torch.zeros(1, 1000), tmp_path / "w2wmodel.pt")
    assert inspect("w2wmodel.pt")["facts"]["components"] == 1000
    assert inspect(tmp_path)["kind"] == "coefficients"


@pytest.mark.parametrize("format, down, up", [
    ("kohya", "lora_unet_" + MODULE.replace(".", "_") + ".lora_down.weight", "lora_unet_" + MODULE.replace(".", "_") + ".lora_up.weight"),
    ("diffusers", f"unet.{MODULE}.lora_A.weight", f"unet.{MODULE}.lora_B.weight"),
    ("peft", f"base_model.model.{MODULE}.lora_A.weight", f"base_model.model.{MODULE}.lora_B.weight"),
    ("diffusers, old names", f"unet.{MODULE}.lora.down.weight", f"unet.{MODULE}.lora.up.weight"),
])
def test_lora_formats(inspect, tmp_path, format, down, up):
    save_file({down: torch.zeros(4, 64, dtype=torch.float16), up: torch.zeros(64, 4, dtype=torch.float16)},
              tmp_path / "lora.safetensors")
    file = inspect("lora.safetensors")
    assert file["kind"] == "lora"
    assert file["facts"] | {"format": format, "modules": 1, "rank": 4} == file["facts"]
    assert [t["dtype"] for t in file["tensors"]] == ["f16", "f16"]


def test_peft_folder(inspect, tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"r": 1, "lora_alpha": 27, "target_modules": ["to_q", "to_v"]}')
    save_file({f"base_model.model.{MODULE}.lora_A.weight": torch.zeros(1, 64)}, tmp_path / "adapter_model.safetensors")
    facts = inspect(tmp_path)["facts"]
    assert (facts["format"], facts["r"], facts["lora_alpha"]) == ("peft", 1, 27)


def test_checkpoint_and_plain_tensors(inspect, tmp_path):
    torch.save({"state_dict": {"model.diffusion_model.out.2.weight": torch.zeros(4, 8)}}, tmp_path / "model.ckpt")
    assert inspect("model.ckpt")["kind"] == "checkpoint"
    save_file({f"t{i:03}": torch.zeros(2, 3, dtype=torch.bfloat16) for i in range(50)}, tmp_path / "many.safetensors")
    assert inspect("many.safetensors")["facts"]["values"] == 300


def test_long_lists_are_abbreviated_unless_verbose(w2w, tmp_path):
    save_file({f"t{i:03}": torch.zeros(2) for i in range(50)}, tmp_path / "many.safetensors", {"note": "long " * 100})
    short, whole = w2w("inspect", "many.safetensors").stdout, w2w("inspect", "-v", "many.safetensors").stdout
    assert "... and 30 more (-v shows all)" in short and "t049" not in short and "long " * 100 not in short
    assert "t049" in whole and "long " * 100 in whole


def test_tables_of_labels(inspect, tmp_path):
    (tmp_path / "labels.csv").write_text("name,Male,Young\na,1,-1\nb,-1,1\n")
    assert inspect("labels.csv")["facts"] == {"rows": 2, "columns": ["name", "Male", "Young"]}


def test_pandas_table(inspect, tmp_path):
    frame = pandas.DataFrame({"Male": [1.0, -1.0, 1.0], "Young": [1.0, 1.0, -1.0]}, index=["a", "b", "c"])
    torch.save(frame, tmp_path / "identity_df.pt")
    file = inspect("identity_df.pt")
    assert (file["kind"], file["facts"]) == ("table", {"rows": 3, "columns": ["Male", "Young"]})


def test_the_released_files(inspect, world, tmp_path):
    folder = world.space.save_released(tmp_path / "files")
    for name, shape in (("V.pt", [world.space.mean.numel(), 20]), ("mean.pt", [world.space.mean.numel()]), ("proj_20pc.pt", [30, 20])):
        file = inspect(folder / name)
        assert (file["kind"], file["tensors"][0]["shape"]) == ("tensors", shape), name
    assert inspect(folder / "weight_dimensions.pt")["facts"]["content"] == f"a dict of {2 * len(world.space.modules)}"


def test_json(inspect, tmp_path):
    (tmp_path / "some.json").write_text('{"format": 1, "names": ["a"]}')
    assert inspect("some.json")["facts"] == {"format": 1, "entries": 2}


def test_control_characters_stay_in_the_file(w2w, tmp_path):
    save_file({"t\x1b[2J": torch.zeros(1)}, tmp_path / "x.safetensors", {"note": "a\x1b]0;title\x07b"})
    text = w2w("inspect", "x.safetensors").stdout
    assert "t?[2J" in text and "a?]0;title?b" in text and "\x1b" not in text


def test_pictures(inspect, tmp_path):
    info = PngInfo()
    info.add_text("parameters", "sks person\nSteps: 20, Seed: 5")
    Image.new("RGB", (40, 24)).save(tmp_path / "a.png", pnginfo=info)
    file = inspect("a.png")
    assert file["kind"] == "picture" and file["metadata"]["parameters"] == "sks person\nSteps: 20, Seed: 5"
    assert file["facts"] == {"width": 40, "height": 24, "alpha": False}
    Image.new("RGBA", (3, 2)).save(tmp_path / "b.webp")
    assert inspect("b.webp")["facts"]["alpha"]


def test_a_picture_tells_the_command_that_makes_it_again(w2w, tmp_path):
    arguments = ["sample", "--identity-seed", "7", "--seed", "5", "--steps", "3", "-p", "sks person's \"hat\" & glasses"]
    w2w(*arguments, "-o", "first")
    [picture] = (tmp_path / "first").glob("*.png")
    command = json.loads(w2w("inspect", "--json", picture).stdout)["files"][0]["facts"]["command"]
    assert f"  command  {command}\n" in w2w("inspect", "-v", picture).stdout
    program, *words = shlex.split(command)
    assert program == "w2w"
    w2w(*words, "-o", "again")
    [again] = (tmp_path / "again").glob("*.png")
    assert again.read_bytes() == picture.read_bytes()


def test_several_files_in_order(w2w, tmp_path):
    np.savetxt(tmp_path / "a.csv", [[1]], header="x", comments="")
    save_file({"t": torch.zeros(1)}, tmp_path / "b.safetensors")
    files = json.loads(w2w("inspect", "--json", "a.csv", "b.safetensors").stdout)["files"]
    assert [file["kind"] for file in files] == ["table", "tensors"]


@pytest.mark.parametrize("name, content", [("cut.safetensors", b"\x08\0\0\0\0\0\0\0{}"), ("text.txt", b"just some words"),
                                           ("empty", b""), ("empty.csv", b""), ("zip.pt", b"PK\x03\x04 broken"), ("cut.json", b"{")])
def test_what_cannot_be_read_exits_3(w2w, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in w2w("inspect", name, code=3).stderr


def test_a_folder_of_nothing_exits_3(w2w, tmp_path):
    assert "no known files in this folder" in w2w("inspect", tmp_path, code=3).stderr
