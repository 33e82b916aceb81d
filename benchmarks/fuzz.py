"""Load thousands of hostile model files: python benchmarks/fuzz.py [--examples 2000] [--seed 0] (docs/checkpoints.md).

Each kind of attack runs in a process of its own, so that a crash, a hang or a hunger for memory is seen and survived.
A file that takes more than ten seconds ends its process. Needs the extra `testing`.
"""

import argparse
import collections
import faulthandler
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from napari_ldseg._tests.fuzzing import make_attacks

LIMIT_SECONDS = 10
LIMIT_BYTES = 10**9
NAMES = tuple(
    f"{kind} {what}"
    for kind, whats in (
        ("safetensors", ("bytes", "header and settings")),
        ("HDF5", ("bytes", "content")),
        ("PyTorch", ("bytes", "pickle")),
    )
    for what in whats
)


def peak() -> int:
    """Largest memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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
            faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
            began = time.perf_counter()
            counts["loaded" if attack(data) else "refused"] += 1
            slowest = max(slowest, time.perf_counter() - began)

        run()
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps({**counts, "slowest": slowest, "memory": peak() - before, "peak": peak()}))  # noqa: T201


def main() -> None:
    """Run all kinds and print a Markdown table; exit with 1 if any limit was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="files of each of the six kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=NAMES, help="one kind, in this process")
    arguments = parser.parse_args()
    if arguments.only:
        attack_many(arguments.only, arguments.examples, arguments.seed)
        return
    print("| attack | files | refused | loaded | slowest (s) | more memory (MB) | largest process (MB) |")  # noqa: T201
    print("|---|---|---|---|---|---|---|")  # noqa: T201
    failed = False
    for name in NAMES:
        command = [sys.executable, __file__, "--only", name, "--examples", str(arguments.examples)]
        done = subprocess.run([*command, "--seed", str(arguments.seed)], capture_output=True, text=True, check=False)
        if done.returncode:
            failed = True
            print(f"| {name} | FAILED with {done.returncode} |\n{done.stderr[-3000:]}", flush=True)  # noqa: T201
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        refused, loaded = found.get("refused", 0), found.get("loaded", 0)
        failed |= found["peak"] > LIMIT_BYTES
        numbers = f"{found['slowest']:.2f} | {found['memory'] / 1e6:.0f} | {found['peak'] / 1e6:.0f}"
        print(f"| {name} | {refused + loaded} | {refused} | {loaded} | {numbers} |", flush=True)  # noqa: T201
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
