"""``python -m tests.sync.chaos --seeds 1-20``: the real stack under a seeded crowd and seeded trouble.

Prints one line per seed and ends with 1 if any of them left a fault.
"""

from __future__ import annotations

import argparse
import signal
import sys

import click

from tests.sync.chaos.run import Outcome, run_seed
from tests.sync.chaos.stack import running_stack


def main() -> None:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seeds", default="1", help="a number, or a range as 1-20")
    parser.add_argument("--seconds", type=float, default=45.0, help="how long the trouble lasts")
    parser.add_argument("--people", type=int, default=4)
    given = parser.parse_args()
    # Whoever ends this run ends the whole stack with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    first, _, last = given.seeds.partition("-")
    failed = 0
    with running_stack() as stack:
        for seed in range(int(first), int(last or first) + 1):
            outcome = run_seed(stack, seed, seconds=given.seconds, people=given.people)
            _tell(outcome)
            failed += bool(outcome.judgement.faults)
    sys.exit(1 if failed else 0)


def _tell(outcome: Outcome) -> None:
    found = outcome.judgement
    lines = [
        f"seed {outcome.seed}: {'FAILED' if found.faults else 'passed'}",
        f"  crowd: {_list(outcome.actions)}; {outcome.refused} refused",
        f"  trouble: {_list(outcome.kills)}",
        f"  webhooks: {_list(outcome.webhooks)}",
        f"  answers of Label Studio: {_list(outcome.answers)}",
        f"  at rest after {found.settled_after:.1f} s: {found.annotations} annotations stand; history of {found.events} "
        f"states, {found.late} late, {found.gaps} marked gaps, {found.deleted} deletions; {found.unseen} states "
        f"unseen; {found.deliveries} deliveries in the inbox",
        *(f"  FAULT: {fault}" for fault in found.faults or ()),
    ]
    if not found.faults:
        lines.append("  0 lost, 0 invented, 0 duplicated, no overlap, no unmarked gap")
    click.echo("\n".join(lines))


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    main()
