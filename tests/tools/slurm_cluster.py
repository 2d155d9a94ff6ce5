"""A SLURM of two nodes on this machine, for the tests of the batch scripts: munged, slurmctld and two slurmd."""

import getpass
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel", "sinfo", "unshare")
NODES = ("n1", "n2")

# cred_expire: a requeued job waits so long and a second more (121 s by default)
CONF = """
ClusterName=ci
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={d}/munge/sock,cred_expire=5
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={d}/ctld
SlurmdSpoolDir={d}/spool/%n
SlurmctldPidFile={d}/slurmctld.pid
SlurmdPidFile={d}/slurmd-%n.pid
SlurmctldLogFile={d}/log/slurmctld.log
SlurmdLogFile={d}/log/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,sched_interval=1
SlurmdParameters=config_overrides
MpiDefault=pmix
MailProg=/bin/true
ReturnToService=2
SlurmdTimeout=10
KillWait=5
MinJobAge=600
NodeName=n1 NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=4000 State=UNKNOWN
NodeName=n2 NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Why there can be no SLURM here; empty if there can be."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [program for program in PROGRAMS if not shutil.which(program, path=path)]
    if missing:
        return "not installed: " + ", ".join(missing) + " (tools/install-packages installs them)"
    own_names = subprocess.run(["unshare", "--uts", "--mount", "true"], capture_output=True, text=True)
    if own_names.returncode != 0:
        return "nodes cannot get names of their own: " + own_names.stderr.strip()
    return ""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_until(is_so, what, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class Cluster:
    """Starts when made; stop() ends it and removes its files."""

    def __init__(self):
        # sbatch and munge take sockets with short paths only, and whoever connects must reach them
        self._temporary = tempfile.TemporaryDirectory(prefix="slurm-")
        self.directory = pathlib.Path(self._temporary.name)
        self.directory.chmod(0o755)
        self.environment = dict(os.environ, SLURM_CONF=str(self.directory / "slurm.conf"),
                                PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        try:
            self._start()
        except BaseException:
            print(self.logs())
            self.stop()
            raise

    def _start(self):
        d = self.directory
        for name in ("munge", "ctld", "log", "pmix", *(f"spool/{node}" for node in NODES)):
            (d / name).mkdir(parents=True)
        (d / "munge").chmod(0o711)
        key = d / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        (d / "slurm.conf").write_text(CONF.format(d=d, host=socket.gethostname().split(".")[0], user=getpass.getuser(),
                                                  ports=free_ports(3)))
        (d / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (d / "mpi.conf").write_text(f"PMIxCliTmpDirBase={d}/pmix\n")
        self.call("munged", f"--key-file={key}", f"--socket={d}/munge/sock", f"--pid-file={d}/munge/munged.pid",
                  f"--log-file={d}/munge/munged.log", f"--seed-file={d}/munge/seed")
        self.call("slurmctld")
        for node in NODES:  # without names and memory of their own, jobs over two nodes crash
            self.call("unshare", "--uts", "--mount", "--propagation", "private", "--", "sh", "-c",
                      f"hostname {node}; mount -t tmpfs none {d}/pmix; mount -t tmpfs none /dev/shm;"
                      f" exec slurmd -N {node}")
        wait_until(lambda: self.call("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split() == [*NODES],
                   "idle nodes")

    def call(self, *command, cwd=None):
        result = subprocess.run(command, env=self.environment, cwd=cwd, text=True, timeout=60,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if result.returncode != 0:
            raise RuntimeError(f"{command} gave {result.returncode}: {result.stderr}")
        return result.stdout

    def logs(self):
        files = [*self.directory.glob("log/*"), *self.directory.glob("munge/*.log")]
        return "\n".join(f"{file}:\n{file.read_text()[-3000:]}" for file in files)

    def fields(self, job):
        """What scontrol says of a job."""
        words = self.call("scontrol", "--oneliner", "show", "job", str(job)).splitlines()[0].split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def state(self, job):
        return self.fields(job)["JobState"]

    def wait_for(self, job, *states, seconds=100):
        wait_until(lambda: self.state(job) in states, f"job {job} {states}, is {self.fields(job)}", seconds)

    def stop(self):
        try:
            self.call("scancel", "--user", getpass.getuser())
            wait_until(lambda: self.call("squeue", "-h") == "", "no jobs", 30)
        except (RuntimeError, TimeoutError, OSError):
            pass  # it may never have come up
        for name in (*(f"slurmd-{node}.pid" for node in NODES), "slurmctld.pid", "munge/munged.pid"):
            self._end(self.directory / name)
        self._temporary.cleanup()

    def _end(self, pid_file):
        if not pid_file.exists():
            return
        try:
            os.kill(int(pid_file.read_text()), signal.SIGTERM)
            wait_until(lambda: not pid_file.exists(), f"{pid_file} is removed", 20)
        except (ProcessLookupError, TimeoutError, ValueError):
            pass
