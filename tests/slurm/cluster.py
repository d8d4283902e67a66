"""A real Slurm on this machine, for as long as a `with` block: munged, slurmctld and slurmd in a folder of their own.

    with Cluster() as cluster: cluster.run("sbatch", "job.sh")

Nothing of the machine is used or changed: own key, configuration, ports, state and logs. Needs root, because slurmd starts
jobs in their user's name.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel", "sinfo"]

# cred_expire is also how long a requeued job waits before it starts again (120 s by default, 5 s at least).
# MessageTimeout, BatchStartTimeout: for machines whose cores are taken by others.
# config_overrides: the node has the CPUs written here, so that tasks run side by side on any machine.
CONFIGURATION = """\
ClusterName=w2w
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,defer_batch=0
SlurmdParameters=config_overrides
ReturnToService=2
MessageTimeout=60
BatchStartTimeout=120
KillWait=10
MinJobAge=300
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=all Nodes=ALL Default=YES PriorityTier=1 GraceTime=10 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=2 State=UP
"""


def reason_to_skip():
    """Why no Slurm can run here, or nothing."""
    if not os.environ.get("W2W_SLURM"):
        return "W2W_SLURM is not set"
    if os.geteuid() != 0:
        return "Slurm needs root to start jobs"
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    return f"no {', '.join(missing)}: apt-get install slurm-wlm munge" if missing else None


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def end_with_parent():
    """The daemon is told to end should this process be killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Cluster:
    def __init__(self, cpus=2):
        self.cpus = cpus
        self.daemons = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.folder = Path(tempfile.mkdtemp(prefix="w2w-slurm-"))  # a short path: that of a socket has 107 bytes at most
        try:
            self._start_daemons()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        if len(self.daemons) == 3:
            self.run("scancel", "--full", "--signal=KILL", "--user=root", check=False)
            self.run("scancel", "--user=root", check=False)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for process in self.processes():  # of jobs: slurmd leaves them alone when it ends
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **changes):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "SRUN", "SQUEUE", "W2W_"))}
        return kept | {"SLURM_CONF": str(self.folder / "slurm.conf")} | changes

    def run(self, *command, check=True, cwd=None, **environment):
        """Runs a command that knows this cluster; its finished process."""
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=cwd or self.folder, timeout=120,
                              env=self.environment(**environment))
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done

    def queue(self):
        """{job or task id: state} of everything that is not finished: {"3_1": "RUNNING", ...}"""
        lines = self.run("squeue", "--noheader", "--array", "--format=%i %T").stdout.splitlines()
        return dict(line.split() for line in lines)

    def wait(self, what, condition, seconds=600):
        """Waits until condition() is true, and returns that value."""
        deadline = time.time() + seconds
        while time.time() < deadline:
            if value := condition():
                return value
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s: {what}\n{self.run('squeue', check=False).stdout}\n{self.logs()}")

    def logs(self, lines=15):
        return "\n".join(f"{log.name}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
                         for log in sorted(self.folder.glob("*.log")))

    def processes(self):
        """All that were started by this cluster's jobs or daemons: their environment names its configuration."""
        mark = f"SLURM_CONF={self.folder}/".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes() and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
            except OSError:
                pass  # it ended meanwhile
        return found

    def _start_daemons(self):
        controller_port, node_port = free_ports(2)
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(
            host=socket.gethostname().split(".")[0], folder=self.folder, cpus=self.cpus, controller_port=controller_port,
            node_port=node_port))
        for name in ["state", "spool"]:
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        munge = self._daemon("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", f"--key-file={key}",
                             f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
                             f"--seed-file={self.folder}/munged.seed", "--num-threads=2")
        self.wait("the socket of munged", lambda: (self.folder / "munge.socket").exists() and munge.poll() is None, 20)
        self._daemon("slurmctld", "-D", "-c")
        self._daemon("slurmd", "-D")
        self.wait("an idle node", lambda: "idle" in self.run("sinfo", "-h", "-o", "%T", check=False).stdout.split(), 60)

    def _daemon(self, program, *arguments):
        with open(self.folder / f"{program}.out.log", "w") as log:
            self.daemons.append(subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=log,
                                                 stderr=subprocess.STDOUT, cwd=self.folder, env=self.environment(),
                                                 preexec_fn=end_with_parent))
        return self.daemons[-1]
