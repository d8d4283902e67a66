"""Pictures of the largest sensors of phones: bounds on memory, read from the operating system."""
import json
import subprocess

import pytest
from PIL import Image

from measured import cost, measured


def peak(program, *arguments):
    """What the program prints, and the most megabytes that it had at a time."""
    figures = program.home / "figures"
    done = subprocess.run(measured([program.path, *arguments], figures), cwd=program.home, text=True, capture_output=True,
                          env=program.environment(OMP_NUM_THREADS="1"))
    assert cost(figures).code == 0, done.stderr
    print(f"{arguments[0]}: {cost(figures).megabytes:.0f} MB")
    return done.stdout, cost(figures).megabytes


@pytest.fixture
def photograph(tmp_path):
    def write(width, height, mode="RGB", **options):
        Image.linear_gradient("L").convert(mode).resize((width, height)).save(tmp_path / "photo.jpg", quality=85, **options)
        return tmp_path / "photo.jpg"
    return write


@pytest.mark.parametrize("progressive", [False, True])
def test_108_megapixels_in_a_gigabyte(w2w, photograph, progressive):
    picture = photograph(12000, 9000, progressive=progressive)
    _, megabytes = peak(w2w, "invert", picture, "--steps", 1, "-o", "out")
    assert megabytes < 1000
    assert (w2w.home / "out/photo.safetensors").exists()


def test_200_megapixels(w2w, photograph, tmp_path):
    picture = photograph(16320, 12240, "L")
    _, megabytes = peak(w2w, "invert", picture, "--steps", 1, "-o", "out")
    assert megabytes < 1000
    output, megabytes = peak(w2w, "inspect", picture, "--json")
    assert megabytes < 900  # inspect looks at every pixel: 600 MB
    assert json.loads(output)["files"][0]["facts"]["width"] == 16320


def test_a_mask_of_the_size_of_a_large_picture_fits(w2w, photograph, tmp_path):
    picture = photograph(8000, 6000)
    Image.new("L", (8000, 6000), 255).save(tmp_path / "mask.png")
    assert "mask" not in w2w("invert", picture, "--mask", "mask.png", "--steps", 1, "-o", "out").stderr
    Image.new("L", (800, 600), 255).save(tmp_path / "small.png")
    told = w2w("invert", picture, "--mask", "small.png", "--steps", 1, "-o", "other").stderr
    assert "is 800x600, its picture 8000x6000" in told
