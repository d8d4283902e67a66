"""Remakes the README's sheet and the pictures of docs/tour.md, or with --aliens those of its section "Your own
space" (ten minutes): runs the commands of these pages and copies the sheets into docs/.

    .deps/venv/bin/python scripts/tour.py [--aliens [--keep FOLDER]] [--build FOLDER]
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
SHEETS = {"beard/photo_Beard+0..+3_sheet.png": "tour_sweep.png", "both/photo_Beard+2.5_Eyeglasses-2.5_sheet.png": "tour_both.png",
          "photo-to-person-7_sheet.png": "tour_interpolate.png", "photo_nearest.png": "tour_nearest.png"}
ENLARGED, GAP = 3, 8  # as the program's own sheets


def commands(title):
    """The command lines of that section of docs/tour.md, in order, as lists of words."""
    section = (ROOT / "docs/tour.md").read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for block in re.findall(r"^```\n(.*?)^```", section, re.S | re.M) for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def side_by_side(paths):
    pictures = [Image.open(path).convert("RGB") for path in paths]
    width, height = (ENLARGED * n for n in pictures[0].size)
    sheet = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture.resize((width, height), Image.BICUBIC), (i * (width + GAP), 0))
    return sheet


def run(title, here, build):
    for name in ("share", "examples"):
        if not (here / name).exists():
            (here / name).symlink_to(ROOT / name)
    for program, *words in commands(title):
        subprocess.run([build / Path(program).name, *words], cwd=here, check=True)


def people(here, build):
    """The sheet of the README, by the command below it there."""
    text = (ROOT / "README.md").read_text().split("(docs/sheet.png)", 1)[1]
    line = re.search(r"```\n(.*?)```", text, re.S)[1].replace("\\\n", " ")
    program, *words = shlex.split(line)
    subprocess.run([build / Path(program).name, *words], cwd=here, check=True)
    (sheet,) = here.glob("scenes/*_sheet.png")
    Image.open(sheet).save(ROOT / "docs/sheet.png", optimize=True)


def tour(here, build):
    people(here, build)
    run("Find, edit and compare people", here, build)
    for made, kept in SHEETS.items():
        shutil.copyfile(here / "tour" / made, ROOT / "docs" / kept)
    scenes = [here / "tour" / f"photo_p{i}_s2.png" for i in (1, 2, 3)]
    side_by_side([ROOT / "share/w2w/demo/photo.png", *scenes]).save(ROOT / "docs" / "tour_invert.png", optimize=True)


def aliens(here, build):
    """Drawn aliens, then aliens of the space, then one of them edited."""
    run("Your own space", here, build)
    drawn = [ROOT / "examples/aliens/pictures" / f"alien_{i:02}_0.png" for i in range(8)]
    new = sorted((here / "aliens/new").glob("*.png"))
    rows = [side_by_side(drawn), side_by_side(new)]
    page = Image.new("RGB", (rows[0].width, 2 * rows[0].height + GAP), "white")
    for i, row in enumerate(rows):
        page.paste(row, (0, i * (row.height + GAP)))
    page.save(ROOT / "docs" / "aliens.png", optimize=True)
    shutil.copyfile(here / "aliens/edit/person-5_Violet-1.5..+1.5_sheet.png", ROOT / "docs" / "aliens_sweep.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--aliens", action="store_true")
    parser.add_argument("--keep", type=Path, help="work here, so that an interrupted training resumes")
    args = parser.parse_args()
    make = aliens if args.aliens else tour
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        make(args.keep.resolve(), args.build.resolve())
    else:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), args.build.resolve())
