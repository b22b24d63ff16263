"""What printed words announce a field: from its name, its labels, its aliases and common usage.

`CONCEPTS` is a small English and Brazilian Portuguese dictionary of business documents. A field
belongs to a concept when one of its own phrases is one of the concept's; it then inherits the
concept's other phrases, at a lower weight than its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from ml_backend.extraction.fields import FieldSpec, FieldType, PageLike
from ml_backend.extraction.geometry import Layout
from ml_backend.extraction.normalize import fold

Phrase = tuple[str, ...]

LONGEST_PHRASE = 5

# Concept → phrases, strongest first. "/" separates phrases; spelling is folded when read.
_CONCEPT_TEXT = {
    "invoice_number": "invoice number/invoice no/invoice id/invoice ref/invoice/bill number/número da nota fiscal/número da nota/nota fiscal número/nota fiscal/nf número/número da fatura/fatura número/ref da fatura/fatura/nfe/nf e",
    "order_number": "purchase order number/purchase order/po number/order number/order no/order id/order ref/po ref/order/p o number/your order/número do pedido/pedido de compra/ordem de compra/pedido número/ref do pedido/pedido/número da ordem/oc número",
    "contract_number": "contract number/contract no/contract id/contract ref/contract/agreement number/agreement no/número do contrato/contrato número/ref do contrato/contrato",
    "customer_number": "customer number/customer id/customer no/client number/client id/account number/account no/código do cliente/número do cliente/conta",
    "document_number": "document number/document no/document id/our reference/your reference/requisition number/requisition/document/reference/ref/número do documento/nosso número/nossa referência/requisição/documento/referência",
    "reference": "reference number/reference/ref number/ref/your reference/referência/número de referência",
    "invoice_date": "invoice date/date of issue/issue date/bill date/date issued/issued on/issued/data da nota/data da fatura/data de emissão/data da emissão/emissão/emitido em/emitida em/dated/date/data",
    "order_date": "order date/po date/purchase order date/date of order/date ordered/data do pedido/data da ordem/data da compra",
    "contract_date": "contract date/agreement date/date of agreement/date signed/signed on/data do contrato/data da assinatura/assinado em",
    "due_date": "due date/payment due/due on/due by/pay by/pay before/payable on/payable by/settle by/payment date/due/data de vencimento/data do vencimento/vencimento/vence em/pagar até/pagável em/quitar até/venc",
    "delivery_date": "delivery date/ship date/date of delivery/deliver by/delivery by/shipping date/data de entrega/data da entrega/prazo de entrega/entrega",
    "start_date": "start date/date from/from date/effective date/commencement date/starting/start/begins/begin/from/valid from/period from/data de início/data inicial/início da vigência/vigência de/início/de",
    "end_date": "end date/date to/to date/expiration date/expiry date/expires/ending/end/ends/until/through/to/valid until/period to/data de término/data final/fim da vigência/término/vigência até/fim/até",
    "total": "grand total/total amount due/total due/invoice total/order total/total amount/amount due/balance due/total payable/total to pay/total value/contract value/gross amount/gross total/total/valor total da nota/valor total do pedido/valor total/total geral/total da fatura/total do pedido/total a pagar/valor a pagar/valor do contrato",
    "subtotal": "sub total/subtotal/net amount/net total/total before tax/amount before tax/sum of items/value of goods/goods and services/net/valor dos produtos/total dos produtos/total dos itens/soma dos itens/valor líquido/mercadorias e serviços/líquido/soma",
    "tax": "sales tax/tax amount/total tax/vat amount/tax/vat/gst/hst/icms/iss/impostos/imposto/valor do imposto/tributos",
    "discount": "discount amount/discount/less discount/rebate/desconto/valor do desconto/descontos/abatimento",
    "shipping": "shipping and handling/shipping cost/shipping/freight/delivery charge/postage/frete/valor do frete/despesas de envio",
    "deposit": "security deposit/deposit amount/deposit/caução/depósito caução/depósito/valor da caução",
    "rent": "monthly rent/rent amount/rental amount/rent/aluguel mensal/valor do aluguel/aluguel",
    "vendor": "vendor name/supplier name/seller name/vendor/supplier/seller/sold by/remit to/payable to/from company/issuer/from/fornecedor/nome do fornecedor/emitente/vendedor/prestador/contratada/contratado/razão social/de",
    "customer": "customer name/client name/buyer name/bill to/billed to/sold to/invoice to/customer/client/buyer/purchaser/ordered by/attention/to/cliente/nome do cliente/comprador/destinatário/tomador/contratante/faturar para/cobrar de/sacado/solicitante/para",
    "ship_to": "ship to/deliver to/delivery address/shipping address/entregar em/endereço de entrega/local de entrega",
    "tenant": "tenant name/tenant/lessee/renter/locatário/inquilino",
    "landlord": "landlord name/landlord/lessor/owner/locador/proprietário",
    "address": "billing address/street address/property address/address/endereço/logradouro",
    "contact": "contact name/contact person/attention/attn/contact/contato/a c/aos cuidados de",
    "tax_id": "tax id/tax identification number/vat number/vat id/ein/tin/cnpj/cpf/cpf cnpj/cnpj cpf/inscrição estadual",
    "email": "email address/email/e mail/correio eletrônico",
    "phone": "phone number/telephone/phone/tel/mobile/telefone/fone/celular",
    "payment_terms": "payment terms/terms of payment/terms/condições de pagamento/condição de pagamento/forma de pagamento/prazo de pagamento",
    "currency": "currency/moeda",
    "quantity": "quantity/qty/units/pieces/qtd/qtde/quant/quantidade",
    "unit_price": "unit price/unit cost/price each/price per unit/price/rate/unit amount/each/valor unitário/preço unitário/vlr unit/vl unit/valor unit/preço unit/preço/unitário",
    "line_amount": "line total/line amount/extended price/extended amount/ext price/amount/total price/total/net price/valor total/preço total/vlr total/vl total/total item/subtotal/valor/montante/importe",
    "description": "item description/product description/description of goods/description/product/item/details/particulars/service/services/descrição do produto/descrição dos produtos/descrição do serviço/descrição/produto/serviço/discriminação/especificação/histórico",
    "item_number": "item number/item no/line number/line/pos/position/number/item/seq/linha",
    "item_code": "item code/product code/part number/part no/sku/code/article/article number/stock code/código do produto/código/cód produto/cód/referência/ref",
    "unit": "unit of measure/uom/unit/um/unidade/und/unid/un",
    "signature": "authorized signature/authorised signature/signature/signed by/signed/sign here/assinatura/assinado por/assinatura do responsável",
    "name": "full name/name/nome completo/nome",
    "period": "service period/billing period/period/período/período de referência/competência",
}

_SYNONYMS = {
    "no": "number", "nr": "number", "num": "number", "nbr": "number", "#": "number", "numero": "number",
    "nos": "number", "nro": "number", "dt": "date", "amt": "amount", "inv": "invoice",
    "acct": "account", "cust": "customer", "qtty": "quantity", "vlr": "valor", "vl": "valor",
    "desc": "description", "descr": "description", "ord": "order",
}  # fmt: skip

_TOKEN = re.compile(r"[a-z0-9]+|#")
_GLUE = frozenset(["da", "do", "das", "dos", "the"])
_MOST_REMEMBERED = 200_000
# Never enough to announce a value in the middle of other words, whatever the field.
TOO_WEAK = frozenset(
    [("de",), ("a",), ("to",), ("para",), ("from",), ("number",), ("ate",), ("un",), ("um",)]
)
_ALONE = 0.6
"""What they weigh where they stand alone, as a heading of what is below or beside."""


@lru_cache(maxsize=200_000)
def tokens_of(word: str) -> Phrase:
    """A printed word's folded tokens without punctuation: "Invoice#:" → ("invoice", "number")."""
    return tuple(_SYNONYMS.get(token, token) for token in _TOKEN.findall(fold(word[:80])))


@lru_cache(maxsize=200_000)
def _telling_tokens(word: str) -> Phrase:
    return tuple(token for token in tokens_of(word) if token not in _GLUE)


def phrase(text: str) -> Phrase:
    """The tokens of a whole phrase: "N° da Nota" → ("number", "nota"). Glue words are dropped."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))
    found = [token for word in spaced.split() for token in tokens_of(word)]
    kept = [token for token in found if token not in _GLUE]
    return tuple(kept or found)


CONCEPTS: Mapping[str, tuple[Phrase, ...]] = MappingProxyType(
    {
        concept: tuple(dict.fromkeys(phrase(text) for text in texts.split("/")))
        for concept, texts in _CONCEPT_TEXT.items()
    }
)

_TYPES = {
    "invoice_date": FieldType.DATE,
    "order_date": FieldType.DATE,
    "contract_date": FieldType.DATE,
    "due_date": FieldType.DATE,
    "delivery_date": FieldType.DATE,
    "start_date": FieldType.DATE,
    "end_date": FieldType.DATE,
    "total": FieldType.NUMBER,
    "subtotal": FieldType.NUMBER,
    "tax": FieldType.NUMBER,
    "discount": FieldType.NUMBER,
    "shipping": FieldType.NUMBER,
    "deposit": FieldType.NUMBER,
    "rent": FieldType.NUMBER,
    "signature": FieldType.SIGNATURE,
}
COLUMN_CONCEPTS = (
    "item_number",
    "item_code",
    "description",
    "quantity",
    "unit",
    "unit_price",
    "line_amount",
    "discount",
    "tax",
    "delivery_date",
    "start_date",
    "end_date",
    "period",
)
_BEGIN = frozenset(["start", "from", "begin", "beginning", "inicio", "inicial", "effective"])
_FINISH = frozenset(["end", "to", "until", "through", "finish", "termino", "final", "fim", "ate"])


def own_phrases(spec: FieldSpec) -> list[Phrase]:
    """The field's own announcements: aliases as typed, then labels, then its name."""
    texts = [*spec.aliases, spec.label_en, spec.label_pt, spec.name]
    return [found for found in dict.fromkeys(phrase(text) for text in texts) if found]


def concept_of(spec: FieldSpec, *, column: bool = False) -> str | None:
    """The dictionary's concept for a field, or None. A column is looked up among column concepts.

    An exact phrase decides; else the words of a date's name that mean a beginning or an end.
    """
    own = own_phrases(spec)
    names = COLUMN_CONCEPTS if column else tuple(n for n in CONCEPTS if n not in _COLUMN_ONLY)
    fitting = [n for n in names if n not in _TYPES or _TYPES[n] is spec.type or column]
    # The name and labels say what the field is; aliases are words on paper, often shared.
    order = [p for p in own if p not in {phrase(a) for a in spec.aliases}]
    order += [p for p in own if p not in order]
    for candidate in order:
        best: tuple[int, str] | None = None
        for name in fitting:
            if candidate == phrase(name):
                return name
            if candidate in CONCEPTS[name]:
                rank = CONCEPTS[name].index(candidate)
                if best is None or rank < best[0]:
                    best = (rank, name)
        if best:
            return best[1]
    if spec.type is FieldType.DATE:
        words = set(phrase(spec.name))
        if words & _FINISH:
            return "end_date"
        if words & _BEGIN:
            return "start_date"
    if spec.type is FieldType.SIGNATURE:
        return "signature"
    return None


_NAMES = 3
_COLUMN_ONLY = frozenset(
    ["quantity", "unit_price", "line_amount", "description", "item_number", "item_code", "unit"]
)


def weighted_phrases(spec: FieldSpec, *, column: bool = False) -> dict[Phrase, float]:
    """Phrase → weight 0..1: aliases and labels count most, the dictionary's phrases follow."""
    weights: dict[Phrase, float] = {}
    aliases = [phrase(alias) for alias in spec.aliases]
    for rank, found in enumerate(aliases):
        if found:
            weights.setdefault(found, max(0.8, 1.0 - 0.02 * rank))
    for text in (spec.label_en, spec.label_pt, spec.name):
        found = phrase(text)
        if found and found not in TOO_WEAK:
            weights.setdefault(found, 0.9)
    concept = concept_of(spec, column=column)
    if concept:
        for rank, found in enumerate(CONCEPTS[concept]):
            weight = _ALONE if found in TOO_WEAK else max(0.6, 0.8 - 0.01 * rank)
            weights.setdefault(found, weight)
    # An alias that is what a concept is called stands for the concept: "Invoice number" for "Bill no" too.
    meant = () if column else [p for p in CONCEPTS.values() if {*aliases} & {*p[:_NAMES]}]
    for rank, found in (ranked for phrases in meant for ranked in enumerate(phrases)):
        if found not in TOO_WEAK:
            weights.setdefault(found, max(0.5, 0.7 - 0.01 * rank))
    return {found: weight for found, weight in weights.items() if len(found) <= LONGEST_PHRASE}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A known phrase on a page.

    `words` are the word indices it covers, in reading order; `rest` is the text the last word
    holds after the phrase ("Total:$12" → "$12"), "" if nothing; `colon` whether a colon follows.
    """

    phrase: Phrase
    words: tuple[int, ...]
    colon: bool
    rest: str


def all_concept_phrases() -> frozenset[Phrase]:
    """Every phrase of the dictionary long enough to be a label in its own right."""
    return frozenset(p for phrases in CONCEPTS.values() for p in phrases if p not in TOO_WEAK)


class PhraseBook:
    """Phrases to look for, as a tree of their tokens."""

    def __init__(self, known: Iterable[Phrase]) -> None:
        self.root = _Branch()
        for entry in known:
            branch = self.root
            for token in entry:
                branch = branch.next.setdefault(token, _Branch())
            branch.ends = entry
        self._opening: dict[str, bool] = {}

    def opened_by(self, texts: Sequence[str]) -> list[int]:
        """Which of the printed words a phrase may begin in; of most of a page it is remembered that none does."""
        opening = list(map(self._opening.get, texts))
        if None in opening:
            if len(self._opening) > _MOST_REMEMBERED:
                self._opening.clear()
            opening = [
                self._opens(text) if o is None else o
                for o, text in zip(opening, texts, strict=True)
            ]
        return [i for i, opens in enumerate(opening) if opens]

    def _opens(self, text: str) -> bool:
        opens = self._opening[text] = any(t in self.root.next for t in tokens_of(text))
        return opens


@dataclass(slots=True)
class _Branch:
    """What may follow after some tokens, and the phrase they are."""

    next: dict[str, _Branch] = field(default_factory=dict)
    ends: Phrase | None = None


def find_phrases(
    page: PageLike, layout: Layout, known: PhraseBook | Iterable[Phrase]
) -> list[Occurrence]:
    """Where the `known` phrases stand: longest first, never overlapping, never across a wide gap."""
    book = known if isinstance(known, PhraseBook) else PhraseBook(known)
    opened = book.opened_by(page.texts)
    place = np.empty(len(layout.order), dtype=np.intp)
    place[layout.order] = np.arange(len(layout.order))
    reading = _Reading(page.texts, layout.order.tolist(), layout.segment[layout.order].tolist())
    found: list[Occurrence] = []
    free = (0, 0)  # the first place and token that no phrase covers yet
    for at in np.sort(place[opened]).tolist():
        token = free[1] if at == free[0] else 0
        while at >= free[0] and token < len(reading.tokens(at)):
            match = reading.longest(book.root, at, token)
            if match is None:
                token += 1
                continue
            found += reading.occurrence(match)
            free = (match.places[-1], match.end)
            token = match.end
            if free[0] > at:
                break
    return found


@dataclass(frozen=True, slots=True)
class _Match:
    """`places` of the words that hold its tokens; `end` is one past its last token, in the last of them."""

    phrase: Phrase
    places: tuple[int, ...]
    end: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """A page's words by their place in reading order: `order` gives the word, `segment` its run."""

    texts: Sequence[str]
    order: list[int]
    segment: list[int]

    def tokens(self, place: int) -> Phrase:
        return _telling_tokens(self.texts[self.order[place]])

    def longest(self, root: _Branch, place: int, token: int) -> _Match | None:
        """The longest phrase that begins with that token of the word at `place`."""
        run, found = self.segment[place], None
        tokens, places = self.tokens(place), [place]
        branch = root.next.get(tokens[token])
        while branch is not None:
            token += 1
            if branch.ends is not None:
                found = _Match(branch.ends, tuple(places), token)
            if not branch.next:
                break
            while token >= len(tokens):
                place += 1
                if place >= len(self.order) or self.segment[place] != run:
                    return found
                tokens, token = self.tokens(place), 0
            if place != places[-1]:
                places.append(place)
            branch = branch.next.get(tokens[token])
        return found

    def occurrence(self, match: _Match) -> list[Occurrence]:
        """The match as announcement; none where its last word goes on with something that is no value."""
        at = match.places[-1]
        last = self.texts[self.order[at]]
        leftover = match.end < len(self.tokens(at))
        head, colon, tail = last.partition(":")
        rest = tail.strip() if leftover and colon and tokens_of(head) else ""
        if leftover and not rest:
            return []
        # A colon also at the end of a row of dots that leads to the value.
        after = at + 1 < len(self.order) and self.segment[at + 1] == self.segment[at]
        following = self.texts[self.order[at + 1]] if after else ""
        followed = following.lstrip("._…·-").startswith(":")
        words = tuple(self.order[place] for place in match.places)
        has_colon = last.rstrip().endswith(":") or bool(rest) or followed
        return [Occurrence(match.phrase, words, has_colon, rest)]
