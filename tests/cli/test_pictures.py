"""`sample` and `render`: what they write, what they print, what they refuse."""
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from conftest import until
from parity.tiny_models import SHAPES, make_pipeline
from parity.tiny_spaces import make_space


@pytest.fixture
def sample(w2w, world):
    def run(*arguments, **options):
        return w2w("sample", *world.options, *arguments, **options)
    return run


@pytest.fixture
def person(sample, tmp_path):
    sample("--identity-seed", 7, "--no-images")
    return tmp_path / "person-7.safetensors"


def names(done):
    return done.stdout.splitlines()


def pixels(path):
    return np.asarray(Image.open(path))


def test_people_times_prompts_times_seeds(sample, tmp_path):
    done = sample("--count", 2, "--identity-seed", 7, "-p", "a person", "-p", "sks person", "-s", "5,8-9", "-o", "out")
    expected = [f"out/person-{i}{rest}" for i in (7, 8)
                for rest in [".safetensors"] + [f"_p{p}_s{s}.png" for p in (1, 2) for s in (5, 8, 9)]]
    assert names(done) == expected
    assert sorted(f"out/{path.name}" for path in (tmp_path / "out").iterdir()) == sorted(expected)
    assert pixels(tmp_path / "out/person-7_p1_s5.png").shape == (64, 64, 3)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("how", ["zeros", "cut", "shard", "index"])
def test_a_model_that_was_not_downloaded_to_its_end(w2w, world, person, tmp_path, part, how):
    shutil.copytree(world.model, tmp_path / "m")
    (file,) = (tmp_path / "m" / part).glob("*.safetensors")
    content, tensors = file.read_bytes(), load_file(file)
    kept = len(content) // 4  # drawing needs no more of a VAE than its decoder, which comes first
    if how in ("zeros", "cut"):
        file.write_bytes(content[:kept] + bytes(len(content) - kept if how == "zeros" else 0))
    else:  # two shards, of which the second is missing or not named
        names = sorted(tensors)
        shards = {name: f"{file.stem}-{1 + (i >= len(names) // 4):05}-of-00002.safetensors" for i, name in enumerate(names)}
        first = file.with_name(f"{file.stem}-00001-of-00002.safetensors")
        save_file({n: t for n, t in tensors.items() if shards[n] == first.name}, first)
        if how == "index":
            shards = {n: s for n, s in shards.items() if s == first.name}
        file.with_name(file.name + ".index.json").write_text(json.dumps({"weight_map": shards}))
        file.unlink()
    code, says = {"zeros": (3, "expected trained values, found zeros at the end of"), "cut": (3, "the tensors need"),
                  "shard": (4, "no such file"), "index": (3, "missing: ")}[how]
    own = ["-m", "m", "--space", world.folder, "-s", 1, "--steps", 2, "-o", "out"]
    for command in ["sample", "--identity-seed", 1], ["render", person]:
        done = w2w(*command, *own, code=code)
        assert says in done.stderr and part in done.stderr and "w2w: error: " in done.stderr
        assert not list((tmp_path / "out").glob("*.png"))
    if how == "zeros":
        assert "hint: the download is probably incomplete: download the file again" in done.stderr


def test_json_lists_the_outputs(sample):
    done = json.loads(sample("--identity-seed", 3, "-s", 4, "--json").stdout)
    assert done["command"] == "sample"
    assert [(o["path"], o["kind"]) for o in done["outputs"]] == [("person-3.safetensors", "coefficients"),
                                                                 ("person-3_p1_s4.png", "picture")]
    assert done["outputs"][1]["seed"] == 4 and done["outputs"][1]["identity_seed"] == 3


def test_coefficients_carry_where_they_come_from(person, world):
    with safe_open(person, "pt") as file:
        metadata, tensor = file.metadata(), file.get_tensor("coefficients")
    assert metadata["w2w.format"] == "1" and metadata["w2w.space"] == world.space.hash
    assert json.loads(metadata["w2w.history"])[0]["identity_seed"] == 7
    std, mean = torch.std_mean(world.space.projections, dim=0)
    expected = mean + std * torch.randn(20, generator=torch.Generator("cpu").manual_seed(7))
    torch.testing.assert_close(tensor, expected, rtol=1e-6, atol=1e-6)


def test_the_same_command_gives_the_same_bytes_anywhere(sample, tmp_path):
    for folder in ("a", "b/c"):
        (tmp_path / folder).parent.mkdir(exist_ok=True)
        sample("--identity-seed", 7, "-s", 5, "--lora", "kohya", "-o", folder)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b/c" / file.name).read_bytes(), file.name


@pytest.mark.parametrize("more", [[], ["--cfg-scale", 1], ["--sampler", "euler_a"], ["-p", "a person", "-p", "a man", "-n", "blue", "-s", "1,2"]])
def test_people_side_by_side(sample, tmp_path, more):
    """Two in each pass and the fifth alone are the people drawn one by one."""
    done = {n: sample("--count", 5, "--identity-seed", 7, "-s", 5, *more, "--together", n, "-o", f"t{n}") for n in (1, 2)}
    assert "pictures 1 to 2 of " in done[2].stderr
    files = sorted(path.name for path in (tmp_path / "t1").iterdir())
    assert sorted(path.name for path in (tmp_path / "t2").iterdir()) == files == sorted(line[3:] for line in names(done[2]))
    drawn = []
    for name in files:
        one, many = tmp_path / "t1" / name, tmp_path / "t2" / name
        if name.endswith(".png"):
            drawn.append(pixels(one).astype(int))
            assert np.abs(drawn[-1] - pixels(many)).max() <= 1, name
            assert Image.open(one).info == Image.open(many).info
        else:
            assert one.read_bytes() == many.read_bytes(), name
    assert all(np.abs(a - b).max() > 8 for i, a in enumerate(drawn) for b in drawn[:i]), "they differ"


def test_a_seed_nobody_chose_is_printed(sample, tmp_path):
    done = sample()
    (picture,) = tmp_path.glob("*.png")
    identity, seed = picture.stem.removeprefix("person-").split("_p1_s")
    assert identity in done.stderr and seed in done.stderr


@pytest.mark.parametrize("form", ["kohya", "peft", "diffusers"])
def test_a_lora_draws_what_its_coefficients_draw(w2w, sample, world, tmp_path, form):
    sample("--identity-seed", 7, "-s", 5, "--lora", form)
    (lora,) = tmp_path.glob("person-7_lora*")
    w2w("render", lora, *world.options, "-s", 5, "-o", "lora.png")
    difference = np.abs(pixels(tmp_path / "lora.png").astype(int) - pixels(tmp_path / "person-7_p1_s5.png"))
    assert difference.max() <= 8, "f16 factors"
    assert difference.mean() < 0.5


def test_render_gives_the_picture_of_sample(w2w, sample, world, tmp_path):
    sample("--identity-seed", 7, "-s", 5)
    w2w("render", "person-7.safetensors", *world.options, "-s", 5, "-o", "again.png")
    assert (pixels(tmp_path / "again.png") == pixels(tmp_path / "person-7_p1_s5.png")).all()


def test_the_reference_file_draws_the_same(w2w, person, world, tmp_path):
    (tmp_path / "ref").mkdir()
    torch.save(load_file(person)["coefficients"][None], tmp_path / "ref/w2wmodel.pt")
    w2w("render", person, "ref/w2wmodel.pt", *world.options, "-s", 5)
    assert (pixels(tmp_path / "ref_p1_s5.png") == pixels(tmp_path / "person-7_p1_s5.png")).all()


def test_inspect_prints_the_command_that_makes_a_picture_again(w2w, sample, tmp_path):
    sample("--identity-seed", 7, "-s", 5, "-p", "it's a \"person\" on the beach", "-n", "man", "--sampler", "Euler a",
           "--cfg-scale", 4.5, "-W", 72, "-o", "first")
    (picture,) = (tmp_path / "first").glob("*.png")
    text = w2w("inspect", picture).stdout
    (line,) = [line.strip() for line in text.splitlines() if "w2w sample" in line]
    words = shlex.split(line[line.index("w2w sample"):])
    w2w(*words[1:], "-o", "second")
    (again,) = (tmp_path / "second").glob("*.png")
    assert (pixels(again) == pixels(picture)).all()
    assert again.name == picture.name
    assert "Negative prompt: man" in Image.open(picture).text["parameters"]
    assert "Steps: 2, Sampler: Euler a, CFG scale: 4.5, Seed: 5, Size: 72x64" in Image.open(picture).text["parameters"]


def test_no_metadata_leaves_none(sample, tmp_path):
    sample("--identity-seed", 7, "-s", 5, "--no-metadata")
    assert not Image.open(tmp_path / "person-7_p1_s5.png").text


def test_existing_files_are_refused_before_any_work(sample, tmp_path):
    (tmp_path / "person-8.safetensors").write_text("mine")
    done = sample("--count", 2, "--identity-seed", 7, code=1)
    assert "person-8.safetensors" in done.stderr and "--force" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["person-8.safetensors"]
    sample("--count", 2, "--identity-seed", 7, "--force", "--no-images")
    assert (tmp_path / "person-8.safetensors").read_bytes() != b"mine"


REFUSED = [
    (["-W", 60], 2, "width must be divisible by 8", "64"),
    (["-H", 100], 2, "height must be divisible by 8", "104"),
    (["--sampler", "eulr"], 2, "eulr", "euler"),
    (["-s", "5-"], 2, "5-", ""),
    (["-s", "one"], 2, "one", ""),
    (["--steps", 0], 2, "--steps", ""),
    (["--components", 21], 2, "20", ""),
    (["--spread", "wide"], 2, "--spread", ""),
    (["--lora", "koya"], 2, "koya", "kohya"),
    (["--space", "nowhere"], 4, "nowhere", ""),
    (["--model", "nowhere"], 4, "nowhere", ""),
    (["-o", "/proc/out"], 1, "/proc/out", ""),
]


@pytest.mark.parametrize("arguments, code, what, hint", REFUSED, ids=lambda value: str(value)[:30])
def test_bad_input_is_refused_with_a_sentence(sample, tmp_path, arguments, code, what, hint):
    done = sample(*arguments, code=code)
    assert done.stderr.splitlines()[-2 if "hint:" in done.stderr else -1].startswith("w2w: error: ")
    assert what in done.stderr and hint in done.stderr
    assert not done.stdout and not list(tmp_path.iterdir())


def test_a_person_of_another_space_is_refused(w2w, person, world, tmp_path):
    other = make_space(make_pipeline(SHAPES["demo"]).unet, components=9, seed=5)
    folder = other.save_compact(tmp_path / "other")
    done = w2w("render", person, "--model", world.model, "--space", folder, code=1)
    assert "person-7.safetensors" in done.stderr
    assert other.hash[:8] in done.stderr and world.space.hash[:8] in done.stderr
    torch.save(load_file(person)["coefficients"][None], tmp_path / "old.pt")  # does not say which space it belongs to
    done = w2w("render", "old.pt", "--model", world.model, "--space", folder, code=1)
    assert "old.pt" in done.stderr and "20" in done.stderr and "9" in done.stderr


def test_a_space_of_another_model_is_refused(w2w, world, tmp_path):
    folder = make_space(make_pipeline(SHAPES["sd1"]).unet).save_compact(tmp_path / "sd1")
    done = w2w("sample", "--model", world.model, "--space", folder, "-o", "out", code=1)
    assert "attn2.to_v" in done.stderr and "hint: choose the model the space was made with" in done.stderr


@pytest.mark.parametrize("content, code", [(None, 4), (b"", 3), (b"no tensors here", 3)])
def test_an_identity_that_cannot_be_read(w2w, world, tmp_path, content, code):
    if content is not None:
        (tmp_path / "x.safetensors").write_bytes(content)
    done = w2w("render", "x.safetensors", *world.options, code=code)
    assert "x.safetensors" in done.stderr


def test_coefficients_that_are_no_numbers(w2w, world, tmp_path):
    save_file({"coefficients": torch.full((20,), float("nan"))}, tmp_path / "x.safetensors")
    assert "x.safetensors" in w2w("render", "x.safetensors", *world.options, code=3).stderr


@pytest.mark.parametrize("what", ["coefficients", "picture"])
def test_a_full_disk_leaves_no_half_file(w2w, sample, world, tmp_path, what):
    """A limit on file size stands in for a full disk: the write fails in the middle. Pictures are written in the background."""
    sample("--identity-seed", 7, "-o", "whole")
    coefficients, picture = (next((tmp_path / "whole").glob(form)).stat().st_size for form in ("*.safetensors", "*.png"))
    most = 300 if what == "coefficients" else (coefficients + picture) // 2
    assert coefficients < picture

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    done = subprocess.run([w2w.path, "sample", *map(str, world.options), "--identity-seed", "7", "--count", "3", "-o", "out"],
                          cwd=tmp_path, env=w2w.environment(), capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1 and ("7.safetensors" if what == "coefficients" else "person-7_p1_s") in done.stderr
    assert sorted(map(str, (tmp_path / "out").iterdir())) == sorted(str(tmp_path / line) for line in names(done))
    assert not list((tmp_path / "out").glob("*.png"))


def test_interrupted_work_leaves_whole_files_only(w2w, world, tmp_path):
    told = tmp_path / "told.txt"
    with open(told, "w") as stdout:
        run = subprocess.Popen([w2w.path, "sample", *map(str, world.options), "--count", "500", "--identity-seed", "1", "-o", "out"],
                               cwd=tmp_path, env=w2w.environment(), stdout=stdout, stderr=subprocess.PIPE, text=True)
    until(lambda: ".png" in told.read_text(), run)
    run.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, messages = run.communicate(timeout=60)
    assert run.returncode == 130 and "interrupted" in messages
    drawn = re.search(r"drew seed (\d+)", messages)[1]
    assert f"hint: the same command with --skip-existing --seed {drawn} makes the rest" in messages
    assert time.monotonic() - start < 30
    assert told.read_text().startswith("out/person-1.safetensors\nout/person-1_p1_s")
    assert sorted(told.read_text().splitlines()) == sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "out").iterdir())
    for path in (tmp_path / "out").iterdir():
        pixels(path) if path.suffix == ".png" else load_file(path)


def test_a_sheet_of_people(sample, w2w, world, tmp_path):
    """One picture each: a grid. Several: people are the columns."""
    done = json.loads(sample("--count", 5, "--identity-seed", 3, "-s", 1, "--sheet", "--json").stdout)
    assert done["outputs"][-1]["path"] == "person-3_and_4_more_sheet.png" and done["outputs"][-1]["kind"] == "sheet"
    sheet = pixels(tmp_path / "person-3_and_4_more_sheet.png")
    assert 2 * 192 < sheet.shape[0] < 3 * 192 and 3 * 192 < sheet.shape[1] < 4 * 192
    people = [f"person-{i}.safetensors" for i in (3, 4, 5)]
    w2w("render", *people, *world.options, "-s", "1,2", "-p", "a", "-p", "b", "--grid", "-o", "out/all.png")
    sheet = pixels(tmp_path / "out/all.png")
    assert 4 * 192 < sheet.shape[0] < 5 * 192 and 3 * 192 < sheet.shape[1] < 5 * 192
    assert len(list((tmp_path / "out").glob("person-4_p?_s?.png"))) == 4, "the pictures have their own names beside it"
    for person, column in ((3, 0), (4, 1), (5, 2)):
        for row, name in enumerate(("p1_s1", "p1_s2", "p2_s1", "p2_s2")):
            left, top = place_of(pixels(tmp_path / f"out/person-{person}_{name}.png"), sheet)
            assert left * 3 // sheet.shape[1] == column and top * 4 // sheet.shape[0] == row
    command = json.loads(w2w("inspect", "out/all.png", "--json").stdout)["files"][0]["facts"]["command"]
    w2w(*shlex.split(command)[1:], "-o", "again/all.png")
    assert (tmp_path / "again/all.png").read_bytes() == (tmp_path / "out/all.png").read_bytes()


def place_of(picture, sheet):
    """Where the picture is on the sheet, enlarged by torch."""
    planes = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    large = torch.nn.functional.interpolate(planes, scale_factor=3, mode="bicubic").round().clamp(0, 255)[0].permute(1, 2, 0).numpy().astype(int)
    height, width = large.shape[:2]
    for top, left in zip(*np.where((sheet[:1 - height, :1 - width] == large[0, 0]).all(axis=2))):
        if (sheet[top:top + height, left:left + width] == large).all():
            return left, top
    raise AssertionError("the picture is not on the sheet")


def test_a_sheet_needs_pictures_that_one_can_look_at(sample, tmp_path):
    assert "--no-images draws none" in sample("--sheet", "--no-images", code=2).stderr
    assert "at most 1000 pictures, found 1002" in sample("--count", 501, "-s", "1,2", "--sheet", code=2).stderr
    assert not list(tmp_path.glob("person*"))


def test_another_prompt_in_the_same_folder(w2w, world, person, tmp_path):
    def render(*arguments, **options):
        return names(w2w("render", person, *world.options, "-s", 1, *arguments, **options))
    assert render() == ["person-7_p1_s1.png"]
    assert render("-p", "sks person, on the Beach!") == ["person-7_p1_s1_on-the-Beach.png"]
    assert "person-7_p1_s1_on-the-Beach.png" in w2w("render", person, *world.options, "-s", 1, "-p", "sks person, on the Beach!", code=1).stderr
    assert render("-p", "sks person at sea", "--no-metadata") == ["person-7_p1_s1_at-sea.png"]
    assert render("-p", "sks person at sea", "--force") == ["person-7_p1_s1.png"]
    w2w("render", person, *world.options, "-s", 1, "-p", "sks person at sea", code=1)
    assert render("-p", "sks person at sea", "--number") == ["person-7-2_p1_s1.png"]
    assert render("-p", "sks person at sea", "--number", "-o", "x.png") == ["x.png"]
    assert render("-p", "sks person at sea", "--number", "-o", "x.png") == ["x-2.png"]
    assert "cannot be combined" in w2w("render", person, *world.options, "--number", "--force", code=2).stderr


def test_numbered_people(sample, tmp_path):
    """All outputs of a person get one number, the first that is free for all of them."""
    (tmp_path / "person-8-2_p1_s1.png").write_bytes(b"")
    sample("--identity-seed", 7, "--count", 2, "-s", 1)
    found = names(sample("--identity-seed", 7, "--count", 2, "-s", 1, "--number"))
    assert found == ["person-7-2.safetensors", "person-7-2_p1_s1.png", "person-8-3.safetensors", "person-8-3_p1_s1.png"]


def test_a_picture_of_no_numbers_is_a_failure(w2w, world, tmp_path):
    released = world.space.save_released(tmp_path / "files")
    components = torch.load(released / "V.pt")
    components[5, 0] = float("nan")
    torch.save(components, released / "V.pt")
    done = w2w("sample", "-m", world.model, "--space", released, "--identity-seed", 7, "-s", 1, "--steps", 1, code=1)
    assert "not finite" in done.stderr and "hint: `w2w space verify`" in done.stderr
    assert not list(tmp_path.glob("*.png"))


def test_syntax_of_other_programs_is_told_of(sample):
    prompt = "a (red:1.4) person <lora:x:0.8>"
    told = lambda *more: sample("--steps", 1, "-s", 1, "--force", "-p", prompt, *more).stderr
    assert 'warning: "<lora:x:0.8>" is treated as plain text: pass LoRAs as files' in told()
    assert 'warning: "<lora:x:0.8>" is treated as plain text' in told("--prompt-weights")
    assert "plain words" not in sample("--steps", 1, "-s", 1, "--force", "--prompt-weights", "-p", "a (red:1.4) person").stderr
    assert '"(red:1.4)" is treated as plain text: prompt weights are off' in sample("--steps", 1, "-s", 1, "--force", "-p", "a (red:1.4)").stderr


def test_a_prompt_that_is_not_utf8(w2w, tmp_path):
    """Arguments are bytes, metadata is text: the picture is drawn all the same, and what cannot be told is U+FFFD."""
    w2w("sample", "--identity-seed", 7, "-s", 1, "--steps", 1, "-p", os.fsdecode(b"caf\xe9 person"), "-o", "p")
    with Image.open(tmp_path / "p/person-7_p1_s1.png") as picture:
        assert json.loads(picture.text["w2w"])["prompt"] == "caf\ufffd person"
        assert picture.text["parameters"].startswith("caf\ufffd person\n")
