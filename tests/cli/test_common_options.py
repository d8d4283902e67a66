"""Scripts keep one set of options for all commands: -m, --space, --device, --dtype and -t are accepted by every command that opens a
model or a space, also where they change nothing."""
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from parity.loras import draw_models, save_kohya


@pytest.fixture
def files(world, tmp_path):
    """What the commands below are given."""
    for seed, name in enumerate(("ada", "bob")):
        save_file({"coefficients": torch.randn(20, generator=torch.Generator().manual_seed(seed))}, tmp_path / f"{name}.safetensors")
    Image.effect_noise((64, 64), 60).convert("RGB").save(tmp_path / "photo.png")
    (tmp_path / "labels.csv").write_text("name,Male,Young\n" + "".join(f"person_{i},{1 - 2 * (i % 2)},{1 - 2 * (i // 3 % 2)}\n" for i in range(30)))
    (tmp_path / "loras").mkdir()
    for i, theta in enumerate(draw_models(world.space.modules, 4)):
        save_kohya(world.space.modules, theta, tmp_path / f"loras/p{i}.safetensors")


COMMANDS = {
    "sample": "sample --identity-seed 1 --no-images -o out",
    "render": "render ada.safetensors --steps 1 -s 1 -o out",
    "invert": "invert photo.png --steps 1 -o out",
    "edit": "edit ada.safetensors --add Male=1 --labels labels.csv --no-images -o out",
    "export": "export ada.safetensors -o out",
    "export pt": "export ada.safetensors --format pt -o out",
    "export merged": "export ada.safetensors --merge -o out",
    "import": "import loras/p1.safetensors -o out",
    "space build": "space build loras -o out",
    "space convert": "space convert {space} -o out",
    "space info": "space info",
    "space verify": "space verify",  # 3: components drawn at random are not orthonormal
    "direction fit": "direction fit labels.csv --holdout 0 -o out",
    "direction list": "direction list --labels labels.csv",
    "train": "train photo.png --steps 1 --prior-weight 0 -o out",
    "nearest": "nearest ada.safetensors",
    "nearest among": "nearest ada.safetensors --among bob.safetensors",
    "compare": "compare ada.safetensors bob.safetensors",
    "interpolate": "interpolate ada.safetensors bob.safetensors --points 2 --no-images -o out",
    "doctor": "doctor",
    "tokens": "tokens hello",
}
CHOICES = {"chosen": ["--device", "cpu", "--dtype", "bf16"], "auto": ["--device", "auto", "--dtype", "auto"]}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_them(w2w, world, files, command, choice):
    common = ["-m", world.model, "--space", world.folder, *CHOICES[choice], "-t", 1]
    words = COMMANDS[command].format(space=world.folder).split()
    w2w(*words, *common, code=3 if command == "space verify" else 0)


@pytest.mark.parametrize("command", ["tokens hello", "direction list", "import x.safetensors", "export x.safetensors"])
def test_their_values_are_checked_also_where_they_change_nothing(w2w, command):
    assert "unknown device 'cuba'; expected auto, cpu, cuda or cuda:N" in w2w(*command.split(), "--device", "cuba", code=2).stderr
    assert "unknown value 'f61' of --dtype" in w2w(*command.split(), "--dtype", "f61", code=2).stderr


def test_both_meanings_of_dtype(w2w, world, files, tmp_path):
    """Of `space build` and `export` it is what is stored; auto is the default of each."""
    from safetensors.torch import load_file
    for dtype, stored, exported in (("auto", torch.float32, torch.float16), ("bf16", torch.bfloat16, torch.bfloat16)):
        w2w("space", "build", "loras", "-m", world.model, "--dtype", dtype, "-o", f"space_{dtype}")
        assert load_file(tmp_path / f"space_{dtype}" / "basis.safetensors")["components"].dtype == stored
        w2w("export", "ada.safetensors", "-m", world.model, "--space", world.folder, "--dtype", dtype, "-o", f"{dtype}.safetensors")
        assert {t.dtype for t in load_file(tmp_path / f"{dtype}.safetensors").values()} == {exported}
    done = w2w("export", "ada.safetensors", "--format", "pt", "--dtype", "bf16", "-o", "ada.pt")
    assert "--format pt always stores f32: --dtype bf16 has no effect" in done.stderr and torch.load(tmp_path / "ada.pt", weights_only=True).dtype == torch.float32
    for command in ("space build", "export"):
        assert "default: auto" in " ".join(w2w("help", *command.split()).stdout.split())
