"""What a run cost. A small process starts it: what the parent has at a fork counts as the child's own memory, and pytest has gigabytes."""
import sys
from pathlib import Path
from typing import NamedTuple

LAUNCHER = """
import os, sys
_, status, usage = os.wait4(os.spawnv(os.P_NOWAIT, sys.argv[2], sys.argv[2:]), 0)
with open(sys.argv[1], "w") as file:
    print(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, file=file)
"""


class Cost(NamedTuple):
    code: int  # negative: the signal that ended it
    seconds: float  # of the processor
    megabytes: float  # at most at a time


def measured(command, figures):
    """The command line that runs `command`, whose program is an absolute path, and writes what it cost into the file `figures`."""
    return [sys.executable, "-S", "-c", LAUNCHER, str(figures), *map(str, command)]


def cost(figures):
    code, seconds, megabytes = Path(figures).read_text().split()
    return Cost(int(code), float(seconds), float(megabytes))
