"""Outputs appear whole or not at all: two processes at one name, kills at random moments, full disks, limits on file size."""
import os
import random
import resource
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from conftest import until
from parity.loras import draw_models, save_matrix


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def person(w2w, world, tmp_path):
    w2w("sample", "--space", world.folder, "--identity-seed", 7, "--no-images")
    return tmp_path / "person-7.safetensors"


@pytest.fixture
def matrix(world, tmp_path):
    """Many models, of which a build takes a while."""
    return save_matrix(draw_models(world.space.modules, 300, noise=0.3), tmp_path / "models.safetensors")


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "anna").mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"anna/{i}.png")
    return tmp_path / "anna"


def work(world, what):
    """A command that writes `what` as "out", a file or a folder of the given names."""
    model = ["-m", world.model]
    both = [*model, "--space", world.folder]
    return {
        "coefficients": ["sample", "--space", world.folder, "--identity-seed", 7, "--no-images", "-o", "out.safetensors"],
        "kohya": ["export", "person-7.safetensors", *both, "-o", "out.safetensors"],
        "peft": ["export", "person-7.safetensors", *both, "--format", "peft", "-o", "out"],
        "merged folder": ["export", "person-7.safetensors", *both, "--merge", "-o", "out"],
        "converted": ["space", "convert", world.folder, *model, "-o", "out"],
        "built": ["space", "build", "models.safetensors", *model, "--components", 20, "-o", "out"],
        "built with weights": ["space", "build", "models.safetensors", *model, "--components", 20, "-o", "out",
                               "--weights", "weights.safetensors"],
        "trained": ["train", "anna", *model, "--prior-weight", 0, "--steps", 2, "-o", "out"],
        "trained peft": ["train", "anna", *model, "--prior-weight", 0, "--steps", 2, "--format", "peft", "-o", "out"],
        "inverted": ["invert", "anna/0.png", *both, "--seed", 3, "--steps", 2, "--preview-every", 1, "--lora", "peft", "-o", "out"],
    }[what]


# --- two processes --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("what", ["merged folder", "converted", "trained"])
def test_two_processes_at_one_name(w2w, world, person, pictures, tmp_path, what):
    """One succeeds, the other says so and replaces nothing, also when both planned before either wrote."""
    first, second = (w2w.start(*work(world, what)) for _ in range(2))
    ends = [(process.communicate(timeout=300), process.returncode) for process in (first, second)]
    assert sorted(code for _, code in ends) == [0, 1], ends
    (_, error), _ = next(end for end in ends if end[1] == 1)
    assert any(says in error for says in ("w2w: error: the output exists already (out",
                                          "w2w: error: there is the state of an unfinished run (out"))  # began later
    assert not hidden(tmp_path) and not hidden(tmp_path / "out")


# --- kills ----------------------------------------------------------------------------------------------------------

def whole(folder):
    """The bytes of all files, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("what", ["merged folder", "peft", "coefficients"])
def test_killed_at_any_moment_the_old_output_or_the_new_one_is_there(w2w, world, person, tmp_path, what):
    command = [*work(world, what), "--force"]
    out = tmp_path / {"coefficients": "out.safetensors", "peft": "out/person-7_lora", "merged folder": "out"}[what]
    whole_of = (lambda path: path.read_bytes()) if what == "coefficients" else whole
    begun = time.monotonic()
    assert w2w.start(*command).wait(timeout=300) == 0
    seconds = time.monotonic() - begun
    expected = whole_of(out)
    moments = random.Random(1)
    for _ in range(12):
        process = w2w.start(*command)
        time.sleep(seconds * moments.random())
        process.kill()
        process.communicate(timeout=60)
        assert whole_of(out) == expected
    for name in hidden(out.parent):  # they may be anybody's for a minute
        os.utime(out.parent / name, (0, 0))
    assert w2w.start(*command).wait(timeout=300) == 0  # removes what the others left
    assert whole_of(out) == expected and not hidden(out.parent)


# --- no space -------------------------------------------------------------------------------------------------------

EVERYTHING = ["coefficients", "kohya", "peft", "merged folder", "converted", "built", "built with weights", "trained",
              "trained peft", "inverted"]


@pytest.fixture
def whole_outputs(w2w, world, person, matrix, pictures, tmp_path):
    """The command for `what`, which writes into the folder it runs in, and the bytes it writes there."""
    def run(what):
        command = [tmp_path / a if a in ("person-7.safetensors", "models.safetensors", "anna", "anna/0.png") else a
                   for a in work(world, what)]
        (tmp_path / "whole").mkdir()
        w2w(*command, cwd=tmp_path / "whole")
        return command, whole(tmp_path / "whole")
    return run


def assert_nothing_half(folder, expected):
    """Every file under its final name is whole; the rest is the state of work that can go on."""
    for name, content in whole(folder).items():
        assert not os.path.basename(name).startswith("."), name
        if not name.startswith("out.building/") and not name.endswith("_checkpoint.safetensors"):
            assert content == expected[name], name


@pytest.mark.parametrize("what", EVERYTHING)
def test_a_limit_on_file_size_is_an_error_that_leaves_no_half_file(w2w, whole_outputs, tmp_path, what):
    """Without the program's ignoring it the signal SIGXFSZ would end it without a word."""
    command, expected = whole_outputs(what)
    (tmp_path / "limited").mkdir()
    process = subprocess.Popen([str(a) for a in (w2w.path, *command)], cwd=tmp_path / "limited", env=w2w.environment(), text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)))
    _, error = process.communicate(timeout=300)
    assert process.returncode == 1, error
    assert "File too large" in error and "ulimit -f" in error
    assert_nothing_half(tmp_path / "limited", expected)


def on_small_disk(w2w, command, kilobytes, home):
    """Runs it in a folder that is a file system of that size, as root; its exit code and messages. What it left is in kept/."""
    (home / "disk").mkdir()
    script = ('mount -t tmpfs -o size="$1"k tmpfs disk || exit 99; shift; cd disk; "$@" >/dev/null; code=$?; '
              'cp -r . ../kept; exit $code')
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(kilobytes), *map(str, [w2w.path, *command])], cwd=home,
                          env=w2w.environment(), capture_output=True, text=True)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("a file system of its own needs root")
    return done.returncode, done.stderr


@pytest.mark.parametrize("what", [what for what in EVERYTHING if what != "coefficients"])  # those fit into any disk
def test_a_full_disk_is_an_error_that_leaves_no_half_file(w2w, whole_outputs, tmp_path, what):
    command, expected = whole_outputs(what)
    largest = max(map(len, expected.values()))
    code, error = on_small_disk(w2w, command, largest // 2048 + 4, tmp_path)
    assert code == 1, error
    assert "No space left on device" in error and "free some space" in error
    assert_nothing_half(tmp_path / "kept", expected)


def test_weights_on_another_file_system_that_is_full(w2w, world, matrix, tmp_path):
    command = ["space", "build", matrix, "-m", world.model, "--components", 20, "-o", tmp_path / "space", "--weights", "small.safetensors"]
    code, error = on_small_disk(w2w, command, 40, tmp_path)
    assert code == 1 and "cannot write file (small.safetensors): No space left on device" in error, error
    assert not list((tmp_path / "kept").iterdir()) and not (tmp_path / "space").exists()
    w2w(*command[:-1], "w.safetensors")
    (rows,) = load_file(tmp_path / "w.safetensors").values()
    assert torch.equal(rows, *load_file(matrix).values())


# --- --skip-existing ------------------------------------------------------------------------------------------------

def test_skip_existing_leaves_what_is_there_and_makes_the_rest(w2w, world, tmp_path):
    options = ["sample", *world.options, "--count", 3, "--identity-seed", 7, "-s", 1, "-o", "people"]
    all_files = w2w(*options).stdout.splitlines()
    bytes_of = {name: (tmp_path / name).read_bytes() for name in all_files}
    for name in ("people/person-8.safetensors", "people/person-9_p1_s1.png"):
        (tmp_path / name).unlink()
    (tmp_path / "people/person-7_p1_s1.png").write_text("mine")
    assert "exists already" in w2w(*options, code=1).stderr
    done = w2w(*options, "--skip-existing")
    assert done.stdout.splitlines() == ["people/person-8.safetensors", "people/person-9_p1_s1.png"]
    assert (tmp_path / "people/person-7_p1_s1.png").read_text() == "mine"
    for name in done.stdout.splitlines():
        assert (tmp_path / name).read_bytes() == bytes_of[name]
    assert w2w(*options, "--skip-existing").stdout == ""
    assert "--skip-existing" in w2w(*options, "--skip-existing", "--force", code=2).stderr


@pytest.mark.parametrize("command, first", [
    (["render", "person-7.safetensors", "-s", "1,2"], "person-7_p1_s1.png"),
    (["edit", "person-7.safetensors", "--add", "Male=1", "-s", 1], "person-7_Male+1.safetensors"),
    (["interpolate", "person-7.safetensors", "person-7.safetensors", "--points", 2, "-s", 1], "person-7-to-person-7_01_p1_s1.png"),
    (["export", "person-7.safetensors"], "person-7_lora.safetensors"),
    (["export", "person-7.safetensors", "--format", "peft"], "person-7_lora"),
    (["export", "person-7.safetensors", "--merge"], None),
])
def test_skip_existing_of_other_commands(w2w, world, person, tmp_path, command, first):
    if command[0] == "export":
        options = ["-m", world.model, "--space", world.folder, "-o", "out"]
    else:
        options = [*world.options, "-o", "out"]
    if command[0] == "edit":
        options = ["--steps", 2, "-o", "out"]  # attributes are those of the demo world
        w2w("sample", "--identity-seed", 7, "--no-images", "--force")
    written = w2w(*command, *options).stdout.splitlines()
    kept = {name: (tmp_path / name).stat().st_mtime_ns for name in written}
    assert w2w(*command, *options, "--skip-existing").stdout == ""
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in written} == kept
    if first is None:
        return
    assert f"out/{first}" in written
    gone = tmp_path / "out" / first
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert w2w(*command, *options, "--skip-existing").stdout.splitlines() == [f"out/{first}"]


# --- folders --------------------------------------------------------------------------------------------------------

def test_a_peft_folder_is_replaced_whole_and_a_folder_of_other_things_is_not(w2w, world, person, tmp_path):
    command = work(world, "peft")
    w2w(*command)
    folder = tmp_path / "out/person-7_lora"
    first = folder.stat().st_ino
    assert "exists already" in w2w(*command, code=1).stderr
    w2w(*command, "--force")
    assert folder.stat().st_ino != first and sorted(whole(folder)) == ["adapter_config.json", "adapter_model.safetensors"]
    (folder / "thesis.txt").write_text("years of work")
    error = w2w(*command, "--force", code=1).stderr
    assert "holds other files" in error and (folder / "thesis.txt").exists()


@pytest.mark.parametrize("length", [248, 255])
def test_names_as_long_as_the_file_system_has_them(w2w, world, tmp_path, length):
    name = "n" * (length - len(".safetensors")) + ".safetensors"
    w2w("sample", "--space", world.folder, "--no-images", "-o", name)
    assert load_file(tmp_path / name)["coefficients"].numel() == 20
    error = w2w("sample", "--space", world.folder, "--no-images", "-o", "n" * 8 + "n" * 236 + ".safetensors", code=1).stderr
    assert "the output's name is too long" in error and "found 256" in error


def test_a_million_outputs_are_planned_at_once_and_interrupted_at_once(w2w, world, tmp_path):
    command = ["sample", "--space", world.folder, "--count", 1_000_000, "--identity-seed", 1, "--no-images", "-o", "people"]
    process = w2w.start(*command)
    until((tmp_path / "people/person-1.safetensors").exists, process)
    peak = int(next(line for line in open(f"/proc/{process.pid}/status") if line.startswith("VmHWM")).split()[1])
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert peak < 800_000  # kB; 1,170,000 when every person was kept with arguments and paths
