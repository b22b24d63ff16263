"""A contract: clauses in running text with the values inside sentences, a price schedule, places to sign."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from fieldloop.demo.generator import parts, values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.prose import paragraph
from fieldloop.demo.generator.sheet import Piece, Sheet
from fieldloop.demo.generator.table import LINES, Look, columns, draw_table
from fieldloop.demo.generator.wording import Words

_LEFT, _RIGHT, _BOTTOM = 62.0, 533.0, 775.0
_FONT, _BOLD, _SIZE = "Times-Roman", "Times-Bold", 10.5
_LOOK = Look(rules=LINES, font=_FONT, bold=_BOLD, size=9.5, pad=3)
_COLUMNS = (("line", 6), ("description", 52), ("quantity", 12), ("unit_price", 15), ("amount", 15))
_FILLER = {
    "en": (
        "The Contractor keeps confidential whatever becomes known of the Client's business, for five years after this contract ends.",
        "Neither party answers for delay caused by fire, flood, strike or an act of public authority.",
        "Changes to this contract need the written form. Should one clause be void, the others stand.",
        "The Client gives access to premises and documents as far as the services require it.",
        "The Contractor insures its staff and answers for damage it causes by negligence.",
        "Staff of the Contractor follow the house rules of the Client while on its premises.",
    ),
    "pt": (
        "A CONTRATADA manterá sigilo sobre os negócios da CONTRATANTE por cinco anos após o término deste contrato.",
        "Nenhuma das partes responde por atraso causado por incêndio, enchente, greve ou ato de autoridade pública.",
        "Alterações deste contrato exigem a forma escrita. A nulidade de uma cláusula não afeta as demais.",
        "A CONTRATANTE dará acesso às instalações e aos documentos necessários à execução dos serviços.",
        "A CONTRATADA responde pelos danos que causar por negligência e mantém seguro de sua equipe.",
        "A equipe da CONTRATADA observará as normas internas da CONTRATANTE em suas dependências.",
    ),
}
_HEADINGS = {
    "en": (
        "The parties",
        "Services",
        "Price",
        "Payment",
        "Term and notice",
        "General terms",
        "Schedule of prices",
    ),
    "pt": (
        "Das partes",
        "Do objeto",
        "Do preço",
        "Do pagamento",
        "Da vigência",
        "Disposições gerais",
        "Anexo de preços",
    ),
}


def draw(sheet: Sheet, facts: Facts, words: Words, rng: random.Random) -> None:
    sheet.text(sheet.width / 2, 66, words["title"], _BOLD, 15, align="center")
    line: list[Piece] = [f"{words['number']} ", values.number(facts)]
    sheet.run(_LEFT, 92, line, _BOLD, 11)
    writer = _Writer(sheet, facts, words, 118)
    clauses = (_parties(facts), _services(facts), _price(facts), _payment(facts), _term(facts))
    headings = _HEADINGS[facts.language]
    for number, (heading, pieces) in enumerate(zip(headings, clauses, strict=False), start=1):
        writer.heading(f"{number}. {heading}")
        writer.write(pieces)
    writer.heading(f"6. {headings[5]}")
    filler = list(_FILLER[facts.language])
    rng.shuffle(filler)
    for text in filler[: 3 + len(facts.items) % 4]:
        writer.write([text])
    writer.heading(f"7. {headings[6]}", 90)
    cols = columns(_COLUMNS, _LEFT, _RIGHT)
    y = draw_table(sheet, facts, words, cols, _LOOK, writer.y - 6, _BOTTOM, writer.next_page)
    if y + 120 > _BOTTOM:
        y = writer.next_page()
    total = facts.style.money(facts.subtotal)
    sheet.text(_RIGHT - 3, y + 14, total, _BOLD, 9.5, align="right")
    parts.tick_box(sheet, facts, words, _LEFT, y + 34, _FONT, 10)
    place = (_LEFT, y + 52, _LEFT + 190, y + 92)
    name = facts.supplier.person
    parts.signature(sheet, facts, rng, place, words["signature"], font=_FONT, size=9, name=name)
    sheet.line(320, y + 92, 510, y + 92)
    witness = "Witness" if facts.language == "en" else "Testemunha"
    sheet.text(320, y + 92 + 11.7, f"{witness}: {facts.customer.person}", _FONT, 9)
    writer.foot()


class _Writer:
    """Writes down the page and on to the next one."""

    def __init__(self, sheet: Sheet, facts: Facts, words: Words, y: float) -> None:
        self.sheet, self.facts, self.words, self.y = sheet, facts, words, y

    def heading(self, text: str, need: float = 40) -> None:
        self.y = self._room(self.y + 6, need)
        self.sheet.text(_LEFT, self.y, text, _BOLD, 11)
        self.y += 15

    def write(self, pieces: Sequence[Piece]) -> None:
        width = _RIGHT - _LEFT
        self.y = paragraph(self.sheet, pieces, _LEFT, self.y, width, _FONT, _SIZE, self._room)
        self.y += 4

    def next_page(self) -> float:
        self.foot()
        self.sheet.new_page()
        return 62.0

    def foot(self) -> None:
        if self.sheet.total_pages:
            text = self.words["page"].format(page=self.sheet.page + 1, pages=self.sheet.total_pages)
            self.sheet.text(_RIGHT, 812, text, _FONT, 8, align="right")
        self.sheet.text(_LEFT, 812, self.facts.number, _FONT, 8)

    def _room(self, y: float, need: float = 0) -> float:
        return self.next_page() if y + need > _BOTTOM else y


def _parties(facts: Facts) -> list[Piece]:
    english = facts.language == "en"
    supplier, customer = facts.supplier, facts.customer
    tax_id = values.supplier_tax(facts)
    place = facts.supplier.address[1].split(" CEP ")[0].split(",")[0]
    pieces: list[Piece] = (
        ["This contract is made on ", values.issued(facts, in_words=True), " between "]
        if english
        else [f"Celebrado em {place}, em ", values.issued(facts, in_words=True), ", entre "]
    )
    pieces.append(values.supplier(facts))
    if tax_id is not None:
        pieces += [", tax ID " if english else ", CNPJ ", tax_id]
    pieces.append(
        f", of {', '.join(supplier.address)}, the Contractor, and "
        if english
        else f", com sede em {', '.join(supplier.address)}, a CONTRATADA, e "
    )
    pieces.append(values.customer(facts))
    pieces.append(
        f", tax ID {customer.tax_id}, of {', '.join(customer.address)}, the Client. It follows tender {facts.reference} of {facts.style.long_day(facts.reference_date)}."
        if english
        else f", CNPJ {customer.tax_id}, com sede em {', '.join(customer.address)}, a CONTRATANTE. Decorre da licitação {facts.reference} de {facts.style.long_day(facts.reference_date)}."
    )
    return pieces


def _services(facts: Facts) -> list[Piece]:
    start = facts.style.long_day(facts.third_date)
    if facts.language == "en":
        return [
            f"The Contractor renders the services listed in the schedule of prices from {start} on, with due care and by trained staff."
        ]
    return [
        f"A CONTRATADA prestará os serviços relacionados no anexo de preços a partir de {start}, com zelo e por equipe habilitada."
    ]


def _price(facts: Facts) -> list[Piece]:
    english = facts.language == "en"
    total = values.money(facts, "total", facts.total)
    pieces: list[Piece] = (
        ["The Client pays a total price of ", total]
        if english
        else ["A CONTRATANTE pagará o valor total de ", total]
    )
    if facts.tax is not None:
        subtotal = values.money(facts, "subtotal", facts.subtotal)
        tax = values.money(facts, "tax", facts.tax)
        pieces += (
            [", made up of ", subtotal, " for services and ", tax, " of tax"]
            if english
            else [", sendo ", subtotal, " de serviços e ", tax, " de impostos"]
        )
    elif facts.shipping is not None:
        pieces += [
            ", made up of " if english else ", sendo ",
            values.money(facts, "subtotal", facts.subtotal),
            " for services and travel expenses of "
            if english
            else " de serviços e despesas de viagem de ",
            facts.style.money(facts.shipping),
        ]
    return [*pieces, "."]


def _payment(facts: Facts) -> list[Piece]:
    english = facts.language == "en"
    due, terms = values.due(facts, in_words=True), values.terms(facts)
    pieces: list[Piece] = []
    if due is not None:
        pieces += (
            ["The first payment is due on ", due, ". "]
            if english
            else ["O primeiro pagamento vence em ", due, ". "]
        )
    if terms is not None:
        pieces += (
            ["Payment terms: ", terms, ". "]
            if english
            else ["Condições de pagamento: ", terms, ". "]
        )
    fine = facts.style.money(Decimal(50 + 25 * (len(facts.number) % 5)))
    pieces.append(
        f"Late payment costs {fine} for each month begun."
        if english
        else f"O atraso implica multa de {fine} por mês iniciado."
    )
    return pieces


def _term(facts: Facts) -> list[Piece]:
    end = facts.style.long_day(facts.issued + timedelta(days=730))
    if facts.language == "en":
        return [
            f"The contract runs until {end} and may be ended by either party with sixty days of notice."
        ]
    return [
        f"O contrato vigora até {end} e pode ser denunciado por qualquer das partes com sessenta dias de antecedência."
    ]
