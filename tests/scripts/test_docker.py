"""The Dockerfile, as far as it can be judged without Docker: what it copies is there, and what the program links is installed."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, ROOT

TEXT = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
SENT = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
INSTALLED = set(re.findall(r"apt-get install -y --no-install-recommends ([^&]*)", TEXT)[0].split())


def test_the_build_gets_what_it_reads():
    assert [name for name in SENT if not (ROOT / name).exists()] == []
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)", TEXT, re.M)]
    assert {name for names in copied for name in names} <= {".", *SENT}
    cmake = "".join((ROOT / name).read_text() for name in ("CMakeLists.txt", *(f"cmake/{p.name}" for p in (ROOT / "cmake").glob("*.cmake"))))
    read = set(re.findall(r"\$\{CMAKE_SOURCE_DIR\}/(\w+)|(?:DIRECTORY|FILES|add_subdirectory\() ?(\w+)", cmake))
    assert {a or b for a, b in read} & {p.name for p in ROOT.iterdir()} <= {*SENT, "tests"}  # which W2W_TESTS=OFF leaves out


@pytest.mark.parametrize("command", re.findall(r"^RUN (.*)", TEXT, re.M))
def test_its_commands_are_shell(command):
    subprocess.run(["sh", "-n", "-c", command], check=True)


def test_it_is_no_root():
    final = TEXT.split("\nFROM ")[-1]
    assert final.index("useradd --create-home w2w") < final.index("USER w2w") and final.rstrip().endswith('ENTRYPOINT ["w2w"]')


def debian():
    return shutil.which("dpkg-query") and 'VERSION_ID="12"' in Path("/etc/os-release").read_text()


@pytest.mark.skipif(not debian(), reason="the names of the packages are those of Debian 12")
def test_it_installs_what_the_program_links():
    output = lambda *command: subprocess.run(command, capture_output=True, text=True).stdout
    needed = re.findall(r"NEEDED\s+(\S+)", output("objdump", "-p", BUILD / "w2w"))
    found = dict(re.findall(r"(\S+) => \S*(/[\w-]+/\S+)", output("ldd", BUILD / "w2w")))  # by /x86_64-linux-gnu/NAME, as /lib is /usr/lib
    owners = output("dpkg-query", "-S", *(f"*{found[name]}" for name in needed if name in found))
    packages = {line.split(":")[0] for line in owners.splitlines()} - {"libc6", "libgcc-s1"}  # which are everywhere
    assert packages == INSTALLED
