"""Tables in several layouts, wrapped cells, rows over pages: whole rows, or the test fails."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

import pytest

from ml_backend.extraction.fields import Box, Document, FieldSpec, FieldType, Label, Labels
from ml_backend.extraction.tables import TableModel
from tests.extraction.pages import HEIGHT, Page, page, right_at, width_of, words_at

ITEM = FieldSpec(
    "item",
    FieldType.TABLE,
    columns=(
        FieldSpec("description", FieldType.TEXT, label_en="Description", label_pt="Descrição"),
        FieldSpec("quantity", FieldType.NUMBER, label_en="Quantity", label_pt="Quantidade"),
        FieldSpec("unit_price", FieldType.NUMBER, label_en="Unit price", label_pt="Preço unitário"),
        FieldSpec("amount", FieldType.NUMBER, label_en="Amount", label_pt="Valor"),
    ),
)

Chunk = list[tuple[str, Box]]


@dataclass(frozen=True)
class Style:
    """How one layout prints its table. Positions in points; a column maps to its heading, edge
    and whether it is right-aligned. `middle`: numbers stand in the middle of a wrapped cell."""

    columns: dict[str, tuple[str, float, bool]]
    total: str
    carried: str
    middle: bool = False
    repeat: bool = True


STYLES = {
    "en": Style(
        {
            "": ("#", 40, False),
            "description": ("Description", 60, False),
            "quantity": ("Qty", 340, True),
            "unit_price": ("Unit Price", 440, True),
            "amount": ("Amount", 560, True),
        },
        "Subtotal",
        "Continued on next page",
    ),
    "pt": Style(
        {
            "": ("Código", 40, False),
            "quantity": ("Qtd", 130, True),
            "description": ("Descrição dos produtos", 150, False),
            "unit_price": ("Vlr. Unit.", 470, True),
            "amount": ("Valor Total", 570, True),
        },
        "Total dos produtos",
        "Continua na próxima página",
    ),
    "middle": Style(
        {
            "quantity": ("Units", 40, False),
            "description": ("Service", 110, False),
            "unit_price": ("Rate", 400, False),
            "amount": ("Line Total", 500, False),
        },
        "Total due",
        "Page total",
        middle=True,
    ),
    "bare": Style(
        {
            "description": ("Item", 50, False),
            "quantity": ("Quantity", 380, True),
            "unit_price": ("Price", 460, True),
            "amount": ("Total", 550, True),
        },
        "Grand total",
        "",
        repeat=False,
    ),
}
WORDS = [
    "steel",
    "bolt",
    "garden",
    "hose",
    "paper",
    "blue",
    "large",
    "service",
    "monthly",
    "parafuso",
    "caixa",
    "papel",
    "azul",
    "suporte",
    "técnico",
    "instalação",
    "filter",
    "tube",
    "valve",
    "shipping",
    "box",
    "discount",
    "card",
    "3mm",
    "A4",
    "kit",
]


def make(style: Style, seed: int) -> tuple[Document, Labels, list[dict[str, str]]]:
    """A document of the style, its labels without row numbers, and its rows."""
    rng = random.Random(seed)
    rows: list[dict[str, str]] = []
    labels: list[Label] = []
    pages: list[list[Chunk]] = [[]]
    left_out = {"": lambda: f"{rng.randint(1, 999):03d}"}
    y = 150.0 + rng.randint(0, 60)
    bottom = 700.0

    def put(name: str, text: str, at: float) -> Chunk:
        _, x, right = style.columns[name]
        return right_at(x, at, text) if right else words_at(x, at, text)

    def head(at: float) -> None:
        pages[-1].extend(put(name, heading, at) for name, (heading, _, _) in style.columns.items())

    pages[-1] += [
        words_at(40, 40, f"Northwind Supplies {rng.randint(1, 99)}"),
        words_at(400, 60, f"Date: 0{rng.randint(1, 9)}/03/2026"),
    ]
    head(y)
    y += 22
    room = (style.columns["unit_price"][1] - style.columns["description"][1]) * 0.55
    for _ in range(rng.choice((2, 5, 9, 30, 45))):
        lines: list[str] = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            text = rng.choice(WORDS).capitalize()
            while width_of(text + " installation") < room and rng.random() < 0.8:
                text += " " + rng.choice(WORDS)
            lines.append(text)
        if y + 12 * len(lines) > bottom:
            pages[-1].append(words_at(300, bottom + 30, style.carried))
            pages[-1].append(words_at(280, 770, f"Page {len(pages)}"))
            pages.append([words_at(40, 40, "Northwind Supplies")])
            y = 80.0
            if style.repeat:
                head(y)
                y += 22
        n, price = rng.randint(1, 99), rng.randint(100, 99999)
        row = {
            "description": " ".join(lines),
            "quantity": str(n),
            "unit_price": f"{price / 100:,.2f}",
            "amount": f"{n * price / 100:,.2f}",
        }
        if style is STYLES["pt"]:
            for name in ("unit_price", "amount"):
                row[name] = row[name].translate(str.maketrans(",.", ".,"))
        start = y
        anchor = y + (6.0 * (len(lines) - 1) if style.middle else 0.0)
        described: Chunk = []
        for text in lines:
            described += put("description", text, y)
            y += 12
        cells = {"description": described}
        cells |= {name: put(name, row[name], anchor) for name in row if name != "description"}
        pages[-1].extend(cells.values())
        if "" in style.columns:
            pages[-1].append(put("", left_out[""](), start))
        for name, chunk in cells.items():
            box = (
                min(b[0] for _, b in chunk) - 1,
                min(b[1] for _, b in chunk) - 1,
                max(b[2] for _, b in chunk) + 1,
                max(b[3] for _, b in chunk) + 1,
            )
            labels.append(Label(f"item.{name}", len(pages) - 1, box))
        rows.append(row)
        y += rng.choice((6, 8))
    _, x, right = style.columns["amount"]
    pages[-1] += [
        right_at(style.columns["unit_price"][1] + 20, y + 14, style.total),
        right_at(x, y + 14, "9,999.00") if right else words_at(x, y + 14, "9,999.00"),
        words_at(40, y + 60, "Please pay within 30 days."),
    ]
    made: list[Page] = [page(*chunks, number=i) for i, chunks in enumerate(pages)]
    return Document(str(seed), made), Labels(tuple(labels)), rows


def read(model: TableModel, document: Document) -> list[dict[str, str]]:
    rows: dict[int, dict[str, str]] = {}
    for value in model.predict(document):
        assert value.row is not None
        rows.setdefault(value.row, {})[value.field.removeprefix("item.")] = value.text
    return [rows[i] for i in sorted(rows)]


def score(model: TableModel, seeds: range, names: list[str]) -> tuple[float, float]:
    """Share of values right and of rows whole."""
    values = right = whole = rows = 0
    for name in names:
        for seed in seeds:
            document, _, truth = make(STYLES[name], seed)
            found = read(model, document)
            for i, row in enumerate(truth):
                got = found[i] if i < len(found) else {}
                right += sum(got.get(k) == v for k, v in row.items())
                values += len(row)
                whole += got == row
                rows += 1
            rows += max(0, len(found) - len(truth))
    return right / values, whole / rows


def trained(names: list[str], count: int) -> TableModel:
    made = [make(STYLES[name], 1000 + i) for name in names for i in range(count)]
    return TableModel(ITEM).fit([m[0] for m in made], [m[1] for m in made])


def test_ten_documents_of_each_layout_give_whole_rows() -> None:
    model = trained(list(STYLES), 10)
    assert len(model.layouts_) == len(STYLES)
    values, rows = score(model, range(40), list(STYLES))
    assert values >= 0.98
    assert rows >= 0.95


@pytest.mark.parametrize("name", list(STYLES))
def test_one_document_teaches_most_of_its_layout(name: str) -> None:
    model = trained([name], 3)
    values, rows = score(model, range(12), [name])
    assert values >= 0.95
    assert rows >= 0.9


@pytest.mark.parametrize("name", ["en", "pt", "bare"])
def test_header_words_alone_find_rows(name: str) -> None:
    values, rows = score(TableModel(ITEM), range(12), [name])
    assert values >= 0.9
    assert rows >= 0.85


def test_an_unseen_layout_falls_back_to_header_words() -> None:
    model = trained(["pt", "middle"], 5)
    values, rows = score(model, range(12), ["en"])
    assert values >= 0.9
    assert rows >= 0.85


def test_state_survives_json() -> None:
    model = trained(["en", "middle"], 3)
    copy = TableModel.from_state(json.loads(json.dumps(model.to_state())))
    document, _, _ = make(STYLES["en"], 7)
    assert copy.predict(document) == model.predict(document)
    assert json.dumps(copy.to_state()) == json.dumps(model.to_state())


def test_a_row_may_end_on_the_next_page() -> None:
    head = [
        words_at(60, 100, "Description"), right_at(340, 100, "Qty"), right_at(560, 100, "Amount"),
    ]  # fmt: skip
    first = page(
        *head,
        words_at(60, 700, "Rubber hose with"), right_at(340, 700, "2"), right_at(560, 700, "10.00"),
    )  # fmt: skip
    second = page(
        *head,
        words_at(60, 122, "brass ends"),
        words_at(60, 122 + 2 * HEIGHT, "Paper"), right_at(340, 142, "1"), right_at(560, 142, "5.00"),
        number=1,
    )  # fmt: skip
    values = TableModel(ITEM).predict(Document("d", [first, second]))
    described = [v for v in values if v.field == "item.description"]
    assert [v.text for v in described] == ["Rubber hose with brass ends", "Paper"]
    assert [s.page for s in described[0].spans] == [0, 1]


def test_nothing_to_learn_and_nothing_to_read() -> None:
    model = TableModel(ITEM).fit([], [])
    assert model.layouts_ == ()
    assert model.predict(Document("d", [])) == []
    assert model.predict(Document("d", [page(words_at(50, 50, "Dear Sir or Madam"))])) == []
    empty = Labels((Label("item.amount", 0, (500, 700, 520, 710)),))
    assert model.fit([Document("d", [page(words_at(50, 50, "Hello"))])], [empty]).layouts_ == ()


def test_a_layout_nobody_taught_is_read_by_its_header_though_it_resembles_a_known_one() -> None:
    """Two headings in common, the columns elsewhere: the known layout's places would give nothing."""
    known = Style(
        {
            "quantity": ("Qtd", 60, True),
            "description": ("Descrição", 100, False),
            "unit_price": ("Preço", 470, True),
            "amount": ("Vlr total", 570, True),
        },
        "Total geral",
        "",
    )
    unseen = Style(
        {
            "description": ("Descrição", 40, False),
            "quantity": ("Qtd", 360, True),
            "unit_price": ("Preço unitário", 460, True),
            "amount": ("Valor do item", 560, True),
        },
        "Total geral",
        "",
    )
    taught = [make(known, seed) for seed in range(4)]
    model = TableModel(ITEM).fit([d for d, _, _ in taught], [g for _, g, _ in taught])
    for seed in range(10, 16):
        made, _, rows = make(unseen, seed)
        assert read(model, made) == read(TableModel(ITEM), made) == rows
