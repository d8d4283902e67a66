"""What runs on a CUDA device against the same on the CPU in f32, on the demo world. Bounds: docs/method.md's, tighter where f32 is
compared with f32."""
import csv

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

pytestmark = pytest.mark.gpu

PSNR = {"f32": 55, "f16": 35, "bf16": 30}  # decibel: as pictures differ by roundings that 10 steps hand on


def psnr(a, b):
    a, b = (np.asarray(Image.open(path), dtype=np.float64) for path in (a, b))
    return 10 * np.log10(255 ** 2 / max(((a - b) ** 2).mean(), 1e-10))


def pictures(folder):
    return sorted(folder.glob("*.png"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """sample(folder, device, dtype, ...): the pictures of two people."""
    from conftest import Program
    home = tmp_path_factory.mktemp("drawn")
    w2w = Program("w2w", home)

    def sample(name, device="cpu", dtype="f32", *more):
        if not (home / name).exists():
            w2w("sample", "--count", 2, "--identity-seed", 7, "-s", "1,2", "--steps", 10, "-p", "sks person", "--device", device,
                "--dtype", dtype, *more, "-o", name)
        return home / name
    return sample


@pytest.mark.parametrize("dtype", PSNR)
def test_pictures(drawn, dtype):
    """Four pictures in one command: people and seeds change between recorded calls of the UNet."""
    for ours, expected in zip(pictures(drawn(dtype, "cuda", dtype)), pictures(drawn("cpu")), strict=True):
        assert psnr(ours, expected) >= PSNR[dtype], ours.name


def test_the_same_command_gives_the_same_bytes(drawn):
    for one, two in zip(pictures(drawn("bf16", "cuda", "bf16")), pictures(drawn("again", "cuda", "bf16")), strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("sampler, cfg_scale", [("euler_a", 3), ("dpmpp_2m", 3), ("unipc", 1), ("heun", 3), ("lms", 1), ("pndm", 1)])
def test_samplers_and_odd_sizes(drawn, sampler, cfg_scale):
    more = "--sampler", sampler, "--cfg-scale", cfg_scale, "-W", 72, "-H", 40
    for ours, expected in zip(pictures(drawn(f"{sampler}-cuda", "cuda", "f32", *more)),
                              pictures(drawn(f"{sampler}-cpu", "cpu", "f32", *more)), strict=True):
        assert psnr(ours, expected) >= PSNR["f32"], ours.name


def test_edits_swap_people_within_a_picture(w2w, drawn, tmp_path):
    person = drawn("cpu") / "person-7.safetensors"
    for device in ("cpu", "cuda"):
        w2w("edit", person, "--add", "Eyeglasses=1", "--sweep", "Male=-1:1:3", "--inject-at", 700, "--steps", 10, "-s", 1,
            "--device", device, "--dtype", "f32", "-o", device)
    ours, expected = pictures(tmp_path / "cuda"), pictures(tmp_path / "cpu")
    assert len(ours) == len(expected) > 2
    assert min(psnr(a, b) for a, b in zip(ours, expected)) >= PSNR["f32"]


def losses(path):
    with open(path) as file:
        return np.array([float(row["loss"]) for row in csv.DictReader(file)])


@pytest.mark.parametrize("dtype, bound", [("f32", 1e-4), ("bf16", 4e-2)])
def test_inversion(w2w, drawn, tmp_path, dtype, bound):
    picture = pictures(drawn("cpu"))[0]
    for device, number in (("cpu", "f32"), ("cuda", dtype)):
        w2w("invert", picture, "--steps", 10, "--batch", 2, "--seed", 3, "--device", device, "--dtype", number, "-o",
            f"{device}.safetensors")
    ours, expected = (load_file(tmp_path / f"{device}.safetensors")["coefficients"] for device in ("cuda", "cpu"))
    assert np.linalg.norm(ours - expected) <= 10 * bound * np.linalg.norm(expected)
    first, second = losses(tmp_path / "cuda_loss.csv"), losses(tmp_path / "cpu_loss.csv")
    assert np.abs(first - second).max() <= bound * second.max()


@pytest.mark.parametrize("dtype, bound", [("f32", 1e-4), ("bf16", 4e-2)])
def test_training(w2w, drawn, tmp_path, dtype, bound):
    picture = pictures(drawn("cpu"))[0]
    for device, number in (("cpu", "f32"), ("cuda", dtype)):
        w2w("train", picture, "--steps", 10, "--prior-weight", 0, "--device", device, "--dtype", number, "-o", f"{device}.safetensors")
    first, second = losses(tmp_path / "cuda_loss.csv"), losses(tmp_path / "cpu_loss.csv")
    assert np.abs(first - second).max() <= bound * second.max()


def test_together_is_as_one_by_one(w2w, drawn, tmp_path):
    table = "name,image\n" + "".join(f"p{i},{path}\n" for i, path in enumerate(pictures(drawn("cpu"))))
    (tmp_path / "people.csv").write_text(table)
    for together in (1, 3):
        w2w("train", "--batch-file", "people.csv", "--together", together, "--steps", 6, "--prior-weight", 0, "--device", "cuda",
            "--dtype", "f32", "-o", f"t{together}")
    for name in ("p0", "p2", "p3"):
        one, many = (load_file(tmp_path / f"t{n}/{name}.safetensors") for n in (1, 3))
        assert all(np.abs(one[k] - many[k]).max() <= 1e-3 * np.abs(one[k]).max() for k in one), name


def test_people_side_by_side(drawn):
    for ours, expected in zip(pictures(drawn("side-by-side", "cuda", "f32", "--together", 2)), pictures(drawn("cpu")), strict=True):
        assert psnr(ours, expected) >= PSNR["f32"], ours.name


@pytest.mark.parametrize("method", ["exact", "randomized"])
def test_space_build(w2w, tmp_path, method):
    w2w("sample", "--count", 40, "--identity-seed", 1, "--no-images", "--lora", "kohya", "-o", "people")
    for device in ("cpu", "cuda"):
        w2w("space", "build", "people", "--components", 8, "--method", method, "--device", device, "-o", device)
    ours, expected = (load_file(tmp_path / device / "basis.safetensors") for device in ("cuda", "cpu"))
    assert np.abs(ours.pop("projection_mean")).max() <= 1e-5 * expected["projection_std"].max(), "zero but for rounding"
    for name in ours:
        assert np.abs(ours[name] - expected[name]).max() <= 1e-5 * np.abs(expected[name]).max(), name


@pytest.mark.parametrize("shape", [(1, 4, 64, 64), (1, 4, 8, 8), (1, 4, 96, 64)])
def test_noise_of_a_cuda_generator(probe, tmp_path, shape):
    torch = pytest.importorskip("torch")
    probe("noise", 42, 3, *shape, tmp_path / "noise.safetensors")
    ours = load_file(tmp_path / "noise.safetensors")
    generator = torch.Generator("cuda").manual_seed(42)
    for call in range(3):
        expected = torch.randn(shape, generator=generator, device="cuda").cpu().numpy()
        assert np.abs(ours[str(call)] - expected).max() <= 2e-6 * np.abs(expected).max()


def test_out_of_memory(w2w):
    done = w2w("sample", "-s", 1, "--device", "cuda", code=5, PYTORCH_CUDA_ALLOC_CONF="per_process_memory_fraction:0.00001")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("w2w: error: ")]
    assert "out of memory" in line and "allocate" in line and "hint: use a smaller picture" in done.stderr


def test_a_device_that_is_not_there(w2w):
    assert "there is no CUDA device 99" in w2w("sample", "--device", "cuda:99", code=1).stderr
    assert "cuda:0" in w2w("doctor").stdout
