"""When to train. Pure: figures in, an answer with its reason out.

Corrections come in bursts: training waits until reviewers pause (debounce), but not for ever (patience).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from db.training_decisions import TrainingSituation


@dataclass(frozen=True)
class Policy:
    """The settings of a project under ``settings.training``; times in seconds."""

    min_documents: int = 5
    """Reviewed documents below which nothing is learnt."""
    min_new: int = 3
    """Documents with a new answer that make a run worth it."""
    new_share: float = 0.1
    """… and their share of the reviewed documents, for projects with many."""
    debounce: float = 20.0
    """Seconds without any annotation event before a run starts."""
    patience: float = 600.0
    """Seconds after which waiting corrections start a run, however few or busy."""
    cooldown: float = 30.0
    """Seconds between the end of a run and the start of the next."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Policy:
        """The policy of ``settings["training"]``; what is missing or no number keeps its default."""
        given = settings.get("training")
        if not isinstance(given, Mapping):
            return cls()
        values: dict[str, Any] = {}
        for spec in fields(cls):
            value = given.get(spec.name)
            if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
                values[spec.name] = int(value) if isinstance(spec.default, int) else float(value)
        return cls(**values)


@dataclass(frozen=True)
class Decision:
    """``ask_again``: seconds after which the answer may change by time alone; None: only an event changes it."""

    train: bool
    reason: str
    ask_again: float | None = None


def decide(situation: TrainingSituation, policy: Policy, *, forced: bool = False) -> Decision:
    """Whether to start a run now. ``forced``: a person asked; only what makes it impossible stops it."""
    if situation.running or situation.queued:
        busy = "running" if situation.running else "queued"
        return Decision(False, f"A run is {busy} already.", 5.0)
    if situation.reviewed == 0:
        return Decision(False, "No document has been reviewed yet.")
    if forced:
        return Decision(True, f"Asked for by a person; {situation.reviewed} reviewed documents.")
    if situation.reviewed < policy.min_documents:
        return Decision(
            False,
            f"{situation.reviewed} reviewed documents; training starts at {policy.min_documents}.",
        )
    if situation.new_answers == 0:
        return Decision(False, "Nothing new since the last run.")
    needed = max(policy.min_new, math.ceil(policy.new_share * situation.reviewed))
    waited = situation.oldest_new_answer or 0.0
    quiet = situation.since_last_event or 0.0
    cooled = situation.since_last_run
    if cooled is not None and cooled < policy.cooldown:
        return Decision(False, "The last run has only just ended.", policy.cooldown - cooled)
    if waited >= policy.patience:
        return Decision(
            True,
            f"{situation.new_answers} new answers have waited for {policy.patience:.0f} s.",
        )
    if situation.new_answers < needed:
        return Decision(
            False,
            f"{situation.new_answers} new answers; a run is worth it from {needed}.",
            policy.patience - waited,
        )
    if quiet < policy.debounce:
        return Decision(
            False,
            f"Reviewers are at work; a run starts after {policy.debounce:.0f} s of quiet.",
            min(policy.debounce - quiet, policy.patience - waited),
        )
    return Decision(
        True,
        f"{situation.new_answers} new answers on {situation.reviewed} reviewed documents.",
    )
