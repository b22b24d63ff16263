"""The record's own sentences in Portuguese.

Why a run started, why the gate passed it, why a model went live: the record keeps one English sentence, since psql
and dashboards read it too. They are few, made by `policy`, `gate`, `trainer` and `live_models`; each has its pattern
here. A sentence that matches none, as what a person typed, is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

_F1 = "F1 {ours} against {theirs} on {documents} documents"
_F1_PT = "F1 {ours} contra {theirs} em {documents} documentos"

PORTUGUESE: Mapping[str, str] = {
    # policy
    "A run is running already.": "Já há um treinamento em andamento.",
    "A run is queued already.": "Já há um treinamento na fila.",
    "No document has been reviewed yet.": "Nenhum documento foi revisado ainda.",
    "Asked for by a person; {reviewed} reviewed documents.": "Pedido por uma pessoa; {reviewed} documentos revisados.",
    "{reviewed} reviewed documents; training starts at {needed}.": "{reviewed} documentos revisados; o treinamento começa com {needed}.",
    "Nothing new since the last run.": "Nada de novo desde o último treinamento.",
    "The last run has only just ended.": "O último treinamento acabou agora mesmo.",
    "{new} new answers have waited for {seconds} s.": "{new} respostas novas esperaram {seconds} s.",
    "{new} new answers; a run is worth it from {needed}.": "{new} respostas novas; um treinamento vale a pena a partir de {needed}.",
    "Reviewers are at work; a run starts after {seconds} s of quiet.": "Há revisões em curso; o treinamento começa após {seconds} s de pausa.",
    "{new} new answers on {reviewed} reviewed documents.": "{new} respostas novas em {reviewed} documentos revisados.",
    "Learn from {pool} unreviewed documents too, after {model}.": "Aprender também com {pool} documentos não revisados, depois de {model}.",
    # gate
    "No document was left to measure the candidate on.": "Não sobrou documento em que medir o candidato.",
    "First model: F1 {ours} on {documents} documents.": "Primeiro modelo: F1 {ours} em {documents} documentos.",
    "The candidate got no value right.": "O candidato não acertou nenhum valor.",
    "The candidate and the live model have no document in common that neither learnt from.": "Não há documento com que nem o candidato nem o modelo em uso tenham aprendido.",
    f"Better: {_F1}.": f"Melhor: {_F1_PT}.",
    f"Not better: {_F1}.": f"Não é melhor: {_F1_PT}.",
    f"Not surely better: {_F1}, ahead on {{share}} of resampled sets; {{needed}} are needed.": f"Não é melhor com segurança: {_F1_PT}, à frente em {{share}} das reamostragens; são necessários {{needed}}.",
    f"Worse on {{field}}: F1 {{after}} after {{before}}; overall {_F1}.": f"Pior em {{field}}: F1 {{after}}, antes {{before}}; no total {_F1_PT}.",
    f"Better: {_F1}. Worse on {{field}}: F1 {{after}} after {{before}}; other fields outweigh it.": f"Melhor: {_F1_PT}. Pior em {{field}}: F1 {{after}}, antes {{before}}; os outros campos compensam.",
    "Another version, {model}, went live meanwhile. {rest}": "Outra versão, {model}, entrou em uso nesse meio-tempo. {rest}",
    # live models
    "No model yet.": "Ainda não havia modelo.",
    "The field schema changed before a model was trained.": "O esquema de campos mudou antes que um modelo fosse treinado.",
}  # fmt: skip
REST = "rest"
"""The name of a part that is a sentence itself."""
_REST, _WORD = r".*", r"\S+"


def portuguese(sentence: str) -> str:
    """The sentence in Portuguese, with decimal commas; itself where it is none of the record's."""
    for pattern, template in _patterns():
        match = pattern.fullmatch(sentence)
        if match is not None:
            parts = {
                name: portuguese(text) if name == REST else _figure(text)
                for name, text in match.groupdict().items()
            }
            return template.format(**parts)
    return sentence


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(english), template) for english, template in PORTUGUESE.items())


def _pattern(english: str) -> re.Pattern[str]:
    """A part that is not the rest holds no blank: figures, names of fields and of models."""
    texts = re.split(r"\{(\w+)\}", english)
    made = [
        re.escape(text) if k % 2 == 0 else f"(?P<{text}>{_REST if text == REST else _WORD})"
        for k, text in enumerate(texts)
    ]
    return re.compile("".join(made), re.DOTALL)


def _figure(text: str) -> str:
    return text.replace(".", ",") if re.fullmatch(r"\d+\.\d+%?", text) else text
