"""Remakes the pictures of the README's tour: runs its commands as they stand there and copies the sheets into docs/.

    .deps/venv/bin/python scripts/tour.py [--build FOLDER]
"""
import argparse
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHEETS = {"beard/photo_edit_sheet.png": "tour_sweep.png", "both/photo_edit_sheet.png": "tour_both.png",
          "photo-to-person-7_sheet.png": "tour_interpolate.png", "photo_nearest.png": "tour_nearest.png"}
ENLARGED, GAP = 3, 8  # as the program's own sheets


def tour_commands():
    """The command lines of the README's section "Tour", in order, as lists of words."""
    tour = (ROOT / "README.md").read_text().split("\n## Tour\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for block in re.findall(r"^```\n(.*?)^```", tour, re.S | re.M) for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def side_by_side(paths):
    pictures = [Image.open(path).convert("RGB") for path in paths]
    width, height = (ENLARGED * n for n in pictures[0].size)
    sheet = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture.resize((width, height), Image.BICUBIC), (i * (width + GAP), 0))
    return sheet


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "share").symlink_to(ROOT / "share")
        for program, *words in tour_commands():
            subprocess.run([args.build / Path(program).name, *words], cwd=here, check=True)
        for made, kept in SHEETS.items():
            shutil.copyfile(here / "tour" / made, ROOT / "docs" / kept)
        scenes = [here / "tour" / f"photo_p{i}_s2.png" for i in (1, 2, 3)]
        side_by_side([ROOT / "share/w2w/demo/photo.png", *scenes]).save(ROOT / "docs" / "tour_invert.png", optimize=True)
