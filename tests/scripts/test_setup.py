"""scripts/setup says what it will do, asks before it changes the system, and is quiet when nothing is missing."""
import os
import pty
import shutil
import subprocess

import pytest

from conftest import ROOT

PYTHON = """#!/bin/sh
echo "python $*" >> "$STUBS/log"
case "$1 $2" in
  "-m venv") mkdir -p "$4/bin"; cp "$STUBS/python3" "$4/bin/python"; cp "$STUBS/pip" "$4/bin/pip" ;;
  "-V "*) echo Python 3.11.2 ;;
esac
"""
STUBS = {
    "python3": PYTHON,
    "pip": '#!/bin/sh\necho "pip $*" >> "$STUBS/log"\n',
    "dpkg-query": '#!/bin/sh\nfor last; do :; done\ngrep -qx "$last" "$STUBS/missing" || echo installed\n',
    "apt-cache": "#!/bin/sh\nexit 1\n",
    "apt-get": """#!/bin/sh
case "$*" in
  *--print-uris*) echo "'http://a/libfmt.deb' libfmt.deb 1500000 SHA256:0"; echo "'http://a/b.deb' b.deb 2000000 SHA256:0" ;;
  *) echo "apt-get $*" >> "$STUBS/log"; : > "$STUBS/missing" ;;
esac
""",
    "sudo": '#!/bin/sh\n[ "$1" = -n ] && exit 0\nexec "$@"\n',
    "nvidia-smi": "#!/bin/sh\nexit 1\n",
}
APT = "apt-get install -y -q --no-install-recommends libfmt-dev"


class Machine:
    """A clone's scripts on a machine whose package manager, Python and sudo only keep notes."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        (folder / "stubs").mkdir()
        for name, text in STUBS.items():
            (folder / "stubs" / name).write_text(text)
            (folder / "stubs" / name).chmod(0o755)
        self.lack("")

    def lack(self, package):
        (self.folder / "stubs/missing").write_text(package + "\n")

    def done(self):
        """What was installed since the last question."""
        log = self.folder / "stubs/log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return [line for line in lines if line.startswith(("apt-get install", "pip install"))]

    def setup(self, *arguments, code=0, answer=None):
        """Its messages; `answer` is what is typed at a terminal, None: there is none."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("W2W_")}
        environment |= {"PATH": f"{self.folder / 'stubs'}:{os.environ['PATH']}", "STUBS": str(self.folder / "stubs")}
        keyboard = subprocess.DEVNULL
        if answer is not None:
            typing, keyboard = pty.openpty()
            os.write(typing, answer.encode())
        done = subprocess.run([self.folder / "scripts/setup", *arguments], stdin=keyboard, env=environment, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if answer is not None:
            os.close(typing), os.close(keyboard)
        assert done.returncode == code, done.stdout
        return done.stdout


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_nothing_is_installed_unasked(machine):
    machine.lack("libfmt-dev")
    said = machine.setup(code=1)
    assert "distribution packages to install (download 4 MB): libfmt-dev" in said
    assert "download 0.6 GB, disk 1.3 GB: a minute" in said
    assert "nothing was installed, as there is no terminal to ask at: allow it by --yes, or install them by:" in said
    assert "apt-get install -y --no-install-recommends libfmt-dev" in said
    assert machine.done() == []


@pytest.mark.parametrize("answer, code", [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_the_answer_counts(machine, answer, code):
    machine.lack("libfmt-dev")
    assert ("nothing was installed" in machine.setup(code=code, answer=answer)) == (code == 1)
    assert machine.done() == ([APT, "pip install -q --no-deps -r requirements-build.txt"] if code == 0 else [])


def test_what_was_allowed_is_not_asked_for_and_what_is_there_is_quiet(machine):
    machine.lack("libfmt-dev")
    said = machine.setup("--tests", "--yes")
    assert "libfmt-dev" in said and "download 3 GB, disk 5.5 GB: 5 minutes" in said and "go on?" not in said
    assert machine.done() == [APT, "pip install -q -r requirements-test.txt"]
    for arguments in ["--tests", "--yes"], ["--tests"], []:
        assert machine.setup(*arguments) == "" and machine.done() == []


def test_an_environment_of_ones_own_folder_needs_no_word(machine):
    said = machine.setup()
    assert said.count("\n") == 1 and "Python packages to install into" in said
    assert machine.done() == ["pip install -q --no-deps -r requirements-build.txt"]
    (machine.folder / "scripts/requirements-build.txt").write_text("torch==3\n")
    assert machine.setup() != "" and len(machine.done()) == 1
    shutil.rmtree(machine.folder / ".deps/venv")
    assert machine.setup() != "" and len(machine.done()) == 1


def test_an_unknown_option(machine):
    assert "unknown option '--test'; expected --tests, --yes or --help" in machine.setup("--test", code=2)
    assert "--yes" in machine.setup("--help") and machine.done() == []


@pytest.mark.parametrize("script", ["scripts/test", "scripts/quickstart"])
def test_scripts_that_nobody_sits_at_say_yes(script):
    assert any("scripts/setup" in line and "--yes" in line for line in (ROOT / script).read_text().splitlines())


def test_libtorch_is_that_of_the_environments_own_python(machine):
    """After an upgrade of the system's Python the environment has two folders of packages."""
    for version in ("3.11", "3.12"):
        (machine.folder / f".deps/venv/lib/python{version}/site-packages/torch").mkdir(parents=True)
    (machine.folder / ".deps/venv/bin").mkdir()
    (machine.folder / ".deps/venv/bin/python").write_text(f"#!/bin/sh\necho {machine.folder}/.deps/venv/lib/python3.12/site-packages\n")
    (machine.folder / ".deps/venv/bin/python").chmod(0o755)
    (machine.folder / "stubs/cmake").write_text('#!/bin/sh\necho "cmake $*" >> "$STUBS/log"\n')
    (machine.folder / "stubs/cmake").chmod(0o755)
    environment = {"PATH": f"{machine.folder / 'stubs'}:{os.environ['PATH']}", "STUBS": str(machine.folder / "stubs"), "W2W_JOBS": "3"}
    subprocess.run(["bash", "-c", 'source "$0"; build debug -DW2W_WERROR=ON unit_tests', machine.folder / "scripts/common.sh"],
                   env=environment, check=True, capture_output=True, timeout=60)
    assert (machine.folder / "stubs/log").read_text().splitlines() == [
        f"cmake --preset debug -DW2W_TORCH_ROOT={machine.folder}/.deps/venv/lib/python3.12/site-packages/torch -DW2W_WERROR=ON",
        "cmake --build --preset debug -j 3 --target unit_tests"]
