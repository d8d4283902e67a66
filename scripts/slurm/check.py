#!/usr/bin/env python3
"""Whether the people of a table are all there, each whole and once, and made with the same settings.

    check.py people.csv loras            exit code 0 and one line, or 1 with what is wrong and the command that goes on
    check.py people.csv shards/1 shards/2    outputs in several folders
    check.py --count people.csv          how many people the table has
    check.py --fingerprint people.csv    a hash of their names in order, which decide who belongs to which shard

The table is read by `w2w train --list`, or `w2w invert --list` where it is one of masks (W2W_SLURM_PROGRAM; default: build/w2w of this checkout). Names of people who are missing or
not whole go to stdout, one a line; everything else to stderr.
"""
import argparse
import csv
import hashlib
import json
import math
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

TEMPORARY = re.compile(r"\..+\.[A-Za-z0-9]{6}")  # what a killed task leaves of a file it was writing: .anna.safetensors.k2Zq9A
OF_A_PERSON = {"name", "images", "image", "pictures", "masks", "folder"}  # entries of the history that differ between people
SHOWN = 5


class Unreadable(Exception):
    """A file that is not what it should be."""


def read_table(path):
    """The names, in order, as w2w itself reads the table: for its --list nothing is opened, made or changed."""
    program = os.environ.get("W2W_SLURM_PROGRAM") or Path(__file__).resolve().parents[2] / "build" / "w2w"
    said = []
    for command in ("train", "invert"):  # tables of masks are of the other one
        try:
            done = subprocess.run([program, command, "--batch-file", path, "--list", "--json", "-q"], capture_output=True, text=True)
            listing = json.loads(done.stdout)
        except OSError as error:
            raise Unreadable(f"no w2w ({program}): {error.strerror}; build it, or set W2W_SLURM_PROGRAM") from None
        except ValueError:
            raise Unreadable(f"w2w did not list the table ({path}): {done.stderr.strip()}") from None
        if done.returncode == 0:
            return [person["name"] for person in listing["people"]]
        said.append(listing["error"]["message"])
    raise Unreadable("; or, for invert: ".join(dict.fromkeys(said)))


def read_header(path):
    """({tensor: (type, shape)}, metadata) of a safetensors file whose length is right."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > size - 8:
            raise Unreadable("it ends within its header")
        try:
            header = json.loads(file.read(length))
            metadata = header.pop("__metadata__", {})
            tensors = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            raise Unreadable("its header is not that of safetensors") from None
    if size != 8 + length + end:
        raise Unreadable(f"expected {8 + length + end} bytes, found {size}")
    return tensors, metadata


def settings_of(tensors, metadata):
    """What must be the same for all people, by name."""
    settings = {key: value for key, value in metadata.items() if key.startswith("w2w.") and key != "w2w.history"}
    settings["tensors"] = ", ".join(f"{name} {dtype} {list(shape)}" for name, (dtype, shape) in sorted(tensors.items()))
    try:
        history = json.loads(metadata.get("w2w.history") or "[]")
        settings |= {key: value for key, value in history[-1].items() if key not in OF_A_PERSON} if history else {}
    except (ValueError, TypeError, AttributeError):
        raise Unreadable("its w2w.history is not a list of steps") from None
    return settings


def steps_in(log):
    """The number of steps in a loss log: 1, 2, 3, ..., each once, each with a finite loss."""
    try:
        with open(log, newline="") as file:
            rows = list(csv.DictReader(file))
        for expected, row in enumerate(rows, 1):
            if int(row["step"]) != expected:
                raise Unreadable(f"its loss log has step {row['step']} where {expected} is due")
            if not math.isfinite(float(row["loss"])):
                raise Unreadable(f"its loss at step {expected} is {row['loss']}")
    except FileNotFoundError:
        raise Unreadable(f"its loss log is missing ({log})") from None
    except (ValueError, TypeError, KeyError, csv.Error):
        raise Unreadable(f"its loss log is not readable ({log})") from None
    return len(rows)


def few(names):
    more = len(names) - SHOWN
    return ", ".join(list(names)[:SHOWN]) + (f" and {more} more" if more > 0 else "")


class Check:
    def __init__(self, names, folders):
        self.names = names
        self.faults = []
        self.again = {}  # people to be done again: why
        self.outputs = {name: [] for name in names}
        self.states = {name: [] for name in names}
        self.temporaries, strangers = [], []
        for folder in folders:
            for path in sorted(folder.iterdir()):
                weights = path / "adapter_model.safetensors"  # --format peft
                if path.name in self.outputs and weights.exists():
                    self.outputs[path.name].append(weights)
                elif TEMPORARY.fullmatch(path.name):
                    self.temporaries.append(path)
                elif path.suffix == ".safetensors":
                    stem = path.stem
                    if stem in self.outputs:
                        self.outputs[stem].append(path)
                    elif stem.removesuffix("_checkpoint") in self.states:
                        self.states[stem.removesuffix("_checkpoint")].append(path)
                    elif stem.removesuffix("_lora") not in self.outputs:
                        strangers.append(path.name)
        if strangers:
            self.faults.append(f"{len(strangers)} files of people who are not in the table: {few(strangers)}")

    def run(self):
        settings = {}
        for name, paths in self.outputs.items():
            if not paths:
                self.again[name] = "half way" if self.states[name] else "missing"
            elif len(paths) > 1:
                self.faults.append(f"{name} was done twice: {', '.join(map(str, paths))}")
            else:
                self.check_person(name, paths[0], settings)
        self.compare(settings)

    def check_person(self, name, path, settings):
        try:
            folder = path.parent.parent if path.name == "adapter_model.safetensors" else path.parent
            settings[name] = settings_of(*read_header(path)) | {"steps in the log": steps_in(folder / f"{name}_loss.csv")}
        except (Unreadable, OSError) as error:
            self.again[name] = "not whole"
            self.faults.append(f"{name} is not whole: {error} ({path}); remove it to have it done again")

    def compare(self, settings):
        """Names, for each setting, the people who differ from most."""
        for key in dict.fromkeys(key for of_person in settings.values() for key in of_person):
            groups = {}
            for name, of_person in settings.items():
                groups.setdefault(json.dumps(of_person.get(key)), []).append(name)
            if len(groups) > 1:
                usual = max(groups, key=lambda value: len(groups[value]))
                for value, people in groups.items():
                    if value != usual:
                        self.faults.append(f"{key}: {value[:100]} in {few(people)}, {usual[:100]} in {len(groups[usual])} others")

    def leftovers(self):
        """States of people who are finished (killed before removing it), and temporary files nobody has touched for an hour."""
        states = [path for name, paths in self.states.items() if self.outputs[name] and name not in self.again for path in paths]
        return states + [path for path in self.temporaries if time.time() - path.stat().st_mtime > 3600]


def report(check, folders, clean):
    """The exit code."""
    say = lambda text: print(f"check.py: {text}", file=sys.stderr)
    check.run()
    for path in check.leftovers():
        if clean:
            path.unlink()
        say(f"{'removed' if clean else 'left over, --clean removes it'}: {path}")
    for kind in ("missing", "half way"):
        if names := [name for name, why in check.again.items() if why == kind]:
            say(f"{len(names)} of {len(check.names)} {kind}: {few(names)}")
    for fault in check.faults:
        say(fault)
    if not check.again and not check.faults:
        say(f"all {len(check.names)} people are there, once, with the same settings")
        return 0
    print(*check.again, sep="\n")
    if check.again:
        command = Path(f"{folders[0].resolve()}.slurm/command")  # written by submit.sh
        say("to go on:  " + (command.read_text().strip() if command.exists() else "the command that was submitted, again"))
    return 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--fingerprint", action="store_true")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("table", nargs="?")
    parser.add_argument("folders", nargs="*", type=Path)
    given = parser.parse_args()
    if given.help:
        print(__doc__.strip())
        return 0
    if not given.table or bool(given.folders) == (given.count or given.fingerprint):
        parser.error("expected a table and a folder, or --count or --fingerprint and a table")
    try:
        names = read_table(given.table)
    except Unreadable as error:
        print(f"check.py: error: {error}", file=sys.stderr)
        return 3
    if given.count or given.fingerprint:
        print(len(names) if given.count else hashlib.sha256("\n".join(names).encode()).hexdigest())
        return 0
    if missing := [str(folder) for folder in given.folders if not folder.is_dir()]:
        print(f"check.py: error: no such folder ({', '.join(missing)})", file=sys.stderr)
        return 4
    return report(Check(names, given.folders), given.folders, given.clean)


if __name__ == "__main__":
    sys.exit(main())
