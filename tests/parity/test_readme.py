"""The examples of README.md, docs/tour.md and docs/formats.md are run as they are written there."""
import re
import shlex

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from conftest import ROOT


def section(title, page="docs/tour.md"):
    text = (ROOT / page).read_text()
    assert f"\n## {title}\n" in text, f"{page} has no section '{title}'"
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def code(text, language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)
    assert len(blocks) == 1, f"expected one block of ```{language} in the section, found {len(blocks)}"
    return blocks[0]


def run_commands(w2w, text):
    """Lines "build/w2w ...", in a folder where share/ and examples/ lie as in the source tree."""
    for name in ("share", "examples"):
        (w2w.home / name).symlink_to(ROOT / name)
    for line in text.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "build/w2w"
        w2w(*arguments)


def pictures_exist(text):
    pictures = re.findall(r"!\[[^]]*\]\((.*?)\)", text)
    assert pictures and all((ROOT / "docs" / picture).exists() for picture in pictures), pictures


def test_one_example_of_each_command(w2w, tmp_path):
    text = code(section("Commands", "README.md"), "")
    listed = re.findall(r"^  (\w+)  ", w2w("--help").stdout.split("\nCommands\n")[1], re.M)
    assert listed and sorted(line.split()[1] for line in text.splitlines()) == sorted(listed)
    run_commands(w2w, text)
    assert {"snow.png", "back.safetensors", "people/photo_Beard+2_sheet.png", "people/person-7_lora.safetensors", "alien/alien_00_0.safetensors"} <= {
        str(path.relative_to(tmp_path)) for path in tmp_path.glob("**/*.*")}


def test_tour(w2w, tmp_path):
    text = section("Find, edit and compare people")
    run_commands(w2w, "".join(re.findall(r"^```\n(.*?)^```", text, re.S | re.M)))
    assert {"photo.safetensors", "photo-to-person-7_sheet.png", "photo_nearest.png"} <= {p.name for p in (tmp_path / "tour").iterdir()}
    pictures_exist(text)


def test_your_own_space(w2w, tmp_path):
    """With three steps of training (after the first, A has not moved yet) instead of many: what the space looks like is seen in
    docs/aliens.png (scripts/tour.py)."""
    text = section("Your own space")
    commands, steps = re.subn(r"(train .*--steps) \d+", r"\1 3", code(text, ""))
    assert steps == 1
    run_commands(w2w, commands)
    w2w("space", "verify", "aliens/space")
    assert {"directions.safetensors", "space.json"} <= {p.name for p in (tmp_path / "aliens/space").iterdir()}
    assert (tmp_path / "aliens/edit/person-5_Violet-1.5..+1.5_sheet.png").exists()
    pictures_exist(text)


def test_the_same_person_in_diffusers(w2w, tmp_path, monkeypatch):
    text = section("The same person in diffusers")
    run_commands(w2w, code(text, ""))
    lines = code(text, "python").splitlines()
    assert len([line for line in lines if line.strip() and not line.startswith(("import", "from"))]) <= 5
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(lines), "docs/tour.md", "exec"), {})
    ours, theirs = (np.asarray(Image.open(tmp_path / path)).astype(int)
                    for path in ("people/person-7_p1_s5.png", "people/diffusers.png"))
    print(f"\nlargest difference: {np.abs(ours - theirs).max()} of 255")
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() <= 1


def test_a_lora_by_numpy(w2w, tmp_path, monkeypatch):
    """The equation and the names of docs/formats.md."""
    text = section("From coefficients to weights", "docs/formats.md")
    run_commands(w2w, "build/w2w sample --identity-seed 7 --no-images -o people\nbuild/w2w export people/person-7.safetensors --dtype f32 -o people")
    monkeypatch.chdir(tmp_path)
    exec(compile(code(text, "python"), "docs/formats.md", "exec"), {})
    ours, theirs = load_file("people/person-7_lora.safetensors"), load_file("numpy_lora.safetensors")
    assert ours.keys() == theirs.keys()
    largest = max(np.abs(ours[name] - theirs[name]).max() for name in ours)
    print(f"\nlargest difference: {largest:.1e} of {max(np.abs(values).max() for values in ours.values()):.2f}")
    assert largest <= 2e-6
