"""What the record says of runs, verdicts and models, said in Portuguese."""

from __future__ import annotations

import re

import pytest

from db.training_decisions import TrainingSituation
from ml_backend import gate, policy
from ml_backend.console.sentences import portuguese
from ml_backend.extraction.evaluation import Score
from ml_backend.held_out import Marks


def _marks(right: int, wrong: int, field: str = "total") -> dict[str, Marks]:
    return {
        f"d{n}/1": Marks({field: Score(support=1, tp=1) if n < right else Score(support=1, fp=1, fn=1)})
        for n in range(right + wrong)
    }  # fmt: skip


def _both(totals: int, dates: int) -> dict[str, Marks]:
    """Twenty documents with so many right totals and right dates."""
    total, date = _marks(totals, 20 - totals), _marks(dates, 20 - dates, "date")
    return {key: Marks({**total[key].scores, **date[key].scores}) for key in total}


def _situation(**values: object) -> TrainingSituation:
    usual: dict[str, object] = {
        "reviewed": 20,
        "new_answers": 5,
        "since_last_event": 100.0,
        "oldest_new_answer": 100.0,
        "since_last_run": None,
        "running": False,
        "queued": False,
    }
    return TrainingSituation(**{**usual, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"running": True},
        {"queued": True},
        {"reviewed": 0},
        {"reviewed": 2},
        {"new_answers": 0},
        {"new_answers": 1},
        {"since_last_run": 1.0},
        {"oldest_new_answer": 1e6},
        {"since_last_event": 1.0},
    ],
)
def test_every_reason_of_the_policy_is_known(changed: dict[str, object]) -> None:
    reason = policy.decide(_situation(**changed), policy.Policy()).reason
    said = portuguese(reason)
    assert said != reason
    assert re.findall(r"\d+", said) == re.findall(r"\d+", reason)


def test_every_verdict_of_the_gate_is_known() -> None:
    reasons = {
        gate.judge({}, None).reason,
        gate.judge(_marks(3, 1), None).reason,
        gate.judge(_marks(0, 1), None).reason,
        gate.judge(_marks(3, 0), {"other/1": Marks({})}).reason,
        gate.judge(_marks(9, 1), _marks(5, 5)).reason,
        gate.judge(_marks(5, 5), _marks(5, 5)).reason,
        gate.judge(_marks(6, 5), _marks(5, 6)).reason,
        gate.judge(_both(18, 4), _both(4, 10)).reason,
        gate.judge(_both(20, 17), _both(8, 20)).reason,
    }
    assert len(reasons) == 9
    assert sum("Worse on date" in reason for reason in reasons) == 2
    for reason in reasons:
        assert portuguese(reason) != reason
        assert sorted(re.findall(r"\d+", portuguese(reason))) == sorted(re.findall(r"\d+", reason))


def test_figures_get_their_comma_and_names_stay() -> None:
    assert (
        portuguese("Better: F1 0.995 against 0.873 on 24 documents.")
        == "Melhor: F1 0,995 contra 0,873 em 24 documentos."
    )
    assert portuguese(
        "Another version, orders-2-1a2b.3, went live meanwhile. Not better: F1 0.5 against 0.6 on 7 documents."
    ) == (
        "Outra versão, orders-2-1a2b.3, entrou em uso nesse meio-tempo. Não é melhor: F1 0,5 contra 0,6 em 7 documentos."
    )
    assert (
        portuguese("Worse on item.amount: F1 0.500 after 0.900; overall F1 0.91 against 0.90 on 9 documents.")
        == "Pior em item.amount: F1 0,500, antes 0,900; no total F1 0,91 contra 0,90 em 9 documentos."
    )  # fmt: skip


def test_what_a_person_typed_stays() -> None:
    assert portuguese("Better safe than sorry.") == "Better safe than sorry."
