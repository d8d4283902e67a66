"""Whether two builds of w2w do the same: some 80 command lines on the demo world, in an empty folder each.

    same_bytes.py OLD NEW [--keep FOLDER]    paths of two programs; exit code 1 and a line for each difference

Compared are exit code, stdout, stderr (without times and rates) and every byte of every file. For refactorings; not part
of the test run, since there is nothing to compare with.
"""
import argparse
import concurrent.futures
import difflib
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

FAST = "--steps 3 -s 5"
COMMANDS = f"""
sample --identity-seed 7 --count 3 {FAST} -o people
sample --identity-seed 7 --count 2 {FAST} --together 2 -o together --lora kohya --json
sample --identity-seed 9 --no-images --lora peft -o peft
sample --identity-seed 9 --no-images --lora diffusers -o diffusers --components 20 --spread 0.5 -v
sample --identity-seed 11 --steps 3 -s 1-2 -p 'sks person at night' -p 'sks person on the beach' -n blurry --cfg-scale 2 --sampler 'DPM++ 2M Karras' -o scenes --json-lines
sample --identity-seed 12 {FAST} -o person-12.safetensors --prompt-weights -p 'sks (person:1.3) [old]' --clip-skip 2 --rng cuda
sample --identity-seed 7 --count 3 {FAST} -o people
sample --identity-seed 7 --count 4 {FAST} -o people --skip-existing
sample --identity-seed 7 --count 1 {FAST} -o people --force -q
render people/person-7.safetensors {FAST} -o rendered -p 'sks person in the snow'
render people/person-7.safetensors people/person-8.safetensors peft/person-9_lora diffusers/person-9_lora.safetensors {FAST} -o rendered2 --json
render people/person-7.safetensors {FAST} -o one.webp --sampler euler_a
render people/person-7.safetensors {FAST} -o one.jpg --sampler heun --no-metadata
render people/person-7.safetensors -p 'some ((words)' -p '{"long words " * 60}' {FAST} -o words
render nobody.safetensors
render people/person-7.safetensors --sampler eulr
edit people/person-7.safetensors --add Eyeglasses=2 {FAST} -o edited --json
edit people/person-7.safetensors --add Beard=1.5 --add Eyeglasses=-1 --without Male --lora kohya {FAST} -o edited2
edit people/person-7.safetensors --sweep Eyeglasses=-2:2:3 {FAST} -o sweep --inject-at 600
edit peft/person-9_lora --add Eyeglasses=1 --no-images -o edited3 --raw
edit people/person-7.safetensors --add Beard=2 --without Male,Eyeglasses --sequential --no-images -o edited4
edit people/person-7.safetensors --add Berd=2
interpolate people/person-7.safetensors people/person-8.safetensors --points 3 {FAST} -o way --lora kohya
interpolate people/person-7.safetensors peft/person-9_lora --points 3 --no-images -o way2 --json
nearest people/person-7.safetensors
nearest peft/person-9_lora --count 3 --json
nearest people/person-7.safetensors --count 2 {FAST} -o nearest.png
export people/person-7.safetensors
export people/person-7.safetensors --format peft -o exported --dtype f32
export people/person-7.safetensors --format diffusers -o exported_diffusers --json
export people/person-7.safetensors --format pt -o seven.pt
export people/person-7.safetensors --merge -o merged
export people/person-7.safetensors --merge --dtype f16 -o merged16
import exported/person-7_lora -o imported
import diffusers/person-9_lora.safetensors peft/person-9_lora -o imported2 --json
invert rendered/person-7_p1_s5.png --steps 8 --preview-every 4 -o inverted --seed 3
invert rendered/person-7_p1_s5.png --steps 8 -o inverted2 --preset real --components 30 --batch 2 --json --seed 3
invert rendered/person-7_p1_s5.png one.jpg --steps 6 --fit pad -o inverted3 --name both --lora kohya --checkpoint both.state --seed 3
invert rendered/person-7_p1_s5.png one.jpg --steps 9 --fit pad -o inverted3 --name both --lora kohya --checkpoint both.state --resume --force --seed 3
invert rendered/person-7_p1_s5.png --steps 8 --lr 0 -o inverted4 --weight-decay 0.1 --seed 3
invert --batch-file table.csv --steps 5 -o many --json --seed 3
invert --batch-file table.csv --steps 5 -o many --seed 3
invert table.csv
invert nothing.png --seed 3
train rendered/person-7_p1_s5.png --steps 6 --prior-weight 0 -o trained --name seven --json
train pictures --steps 6 --class-count 2 -o trained2 --class-folder class
train --batch-file people.csv --steps 4 --prior-weight 0 --together 2 -o trained3
train --batch-file people.csv --steps 4 --prior-weight 0 --together 2 -o trained3
space build trained3 -o built --json
space build trained3 exported peft -o built2 --method randomized --components 1 --save-every 0
space convert --space built -o converted --json
space info --space built
space info --json
space verify
space verify --space converted --json
direction list
direction list --json
direction fit --labels labels.csv --space built -o directions.safetensors --json
direction fit Eyeglasses Beard -o fitted.safetensors --method mean-difference
tokens 'sks person' 'a (photo:1.2) of'
tokens --json 'sks person'
inspect people/person-7.safetensors
inspect peft/person-9_lora --json
inspect rendered/person-7_p1_s5.png
inspect one.webp --json
inspect merged
inspect built --json
inspect table.csv
inspect both.state
doctor --json
sample --count 0
sample --dtype f7
render
sampel
space bild
space build nowhere -o x
sample --identity-seed 7 {FAST} -o people/person-7.safetensors/x
train rendered/person-7_p1_s5.png --steps 4 --prior-weight 0 -o trained --name seven
help
help sample
help invert
help train
edit --help
""".strip().splitlines()

VOLATILE = [(re.compile(pattern), instead) for pattern, instead in [
    (r'\{"progress".*\n', ""), (r"[0-9.]+ (it/s|s/it)", "RATE"), (r"\d+:\d\d(:\d\d)? left", "LEFT"), (r"[0-9.]+ (ms|s)\b", "TIME"),
    (r'"(seconds|free_memory|available|duration)[a-z_]*": [0-9.e-]+', "SECONDS"), (r"[0-9.]+ GB free", "FREE")]]


def steady(text):
    for pattern, instead in VOLATILE:
        text = pattern.sub(instead, text)
    return text


def prepare(folder):
    (folder / "table.csv").write_text("name,image\nanna,rendered/person-7_p1_s5.png\nbert,one.jpg\ncarl,broken.png\n")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    (folder / "people.csv").write_text("name,image\nanna,rendered/person-7_p1_s5.png\nanna,one.jpg\nbert,people/person-8_p1_s5.png\n"
                                       "carl,people/person-7_p1_s5.png\n")
    (folder / "pictures").mkdir()
    (folder / "labels.csv").write_text("name,Tall\nanna,1\nbert,-1\ncarl,1\n")


def run(program, folder):
    folder.mkdir()
    prepare(folder)
    environment = dict(os.environ, OMP_NUM_THREADS="1", SOURCE_DATE_EPOCH="1700000000", XDG_CONFIG_HOME=str(folder / "none"))
    results, before = [], {}
    for command in COMMANDS:
        if " pictures " in command:
            for name in ("rendered/person-7_p1_s5.png", "one.jpg"):
                if (folder / name).exists():
                    (folder / "pictures" / Path(name).name).write_bytes((folder / name).read_bytes())
        done = subprocess.run([program, *shlex.split(command)], cwd=folder, env=environment, capture_output=True,
                              text=True, errors="replace", timeout=900)
        files = {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()[:12]
                 for p in sorted(folder.rglob("*")) if p.is_file()}
        made = {name: hashed for name, hashed in files.items() if before.get(name) != hashed}
        results.append((done.returncode, steady(done.stdout), steady(done.stderr), made, before.keys() - files.keys()))
        before = files
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--keep", type=Path, help="folder that keeps what was made")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, concurrent.futures.ThreadPoolExecutor(2) as pool:
        root = given.keep or Path(temporary)
        root.mkdir(exist_ok=True, parents=True)
        old, new = pool.map(lambda side: run(str(side[1].resolve()), root / side[0]), [("old", given.old), ("new", given.new)])
    different, codes, files = 0, {}, 0
    for command, before, after in zip(COMMANDS, old, new):
        codes[before[0]] = codes.get(before[0], 0) + 1
        files += len(before[3])
        for what, a, b in zip(("exit code", "stdout", "stderr", "files", "removed"), before, after):
            if a == b:
                continue
            different += 1
            print(f"{command[:150]}\n  {what}:")
            if what == "files":
                a, b = ({f"{n} {h}" for n, h in side.items()} for side in (a, b))
                print("    - " + "\n    - ".join(sorted(a - b)[:5]), "    + " + "\n    + ".join(sorted(b - a)[:5]), sep="\n")
            else:
                lines = difflib.unified_diff(str(a).splitlines(), str(b).splitlines(), "old", "new", n=0, lineterm="")
                print(*("    " + line for line in lines), sep="\n")
    print(f"{len(COMMANDS)} command lines, exit codes {codes}, {files} files, {different} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
