"""The job arrays of scripts/slurm on a real Slurm: whatever happens to a task, nobody is lost and nobody is done twice."""
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT, Program
from slurm.cluster import Cluster, reason_to_skip

SUBMIT = ROOT / "scripts" / "slurm" / "submit.sh"
STEPS = 40

pytestmark = [pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip())), pytest.mark.deadline(3600)]


@pytest.fixture(scope="module")
def cluster():
    running = Cluster(cpus=4)
    try:
        running.start()
    except AssertionError as error:  # a machine that does not let daemons be, such as some containers
        pytest.skip(f"Slurm does not start: {error}")
    yield running
    running.stop()
    assert not running.processes()


def picture(path, seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(coarse).resize((64, 64), Image.BICUBIC).save(path)


class Work:
    """A table of people, and the array that works on it."""

    def __init__(self, cluster, folder, people, command="invert"):
        self.command = command
        self.cluster, self.folder, self.table = cluster, folder, folder / "photos.csv"
        self.output, self.notes = folder / "people", folder / "people.slurm"
        self.program = Program("w2w", folder)
        self.environment = {"W2W_SLURM_PROGRAM": str(self.program.path), "HOME": str(folder)}
        for i, name in enumerate(people):
            picture(folder / f"{name}.png", i)
        self.table.write_text("name,image\n" + "".join(f"{name},{name}.png\n" for name in people))
        self.options = {"invert": ["--seed", 1, "-W", 32, "-H", 32, "--steps", STEPS],
                        "train": ["--num-class-images", 1, "--lr", 1e-3, "-W", 32, "-H", 32, "--steps", 55]}[command]

    def submit(self, *arguments, check=True):
        """{"array": id, "finish": id}, or the finished process that failed."""
        done = self.cluster.run(SUBMIT, self.command, self.table, "-o", self.output, *arguments, "--", *self.options, check=check,
                                **self.environment)
        return dict(line.split() for line in done.stdout.splitlines()) if check else done

    def alone(self, output, *more):
        """The same without Slurm and without interruption."""
        self.program(self.command, "--batch-file", self.table, "-o", output, "-t", 1, *self.options, *more, timeout=1200)

    def log(self, task):
        (path,) = self.notes.glob(f"*_{task}.log" if isinstance(task, int) else f"{task}-*.log")
        return path.read_text()

    def files(self):
        """{name: (inode, time of the last change)}: what is replaced by equal bytes differs too."""
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in self.output.iterdir()}

    def process(self, task):
        """The w2w of a running task."""
        found = [p for p in self.cluster.processes()
                 if f"SLURM_ARRAY_TASK_ID={task}\0".encode() in Path(f"/proc/{p}/environ").read_bytes()
                 and str(self.program.path).encode() in Path(f"/proc/{p}/cmdline").read_bytes().split(b"\0")[:2]]
        assert len(found) == 1, (found, self.log(task))
        return found[0]

    def wait_for_half_way(self, people):
        """Until the state of one of them has been saved."""
        states = [self.output / f"{name}_checkpoint.safetensors" for name in people]
        self.cluster.wait(f"one of {people} half way", lambda: any(state.exists() for state in states))

    def wait(self):
        self.cluster.wait("an empty queue", lambda: not self.cluster.queue())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_interrupted_tasks_come_back_and_nobody_is_lost_or_done_twice(cluster, tmp_path):
    people = [f"p{i}" for i in range(8)]
    shards = {task: people[task - 1::3] for task in (1, 2, 3)}
    work = Work(cluster, tmp_path, people)
    array = work.submit("--shards", 3)["array"]
    cluster.wait("somebody who is finished", lambda: any(work.output.glob("p?.safetensors")))
    early = {name: when for name, when in work.files().items() if not name.endswith("_checkpoint.safetensors")}

    work.wait_for_half_way(shards[3])
    cluster.run("scancel", "--signal=TERM", f"{array}_3")  # as 60 seconds before the time limit
    # The last task of an array has the job id of all of it: the others must go on.
    states = cluster.wait("task 3 in the queue again", lambda: cluster.queue().get(f"{array}_3") == "PENDING" and cluster.queue())
    assert states[f"{array}_1"] == states[f"{array}_2"] == "RUNNING"
    work.wait_for_half_way(shards[1])
    os.kill(work.process(1), signal.SIGKILL)
    work.wait_for_half_way(shards[2])
    cluster.run("scontrol", "requeue", f"{array}_2")
    work.wait()

    assert "all 8 people are there, once, with the same settings" in work.log("finish")
    for task, names in shards.items():
        log = work.log(task)
        assert log.count("(restart 0)") == log.count("(restart 1)") == 1 and "(restart 2)" not in log, log
        assert log.count("resuming") == 1, log
    assert "exit code 137" in work.log(1) and "requeued" in work.log(1)
    assert "requeued" not in work.log(2)  # by Slurm itself, not by the script
    assert "exit code 130" in work.log(3) and "requeued" in work.log(3)
    written = [line for task in shards for line in work.log(task).splitlines() if line.endswith(".safetensors") and line[0] == "/"]
    assert sorted(written) == [str(work.output / f"{name}.safetensors") for name in people]
    late = work.files()
    assert len(early) >= 2 and all(late[name] == when for name, when in early.items())
    work.alone(tmp_path / "alone")
    assert contents(work.output) == contents(tmp_path / "alone")


def test_preempted_tasks_come_back(cluster, tmp_path):
    people = ["anna", "bert"]
    work = Work(cluster, tmp_path, people)
    work.options[-1] = 60
    work.submit("--shards", 2)
    for name in people:
        work.wait_for_half_way([name])
    cluster.run("sbatch", "--partition=urgent", f"--ntasks={cluster.cpus}", "--output=/dev/null", "--wrap=sleep 1")
    work.wait()
    assert "all 2 people are there" in work.log("finish")
    restarts = [work.log(task).count("(restart 1)") for task in (1, 2)]
    assert 1 in restarts and restarts == [work.log(task).count("resuming") for task in (1, 2)]
    work.alone(tmp_path / "alone")
    assert contents(work.output) == contents(tmp_path / "alone")


def test_from_a_table_to_a_space(cluster, tmp_path):
    work = Work(cluster, tmp_path, ["anna", "bert", "cora"], "train")
    array = work.submit("--shards", 2, "--build", tmp_path / "space")["array"]
    cluster.wait("bert in training", lambda: list(work.notes.glob("*_2.log")) and "training" in work.log(2))
    cluster.run("scancel", "--signal=TERM", f"{array}_2")
    work.wait_for_half_way(["anna"])
    os.kill(work.process(1), signal.SIGKILL)
    work.wait()
    assert "all 3 people are there, once, with the same settings" in work.log("finish")
    assert len(contents(work.output / "class")) == 1 and "class-001.png" not in work.log(1) + work.log(2)  # made before
    for task in (1, 2):
        assert work.log(task).count("(restart 1)") == work.log(task).count("resuming") == 1
    work.alone(tmp_path / "alone", "--class-images", work.output / "class")
    assert contents(work.output) == contents(tmp_path / "alone")
    work.program("space", "build", tmp_path / "alone", "-o", tmp_path / "alone-space")
    assert contents(tmp_path / "space") == contents(tmp_path / "alone-space")


def test_what_fails_is_named_with_the_command_that_goes_on(cluster, tmp_path):
    work = Work(cluster, tmp_path, ["anna", "bert", "cora"])
    work.options[-1] = 4
    (tmp_path / "bert.png").write_bytes(b"broken")
    work.submit("--shards", 2)
    work.wait()
    said = work.log("finish")
    assert "1 of 3 missing: bert" in said and "exit code 1" in work.log(2)
    assert "requeued" not in work.log(2)  # the same would happen again
    before = work.files()
    assert {"anna.safetensors", "cora.safetensors"} <= set(before)

    picture(tmp_path / "bert.png", 1)
    (command,) = [line.split("to go on:  ")[1] for line in said.splitlines() if "to go on:" in line]
    for log in work.notes.glob("*.log"):
        log.unlink()
    cluster.run("bash", "-c", command, HOME=str(tmp_path))
    work.wait()
    assert "all 3 people are there" in work.log("finish")
    after = work.files()
    assert all(after[name] == when for name, when in before.items())


def test_a_folder_has_one_array_at_a_time_and_one_table(cluster, tmp_path):
    work = Work(cluster, tmp_path, ["anna", "ben"])
    array = work.submit("--shards", 2, "--sbatch", "--hold")["array"]
    done = work.submit("--shards", 2, check=False)
    assert done.returncode == 1 and f"still at work on {work.output}: jobs" in done.stderr and f"{array}_[1-2]" in done.stderr

    work.table.write_text("name,image\nben,ben.png\nanna,anna.png\n")
    cluster.run("scontrol", "release", array)
    work.wait()
    for task in (1, 2):
        assert f"the table has changed since it was submitted ({work.table}); scancel {array}" in work.log(task)
    assert "2 of 2 missing: ben, anna" in work.log("finish")
