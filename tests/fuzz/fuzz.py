"""Damages a file of every kind that w2w reads, runs the commands that read it, and judges what comes of it.

    .deps/venv/bin/python tests/fuzz/fuzz.py [--seed 0] [--count 20] [--kinds png,csv] [--keep FOLDER]

`--count` files of each kind. Every run has to end by itself in time, with an exit code of the promised ones, without
"internal error", within its memory, and without an unfinished file left behind. Findings are kept in --keep.
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
from measured import Cost, cost, measured  # noqa: E402
from mutate import mutated  # noqa: E402
from seeds import ROOT, make_kinds  # noqa: E402

CODES = {0, 1, 2, 3, 4}  # neither a signal nor 5: no damaged file needs all memory
MOST_SECONDS, MOST_MEGABYTES = 60, 1500


@dataclass
class Run:
    code: int
    error: str
    seconds: float
    megabytes: float


@dataclass
class Result:
    codes: collections.Counter = field(default_factory=collections.Counter)
    findings: list = field(default_factory=list)
    slowest: float = 0
    largest: float = 0


def environment(home):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("W2W_", "HF_", "HUGGINGFACE_", "XDG_"))}
    return kept | {"HOME": str(home), "NO_COLOR": "1", "W2W_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}


def run(command, folder, errors):
    figures = Path(errors).with_suffix(".figures")
    figures.unlink(missing_ok=True)
    with open(errors, "wb") as stream:
        start = time.monotonic()
        process = subprocess.Popen(measured(command, figures), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=stream, env=environment(folder), start_new_session=True)
        timer = threading.Timer(MOST_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        process.wait()
        timer.cancel()
    error = Path(errors).read_bytes()[-20000:].decode(errors="replace")
    found = cost(figures) if figures.exists() else Cost(process.returncode, 0, 0)
    return Run(found.code, error, time.monotonic() - start, found.megabytes)


def complaint(done, folder):
    """What is wrong with how a run ended, or nothing."""
    if done.seconds > MOST_SECONDS:
        return f"took more than {MOST_SECONDS} s"
    if done.code < 0:
        return f"ended by {signal.Signals(-done.code).name}"
    if done.code not in CODES:
        return f"exit code {done.code}"
    if "internal error" in done.error:
        return "internal error"
    if done.code != 0 and "w2w: error: " not in done.error:
        return "failed without a word"
    if done.megabytes > MOST_MEGABYTES:
        return f"took {done.megabytes:.0f} MB"
    left = [path.name for path in folder.rglob(".*.??????")]
    return f"left {left[0]}" if left else None


def fuzz_kind(program, name, seed, count, root, keep=None):
    """`count` damaged files of one kind, judged."""
    kind = make_kinds(root / name)[name]  # a world of its own: kinds are run beside each other
    original, result = kind.file.read_bytes(), Result()
    rng = random.Random(f"{seed} {name}")
    for number in range(count):
        data = mutated(original, rng, kind.text)
        kind.file.write_bytes(data)
        folder = root / name / name
        for command in kind.commands:
            arguments = [str(kind.file.relative_to(folder)) if word == "FILE" else word for word in command]
            done = run([str(program), *arguments], folder, root / f"{name}.stderr")
            result.codes[done.code] += 1
            result.slowest, result.largest = max(result.slowest, done.seconds), max(result.largest, done.megabytes)
            if what := complaint(done, folder):
                result.findings.append(f"{name} {number} (seed {seed}): `w2w {' '.join(arguments)}` {what}: "
                                       f"{' | '.join(done.error.splitlines()[-2:])[:300]}")
                if keep:
                    Path(keep).mkdir(parents=True, exist_ok=True)
                    shutil.copy(kind.file, Path(keep) / f"{name}-{seed}-{number}{kind.file.suffix}")
    return result


def fuzz(program, seed, count, names=None, keep=None, report=lambda name, result: None, workers=os.cpu_count()):
    """{kind: Result}"""
    with tempfile.TemporaryDirectory() as root:
        names = names or sorted(make_kinds(Path(root) / "all"))
        with ThreadPoolExecutor(workers) as pool:
            jobs = {name: pool.submit(fuzz_kind, program, name, seed, count, Path(root), keep) for name in names}
            results = {}
            for name, job in jobs.items():
                results[name] = job.result()
                report(name, results[name])
        return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--kinds", type=lambda text: text.split(","))
    parser.add_argument("--keep", default="fuzz-findings")
    parser.add_argument("--program", type=Path, default=Path(os.environ.get("W2W_BUILD", ROOT / "build")) / "w2w")
    options = parser.parse_args()

    def report(name, result):
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(result.codes.items()))
        print(f"{name:18} {codes:40} slowest {result.slowest:5.1f} s, largest {result.largest:5.0f} MB", flush=True)
        for finding in result.findings:
            print("  " + finding, flush=True)

    results = fuzz(options.program.resolve(), options.seed, options.count, options.kinds, options.keep, report)
    runs = sum(sum(result.codes.values()) for result in results.values())
    findings = sum(len(result.findings) for result in results.values())
    print(f"{runs} runs, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
