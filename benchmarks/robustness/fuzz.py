"""Load thousands of hostile model files (docs/checkpoints.md).

    python -m benchmarks.robustness.fuzz [--examples 1000] [--seed 0]

Each kind of attack runs in processes of its own, so that the script survives and reports a crash, a hang or a file
that eats all memory. A process ends when one file takes more than ten seconds of processor time, or two minutes in
all. The script needs the extra `testing`, and Linux or macOS.
"""

import argparse
import collections
import faulthandler
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings, strategies as st

from napari_ldseg._tests.fuzzing import make_attacks

LIMIT_SECONDS = 10
LIMIT_WAITING = 120
LIMIT_BYTES = 10**9
# Files of each kind, in units of --examples: a damaged header is rejected quickly, an import takes longer.
SHARES = {
    "safetensors bytes": 12,
    "safetensors header and settings": 8,
    "HDF5 bytes": 1,
    "HDF5 content": 1,
    "PyTorch bytes": 2,
    "PyTorch pickle": 2,
}


def peak() -> int:
    """Return the peak memory of this process or its largest child, in bytes."""
    return 1024 * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def processor_time() -> float:
    """Return the processor time of this process and its children, in seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def attack_many(name: str, examples: int, start: int) -> None:
    """Run one kind of attack in this process and print its summary as JSON."""
    counts: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        attack = make_attacks(Path(folder) / "files")[name]
        before = peak()

        @seed(start)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(data=st.data())
        def run(data: st.DataObject) -> None:
            nonlocal slowest
            # Both end the process even where it hangs outside Python; the first one by the signal SIGPROF.
            signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
            faulthandler.dump_traceback_later(LIMIT_WAITING, exit=True)
            began = processor_time()
            counts["loaded" if attack(data) else "refused"] += 1
            slowest = max(slowest, processor_time() - began)
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_PROF, 0)

        run()
        print(json.dumps({**counts, "slowest": slowest, "memory": peak() - before, "peak": peak()}))  # noqa: T201


def start_all(examples: int, jobs: int, first: int) -> dict[str, list[subprocess.Popen[str]]]:
    """Start the processes of all kinds."""
    return {
        name: [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", __spec__.name, "--only", name),
                    *("--examples", str(-(-examples * share // jobs)), "--seed", str(first + job)),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for job in range(jobs)
        ]
        for name, share in SHARES.items()
    }


def main() -> None:
    """Run all kinds and print a Markdown table; exit with 1 if any limit was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="files of the kinds that take longest")
    parser.add_argument("--jobs", type=int, default=1, help="processes for each of the six kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=SHARES, help="one kind, in this process")
    arguments = parser.parse_args()
    if arguments.only:
        attack_many(arguments.only, arguments.examples, arguments.seed)
        return
    print("| attack | files | refused | loaded | slowest (s) | more memory (MB) | largest process (MB) |")  # noqa: T201
    print("|---|---|---|---|---|---|---|")  # noqa: T201
    failed, files = False, 0
    for name, processes in start_all(arguments.examples, arguments.jobs, arguments.seed).items():
        outputs = [process.communicate() for process in processes]
        for process, (_, errors) in zip(processes, outputs, strict=True):
            if process.returncode:
                failed = True
                print(f"{name}: ended with {process.returncode}\n{errors[-3000:]}", flush=True)  # noqa: T201
        found = [json.loads(out.splitlines()[-1]) for out, _ in outputs if out]
        refused, loaded = (sum(each.get(key, 0) for each in found) for key in ("refused", "loaded"))
        most = {key: max((each[key] for each in found), default=0) for key in ("slowest", "memory", "peak")}
        failed |= most["peak"] > LIMIT_BYTES
        files += refused + loaded
        numbers = f"{most['slowest']:.2f} | {most['memory'] / 1e6:.0f} | {most['peak'] / 1e6:.0f}"
        print(f"| {name} | {refused + loaded} | {refused} | {loaded} | {numbers} |", flush=True)  # noqa: T201
    print(f"{files} files, {'with failures' if failed else 'no limit broken'}")  # noqa: T201
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
