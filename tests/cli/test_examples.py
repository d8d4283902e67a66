"""The examples of the help, run in the order of the commands in one folder, as somebody would who reads it from the top. Pictures
are drawn in few steps; what needs files or models that a newcomer does not have is left out and listed."""
import re
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT

DEMO = ROOT / "share/w2w/demo"
ELSEWHERE = re.compile(r"MODEL|sd15|released|stablediffusionapi|style\.safetensors|lora\.safetensors -m|\./|my-space|me\.safetensors --add Hat|--resume")
SHORTER = {"invert": ["--steps", "4"], "train": ["--steps", "2", "--num-class-images", "2"]}


def examples(w2w, command):
    text = w2w("help", *command.split()).stdout.split("\nExamples\n")[1].split("\n\n")[0]
    text = re.sub(r" \\\n +", " ", text)
    return [re.sub(r" {3,}.*", "", line).strip() for line in text.splitlines() if re.match(r"  w2w ", line)]


def listed(w2w, heading, *words):
    text = w2w(*words).stdout
    return re.findall(r"^  (\w+)  ", text.split(f"\n{heading}\n")[1].split("\n\n")[0], re.M) if f"\n{heading}\n" in text else []


@pytest.fixture
def own_files(tmp_path):
    """What a user brings: pictures, a mask, tables."""
    for name in ("photo.jpg", "painting.png", "a.jpg", "b.jpg", "c.jpg", "anna/1.png", "anna/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.open(DEMO / "photo.png").convert("RGB").save(tmp_path / name)
    Image.fromarray(np.full((64, 64), 255, np.uint8)).save(tmp_path / "head.png")
    (tmp_path / "people.csv").write_text("name,image\nbert,b.jpg\ncarl,c.jpg\n")
    (tmp_path / "prompts.txt").write_text("a person\n")
    shutil.copy(DEMO / "space/labels.csv", tmp_path / "mine.csv")
    shutil.copytree(DEMO / "space", tmp_path / "space")
    (tmp_path / "new_loras").mkdir()


def test_every_example_works_in_the_order_of_the_help(w2w, own_files, tmp_path):
    commands = listed(w2w, "Commands", "--help")
    commands = [name for command in commands for name in
                [command, *(f"{command} {action}" for action in listed(w2w, "Actions", "help", command))]]
    done, left_out = set(), []
    for command in commands:
        for example in examples(w2w, command):
            words = shlex.split(example)[1:]
            words = [name for word in words for name in
                     (sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob(word)) if "*" in word else [word])]
            if ELSEWHERE.search(example) or example.startswith(("w2w space build", "w2w completion")) or example in done:
                left_out.append(example)
                continue
            done.add(example)
            w2w(*words, *SHORTER.get(words[0], []), W2W_STEPS="3", W2W_THREADS="1")
    print(f"\n{len(done)} examples run; left out: {'; '.join(left_out)}")
    assert len(done) >= 40


def test_the_first_edit_shows_what_it_says(w2w, tmp_path):
    """Person 7 has glasses; the help's first edit adds them to person 8, so what it shows must differ there where glasses are."""
    w2w("sample", "--identity-seed", 8, "-s", 5, "--no-images")
    w2w("edit", "person-8.safetensors", "--add", "Eyeglasses=2", "-s", 5, W2W_STEPS="20")
    before, after = (np.asarray(Image.open(tmp_path / f"person-8_Eyeglasses+2{name}_p1_s5.png").convert("RGB")).astype(int) for name in ("_before", ""))
    change = np.abs(before - after).mean(axis=2)
    eyes, mouth = change[24:40, 16:48].mean(), change[46:56, 16:48].mean()
    print(f"\nchange at the eyes {eyes:.1f}, at the mouth {mouth:.1f} of 255")
    assert eyes > 15 and eyes > 2 * mouth
