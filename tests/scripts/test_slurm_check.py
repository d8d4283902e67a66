"""scripts/slurm/check.py finds whatever can be wrong with many people's outputs; no Slurm is needed. And what submit.sh would submit. Tables are read by w2w."""
import json
import os
import shlex
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from conftest import BUILD, ROOT

SCRIPTS = ROOT / "scripts" / "slurm"
PEOPLE = ["anna", "bert", "cora"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("W2W_")} | {"W2W_SLURM_PROGRAM": str(BUILD / "w2w")}


def write_person(folder, name, seed=1, steps=3, size=5, **metadata):
    folder.mkdir(exist_ok=True)
    history = json.dumps([{"command": "invert", "seed": seed, "images": [f"{name}.png"]}])
    save_file({"coefficients": np.ones(size, np.float32)}, folder / f"{name}.safetensors",
              {"w2w.space": "s1", "w2w.history": history} | metadata)
    write_log(folder, name, range(1, steps + 1))


def write_log(folder, name, steps, loss=0.5):
    (folder / f"{name}_loss.csv").write_text("step,loss,smoothed\n" + "".join(f"{step},{loss},0.5\n" for step in steps))


@pytest.fixture
def people(tmp_path):
    """A table and the outputs of its people."""
    (tmp_path / "table.csv").write_text("image,name\n" + "".join(f"{name}.png,{name}\n" for name in PEOPLE))
    for name in PEOPLE:
        (tmp_path / f"{name}.png").touch()
        write_person(tmp_path / "out", name)
    return tmp_path / "out"


def run_check(*arguments):
    return subprocess.run([sys.executable, SCRIPTS / "check.py", *arguments], capture_output=True, text=True, env=ENVIRONMENT)


def check(folder, *arguments, code=1):
    done = run_check(folder.parent / "table.csv", folder, *arguments)
    assert done.returncode == code, done.stderr
    return done


def test_everybody_is_there(people):
    assert check(people, code=0).stderr == "check.py: all 3 people are there, once, with the same settings\n"


def test_who_is_missing_and_the_command_that_goes_on(people):
    (people / "bert.safetensors").unlink()
    (people / "cora.safetensors").rename(people / "cora_checkpoint.safetensors")
    done = check(people)
    assert done.stdout.split() == ["bert", "cora"]
    assert done.stderr == ("check.py: 1 of 3 missing: bert\ncheck.py: 1 of 3 half way: cora\n"
                           "check.py: to go on:  the command that was submitted, again\n")
    (people.parent / "out.slurm").mkdir()
    (people.parent / "out.slurm" / "command").write_text("cd /x && submit.sh train\n")
    assert "to go on:  cd /x && submit.sh train\n" in check(people).stderr


def cut(people, keep):
    path = people / "bert.safetensors"
    path.write_bytes(path.read_bytes()[:keep])


@pytest.mark.parametrize("spoil, said", [
    (lambda p: cut(p, -1), "bert is not whole: expected"),
    (lambda p: cut(p, 30), "bert is not whole: it ends within its header"),
    (lambda p: cut(p, 3), "bert is not whole: it ends within its header"),
    (lambda p: (p / "bert.safetensors").write_bytes(struct.pack("<Q", 2) + b"[]"), "its header is not that of safetensors"),
    (lambda p: (p / "bert_loss.csv").unlink(), "its loss log is missing"),
    (lambda p: write_log(p, "bert", [1, 2, 2, 3]), "its loss log has step 2 where 3 is due"),
    (lambda p: write_log(p, "bert", [1, 3]), "its loss log has step 3 where 2 is due"),
    (lambda p: write_log(p, "bert", [1, 2, 3], "nan"), "its loss at step 1 is nan"),
    (lambda p: write_log(p, "bert", "x"), "its loss log is not readable"),
])
def test_who_is_not_whole(people, spoil, said):
    spoil(people)
    done = check(people)
    assert done.stdout == "bert\n" and said in done.stderr and "remove it to have it done again" in done.stderr


@pytest.mark.parametrize("other, said", [
    ({"seed": 2}, "seed: 2 in bert, 1 in 2 others"),
    ({"w2w.space": "s2"}, 'w2w.space: "s2" in bert, "s1" in 2 others'),
    ({"size": 6}, '"coefficients F32 [6]" in bert'),
    ({"steps": 4}, "steps in the log: 4 in bert, 3 in 2 others"),
])
def test_who_was_made_with_other_settings(people, other, said):
    write_person(people, "bert", **other)
    done = check(people)
    assert said in done.stderr and "to go on" not in done.stderr


def test_twice_and_not_in_the_table(people):
    write_person(people.parent / "more", "anna")
    write_person(people, "dora")
    done = check(people, people.parent / "more")
    assert f"anna was done twice: {people}/anna.safetensors, {people.parent}/more/anna.safetensors" in done.stderr
    assert "1 files of people who are not in the table: dora.safetensors" in done.stderr


def test_leftovers_of_finished_people_are_removed_on_request(people):
    left = people / "anna_checkpoint.safetensors"
    old, new = people / ".anna.safetensors.k2Zq9A", people / ".bert_loss.csv.AAAAAA"
    for path in (left, old, new):
        path.write_bytes(b"")
    os.utime(old, (time.time() - 7200,) * 2)
    (people / "bert_lora.safetensors").write_bytes(b"")  # a second form of the same person
    assert check(people, code=0).stderr.count("left over, --clean removes it") == 2
    assert left.exists()
    check(people, "--clean", code=0)
    assert not left.exists() and not old.exists() and new.exists()


@pytest.mark.parametrize("table, code, said", [
    ("name\nanna\n", 3, "has no column 'image'"),
    ("name,image\n", 3, "it has no rows"),
    ("name,image\nanna\n", 3, "line 2 has 1 cells, expected 2"),
    ("name,image\nanna,none.png\n", 3, "named in line 2 of"),
    ("name;image;prompt\nanna;a.png;sks\n", 0, "1\n"),
    ("name,image,mask\nanna,a.png,b.png\nbert,b.png,\n", 0, "2\n"),
    ("name,image,maske\nanna,a.png,b.png\n", 3, "did you mean 'mask'?"),
    ("name,image\nanna,a.png\nanna,b.png\n", 0, "1\n"),
    ("image\nx/anna.png\nx/bert.jpg\n", 0, "2\n"),
])
def test_the_table(tmp_path, table, code, said):
    (tmp_path / "t.csv").write_text(table)
    (tmp_path / "x").mkdir()
    for name in ("a.png", "b.png", "x/anna.png", "x/bert.jpg"):
        (tmp_path / name).touch()
    done = run_check("--count", tmp_path / "t.csv")
    assert done.returncode == code and said in done.stdout + done.stderr


def test_a_folder_of_folders_is_a_table(people):
    folder = people.parent / "pictures"
    for name in PEOPLE:
        (folder / name).mkdir(parents=True)
        (folder / name / "1.png").touch()
    done = [run_check(*arguments) for arguments in (["--count", folder], ["--fingerprint", folder],
                                                    ["--fingerprint", people.parent / "table.csv"], [folder, people])]
    assert done[0].stdout == "3\n" and done[1].stdout == done[2].stdout and done[3].returncode == 0
    (people.parent / "table.csv").write_text("name,image\nbert,anna.png\nanna,bert.png\ncora,cora.png\n")
    assert done[1].stdout != run_check("--fingerprint", people.parent / "table.csv").stdout


def test_peft_folders_are_outputs(people):
    (people / "bert").mkdir()
    (people / "bert.safetensors").rename(people / "bert" / "adapter_model.safetensors")
    check(people, code=0)


@pytest.mark.parametrize("weight", [["--prior-weight", 0], ["--prior-weight=0"], ["--prior-loss-weight", "0.0", "--steps", 5],
                                    ["--prior-weight", "0e0"], ["--config", "none.toml"]])
def test_no_class_pictures_no_job_for_them(people, weight):
    (people.parent / "none.toml").write_text("[train]\nprior-weight = 0\n")
    for options, jobs in ((weight, 2), (["--prior-weight", "0.5"], 3)):
        done = submit(people.parent, "train", "table.csv", "-o", "x", "--dry-run", "--", *options)
        assert sum(line.startswith("sbatch") for line in done.stderr.splitlines()) == jobs


def submit(folder, *arguments):
    return subprocess.run([SCRIPTS / "submit.sh", *map(str, arguments)], capture_output=True, text=True, cwd=folder,
                          env=ENVIRONMENT)


def test_a_dry_run_shows_what_would_be_submitted(people):
    folder, table = people.parent, people.parent / "table.csv"
    done = submit(folder, "train", table, "-o", "lo ras", "--shards", 5, "--parallel", 1, "--sbatch", "-p gpu -t 60",
                  "--build", "space", "--build-options", "--components 2", "--dry-run", "--", "--steps", 9)
    assert done.returncode == 0 and not done.stdout and not (folder / "lo ras").exists()
    first, *commands = done.stderr.splitlines()
    assert first == "submit.sh: 3 people, so 3 shards"
    prepare, array, finish = map(shlex.split, commands)
    work = [str(SCRIPTS / "train.sbatch"), "--batch-file", str(table), "-o", f"{folder}/lo ras", "--steps", "9"]
    assert prepare[-8:] == [*work, "--prepare"] and array[-7:] == work
    assert {"--array=1-3%1", "--dependency=afterok:prepare", "gpu"} <= set(array)
    assert finish[-7:] == [str(SCRIPTS / "finish.sbatch"), str(table), f"{folder}/lo ras", "-o", f"{folder}/space",
                           "--components", "2"]
    assert "--dependency=afterany:array" in finish and "gpu" not in finish


@pytest.mark.parametrize("arguments, code, said", [
    (["render"], 2, "expected train or invert, found 'render'"),
    (["train"], 2, "which table of people?"),
    (["train", "table.csv"], 2, "-o FOLDER is missing"),
    (["train", "table.csv", "-o", "x", "--shards", "0"], 2, "expected a number from 1, found '0'"),
    (["train", "table.csv", "-o", "x", "--steps", "9"], 2, "unknown option '--steps'; options of w2w itself come after --"),
    (["train", "table.csv", "-o"], 2, "-o expects a value"),
    (["invert", "table.csv", "-o", "x", "--build", "s"], 2, "--build is for train"),
    (["train", "none.csv", "-o", "x"], 4, "none.csv"),
    (["train", "table.csv", "-o", "x", "--", "--stepz", "9"], 2, "did you mean '--steps'?"),
    (["train", "table.csv", "-o", "x", "--", "--lr", "fast"], 2, "--lr expects a number"),
    (["invert", "table.csv", "-o", "x", "--", "--prior-weight", "0"], 2, "--prior-weight is an option of `w2w train`"),
])
def test_what_submit_refuses(people, arguments, code, said):
    done = submit(people.parent, *arguments)
    assert done.returncode == code and said in done.stderr and not (people.parent / "x").exists()
