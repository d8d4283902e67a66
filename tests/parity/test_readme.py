"""The README's sections "Tour", "Your own space" and "The same person in diffusers": what stands there is run as it stands."""
import re
import shlex

import numpy as np
from PIL import Image

from conftest import ROOT


def section(title):
    text = (ROOT / "README.md").read_text()
    assert f"\n## {title}\n" in text, f"README.md has no section '{title}'"
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


def test_tour(w2w, tmp_path):
    text = section("Tour")
    run_commands(w2w, "".join(re.findall(r"^```\n(.*?)^```", text, re.S | re.M)))
    assert {"photo.safetensors", "photo-to-person-7_sheet.png", "photo_nearest.png"} <= {p.name for p in (tmp_path / "tour").iterdir()}
    for picture in re.findall(r"\]\((docs/.*?)\)", text):
        assert (ROOT / picture).exists(), picture


def test_your_own_space(w2w, tmp_path):
    """With three steps of training (after the first, A has not moved yet) instead of many: what the space looks like is seen in
    docs/aliens.png (scripts/tour.py)."""
    text = section("Your own space")
    commands, steps = re.subn(r"(train .*--steps) \d+", r"\1 3", code(text, ""))
    assert steps == 1
    run_commands(w2w, commands)
    w2w("space", "verify", "aliens/space")
    assert {"directions.safetensors", "space.json"} <= {p.name for p in (tmp_path / "aliens/space").iterdir()}
    assert (tmp_path / "aliens/edit/person-5_edit_sheet.png").exists()
    for picture in re.findall(r"\]\((docs/.*?)\)", text):
        assert (ROOT / picture).exists(), picture


def test_the_same_person_in_diffusers(w2w, tmp_path, monkeypatch):
    text = section("The same person in diffusers")
    run_commands(w2w, code(text, ""))
    lines = code(text, "python").splitlines()
    assert len([line for line in lines if line.strip() and not line.startswith(("import", "from"))]) <= 5
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(lines), "README.md", "exec"), {})
    ours, theirs = (np.asarray(Image.open(tmp_path / path)).astype(int)
                    for path in ("people/person-7_p1_s5.png", "people/diffusers.png"))
    print(f"\nlargest difference: {np.abs(ours - theirs).max()} of 255")
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() <= 1
