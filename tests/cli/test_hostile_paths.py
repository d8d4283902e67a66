"""Whatever a path option is given, the answer is a sentence and a promised exit code, never "internal error"."""
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import BUILD, ROOT

DEMO = ROOT / "share/w2w/demo"
NOBODY = 65534  # the permissions of files bind everybody but root
COMMANDS = {  # what it takes to reach each option; people.safetensors are coefficients, lora.safetensors a LoRA
    "sample": ["--no-images"], "render": ["anna.safetensors", "--steps", "1"], "invert": ["photo.png", "--steps", "1"],
    "edit": ["anna.safetensors", "--add", "none=1"], "export": ["anna.safetensors"], "import": ["lora.safetensors"],
    "interpolate": ["anna.safetensors", "anna.safetensors", "--no-images"], "nearest": ["anna.safetensors"],
    "compare": ["anna.safetensors", "anna.safetensors"], "tokens": ["x"], "inspect": ["anna.safetensors"], "train": ["photo.png", "--steps", "1", "--prior-weight", "0"],
    "space build": ["lora.safetensors"], "space convert": ["files"], "space verify": [], "direction fit": [], "direction list": [],
}
# Commands with an argument that is a path, with what else they need.
ARGUMENTS = {"render": [], "invert": ["--steps", "1"], "edit": ["--add", "none=1"], "export": [], "import": [], "nearest": [], "compare": ["anna.safetensors"],
             "inspect": [], "train": ["--steps", "1", "--prior-weight", "0"], "space build": [], "space convert": [], "space info": [], "space verify": []}
PATHS = ["loop", "n" * 300 + ".png", "closed/x", "file/x.csv", "folder", "/dev/null", "/proc/self/mem", ""]
# Read by one function each, so that one command will do; what is written is another matter in every command.
COMMAND_OF = {"--model": "edit", "--vae": "edit", "--text-encoder": "edit", "--space": "edit", "--tokenizer": "tokens", "--config": "tokens", "--labels": "direction fit",
              "--directions": "edit", "--names": "space build", "--weights": "space build", "--checkpoint": "invert", "--batch-file": "train"}


@pytest.fixture(scope="module")
def run():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        subprocess.run([BUILD / "w2w", "sample", "--no-images", "--identity-seed", "1", "--lora", "kohya", "-o", "."], cwd=folder,
                       check=True, capture_output=True, env={"HOME": name, "W2W_DEVICE": "cpu"})
        (folder / "person-1_lora.safetensors").rename(folder / "lora.safetensors")
        (folder / "person-1.safetensors").rename(folder / "anna.safetensors")
        shutil.copy(DEMO / "photo.png", folder)
        (folder / "loop").symlink_to("loop")
        (folder / "file").write_text("words")
        for made in ("closed", "folder", "folder.safetensors"):
            (folder / made).mkdir()
        for path in [folder, *folder.iterdir()]:
            if not path.is_symlink():
                os.chmod(path, 0o777 if path.is_dir() else 0o666)
        (folder / "closed").chmod(0)
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}

        def run(command, *arguments):
            kept = {k: v for k, v in os.environ.items() if not k.startswith(("W2W_", "HF_", "HUGGINGFACE_", "XDG_"))}
            done = subprocess.run([str(BUILD / "w2w"), *command.split(), *arguments], cwd=folder, capture_output=True, timeout=120, stdin=subprocess.DEVNULL,
                                  env=kept | {"HOME": name, "W2W_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}, **user)
            error = done.stderr.decode(errors="replace")
            shown = f"w2w {command} {' '.join(arguments)!a}: {done.returncode}\n{error[-1000:]}"
            assert done.returncode in (0, 1, 2, 3, 4), shown
            assert "internal error" not in error, shown
            assert done.returncode == 0 or re.search(r"^w2w: error: .+", error, re.M), shown
            assert not list(folder.rglob(".*.??????")), shown

        yield run
        (folder / "closed").chmod(0o700)


def path_options(command):
    """Long names of the options whose value is a path, as help lists them."""
    text = subprocess.run([BUILD / "w2w", "help", *command.split()], capture_output=True, text=True).stdout
    return re.findall(r"^ +(?:-\w, )?(--[\w-]+)(?:, --[\w-]+)* (?:FILE|FOLDER|PATH)\b", text, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_options(run, command):
    for option in path_options(command):
        if COMMAND_OF.get(option, command) != command:
            continue
        for path in PATHS:
            run(command, *COMMANDS[command], f"{option}={path}")


@pytest.mark.parametrize("command", ARGUMENTS)
def test_arguments(run, command):
    for path in PATHS:
        run(command, path, *ARGUMENTS[command])


@pytest.mark.parametrize("number", ["1e-320", "-1e308", "9223372036854775808", "nan", ""])
def test_numbers(run, number):
    """Of every numeric option of the command that draws, and of those that take a number within a text."""
    text = subprocess.run([BUILD / "w2w", "help", "sample"], capture_output=True, text=True).stdout
    options = re.findall(r"^ +(?:-\w, )?(--[\w-]+)(?:, --[\w-]+)* (?:N|NUMBER|SEED|X|T|SEEDS)\b", text, re.M)
    assert len(options) > 5, text
    short = ["--no-images"]
    for option in options:
        run("sample", *short, "-s", "1", "--identity-seed", "1", "--force", f"{option}={number}", "-o", "numbers")
    run("edit", "anna.safetensors", "--no-images", "--force", "-o", "numbers", f"--sweep=Eyeglasses={number}:1:3")
    run("edit", "anna.safetensors", "--no-images", "--force", "-o", "numbers", f"--sweep=Eyeglasses=0:{number}:3")
    run("edit", "anna.safetensors", "--no-images", "--force", "-o", "numbers", f"--add=Eyeglasses={number}")
