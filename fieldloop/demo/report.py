"""What a turn of the loop has shown, for people and for programs. Pure but for printing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from db.config import Settings
from db.models import ModelKind, RunState
from fieldloop.demo.accuracy import Accuracy, Comparison, Line
from fieldloop.demo.loop import Turn
from fieldloop.demo.samples import DemoSet
from ml_backend.studio_links import project_link

_KINDS = {
    ModelKind.ZERO_SHOT: "reads by labels and types and has learnt nothing",
    ModelKind.TRAINED: "has learnt from the reviewed documents",
    ModelKind.SELF_TRAINED: "has learnt from the reviewed documents and from the unreviewed ones",
}


def addresses(settings: Settings, turn: Turn) -> dict[str, str]:
    """Where to look, for people."""
    return {
        "label_studio": project_link(settings, turn.project.label_studio_id or 0),
        "console": f"{settings.public_url}/console",
    }


def as_json(
    turn: Turn, demo: DemoSet, settings: Settings, seconds: Mapping[str, float]
) -> dict[str, Any]:
    comparison = turn.comparison
    return {
        "turned": turn.turned,
        "seed": demo.seed,
        "documents": len(demo.samples),
        "reviewed": demo.reviewed,
        "known_before": turn.known,
        "reviewed_before": turn.already_reviewed,
        "never_reviewed": comparison.documents,
        "review": {name: getattr(turn.changes, name) for name in turn.changes.__dataclass_fields__},
        "models": {
            name: {"name": model.name, "kind": model.kind.value}
            for name, model in (("before", turn.before), ("after", turn.after))
        },
        "f1": {"before": comparison.f1_before, "after": comparison.f1_after},
        "fields": [_line_json(line) for line in comparison.lines],
        "table_rows": _line_json(comparison.rows),
        "runs": [
            {
                "id": str(run.id),
                "reason": run.reason,
                "state": run.state.value,
                "model": run.model,
                "kind": run.kind,
                "gate_passed": run.gate_passed,
                "gate_reason": run.gate_reason,
                "error": run.error,
                "seconds": run.seconds,
            }
            for run in turn.runs
        ],
        "seconds": dict(seconds),
        "addresses": addresses(settings, turn),
    }


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "field": line.field,
        **{
            name: {"right": one.right, "out_of": one.out_of, "share": one.share}
            for name, one in (("before", line.before), ("after", line.after))
        },
    }


def show(
    console: Console, turn: Turn, demo: DemoSet, settings: Settings, seconds: Mapping[str, float]
) -> None:
    """Print the comparison, why the model went live or not, and where to look."""
    comparison, changes = turn.comparison, turn.changes
    console.print()
    console.print(_table(comparison))
    console.print()
    if not turn.nothing_new:
        corrected = changes.retyped + changes.moved + changes.relabelled + changes.removed
        _say(
            console,
            f"The reviewer submitted {demo.reviewed - turn.already_reviewed} documents: {changes.kept} values kept "
            f"as predicted, {corrected} corrected, {changes.drawn} drawn.",
        )
    for run in turn.runs:
        if run.state in (RunState.QUEUED, RunState.RUNNING):
            _say(
                console,
                "A second run, which also learns from the documents nobody reviewed, goes on in the background.",
            )
            continue
        verdict = {True: "went live", False: "did not go live", None: "failed"}[run.gate_passed]
        took = f" in {run.seconds:.0f} s" if run.seconds is not None else ""
        _say(
            console,
            f"{run.model or 'A run'} was trained{took} and {verdict}: {_why(run.gate_reason, run.error)}",
        )
    if turn.nothing_new:
        _say(
            console,
            f"Nothing was new: the documents of seed {demo.seed} had been uploaded and reviewed before, so nothing "
            "was trained. Another --seed makes new ones.",
        )
    for when, model in (("before", turn.before), ("after", turn.after)):
        _say(console, f"[dim]{when}: {model.name}, which {_KINDS[model.kind]}[/dim]")
    steps = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items())
    _say(console, f"[dim]Time: {steps}[/dim]")
    console.print()
    places = addresses(settings, turn)
    _say(console, "Look at")
    _say(console, f"  the tasks, pre-filled    {places['label_studio']}")
    _say(console, f"  models, runs, documents  {places['console']}")


def _say(console: Console, line: str) -> None:
    """A line that the terminal may fold but that stays one line when copied."""
    console.print(line, soft_wrap=True, highlight=False)


def _why(*reasons: str | None) -> str:
    return escape(next((reason for reason in reasons if reason), "no reason was recorded."))


def _table(comparison: Comparison) -> Table:
    table = Table(
        title=f"Right answers on the {comparison.documents} documents nobody reviewed",
        title_justify="left",
    )
    table.add_column("field")
    table.add_column("of", justify="right")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    table.add_column("change", justify="right")
    for line in comparison.lines:
        _row(table, line.field, line)
    table.add_section()
    _row(table, "whole table rows", comparison.rows)
    table.add_row(
        "all values (F1)",
        "",
        f"{comparison.f1_before:.1%}",
        f"{comparison.f1_after:.1%}",
        _change(comparison.f1_before, comparison.f1_after),
    )
    return table


def _row(table: Table, name: str, line: Line) -> None:
    table.add_row(
        name,
        str(line.after.out_of),
        _shown(line.before),
        _shown(line.after),
        _change(line.before.share, line.after.share),
    )


def _shown(accuracy: Accuracy) -> str:
    return "–" if accuracy.share is None else f"{accuracy.share:.0%}"


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    points = 100 * (after - before)
    if abs(points) < 0.5:
        return "="
    return f"[{'green' if points > 0 else 'red'}]{points:+.0f}[/]"
