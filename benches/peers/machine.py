"""How busy the machine is with other programs: before a run, so that it can wait, and during it, so that the run can be judged."""

import os
import pathlib
import resource
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """Of all processors since the machine started, whoever asked for them (with what a hypervisor took away)."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / TICK


def others_now(seconds=0.4):
    """Processors that other programs use just now."""
    begun, busy = time.perf_counter(), busy_seconds()
    time.sleep(seconds)
    return (busy_seconds() - busy) / (time.perf_counter() - begun)


def wait_for_quiet(limit, patience):
    """Until other programs use less than `limit` processors, `patience` seconds at most."""
    end = time.monotonic() + patience
    while others_now() > limit and time.monotonic() < end:
        time.sleep(0.5)


def children_seconds():
    """Of the processor, by programs that this one started and that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Run:
    """A program that ended: its output, when it began (Unix time), wall and processor seconds, and what others used meanwhile."""

    def __init__(self, command, environment=None, folder=None, core=None, timeout=600):
        pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
        before = children_seconds()
        busy, self.begun, clock = busy_seconds(), time.time(), time.perf_counter()
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=timeout,
            env={**os.environ, **(environment or {})}, cwd=folder, preexec_fn=pin,
        )
        self.seconds = time.perf_counter() - clock
        self.processor_seconds = children_seconds() - before
        self.others = max(0.0, (busy_seconds() - busy - self.processor_seconds) / self.seconds)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        self.output = done.stdout
