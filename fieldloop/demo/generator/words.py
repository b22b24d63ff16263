"""The words sample documents are made of. All names are invented."""

from __future__ import annotations

from typing import Final

FIRST_NAMES: Final = {
    "en": (
        *(
            "Alice",
            "Brendan",
            "Clara",
            "Derek",
            "Edith",
            "Farid",
            "Grace",
            "Hugh",
            "Imogen",
            "Jonas",
        ),
        *("Keira", "Liam", "Mabel", "Nadia", "Owen", "Priya", "Rowan", "Saskia", "Tobias", "Una"),
    ),
    "pt": (
        *(
            "Adriana",
            "Bruno",
            "Camila",
            "Danilo",
            "Eliane",
            "Fábio",
            "Glória",
            "Heitor",
            "Inês",
            "João",
        ),
        *(
            "Kátia",
            "Lúcio",
            "Márcia",
            "Nélson",
            "Otávio",
            "Patrícia",
            "Renan",
            "Sílvia",
            "Tânia",
            "Vítor",
        ),
    ),
}
LAST_NAMES: Final = {
    "en": (
        *(
            "Ashdown",
            "Birch",
            "Calloway",
            "Drummond",
            "Ellery",
            "Farrow",
            "Grantham",
            "Hollis",
            "Ibsen",
        ),
        *(
            "Jessop",
            "Kilbride",
            "Langley",
            "Merritt",
            "Norwood",
            "Oakes",
            "Pemberton",
            "Quill",
            "Rusk",
        ),
    ),
    "pt": (
        *(
            "Araújo",
            "Barcelos",
            "Conceição",
            "Duarte",
            "Esteves",
            "Fagundes",
            "Guimarães",
            "Lacerda",
        ),
        *(
            "Magalhães",
            "Nóbrega",
            "Otoni",
            "Peçanha",
            "Quaresma",
            "Rezende",
            "Simões",
            "Tavares",
            "Vilela",
        ),
    ),
}
COMPANY_CORES: Final = {
    "en": (
        *(
            "Harrowgate",
            "Northfield",
            "Kestrel",
            "Bluestone",
            "Silverbrook",
            "Larkspur",
            "Ironbridge",
        ),
        *(
            "Copperleaf",
            "Windermoor",
            "Saltmarsh",
            "Foxglove",
            "Granite Peak",
            "Red Cedar",
            "Old Mill",
        ),
        *("Cape Linden", "Two Rivers", "Thornbury", "Quayside", "Stonehaven", "Amberfield"),
    ),
    "pt": (
        *(
            "Serra Azul",
            "Aroeira",
            "Ipê Roxo",
            "Rio Claro",
            "Pedra Branca",
            "Mata Verde",
            "São Bento",
        ),
        *(
            "Campo Belo",
            "Boa Esperança",
            "Três Irmãos",
            "Horizonte",
            "Jatobá",
            "Porto Novo",
            "Estrela",
        ),
        *("Vale do Sol", "Água Santa", "Monte Alto", "Ribeirão", "Cerrado", "Maré Alta"),
    ),
}
COMPANY_TRADES: Final = {
    "en": (
        *(
            "Office Supplies",
            "Logistics",
            "Electrical",
            "Packaging",
            "Instruments",
            "Textiles",
            "Foods",
        ),
        *("Building Materials", "Printing", "Medical Devices", "Tools & Hardware", "Consulting"),
        *("Systems", "Cleaning Services", "Furniture", "Chemicals"),
    ),
    "pt": (
        *("Comércio de Papéis", "Transportes", "Materiais Elétricos", "Embalagens", "Instrumentos"),
        *(
            "Indústria Têxtil",
            "Alimentos",
            "Materiais de Construção",
            "Gráfica e Editora",
            "Ferragens",
        ),
        *("Consultoria", "Sistemas", "Serviços de Limpeza", "Móveis", "Produtos Químicos"),
    ),
}
# Long enough to need a second line in most layouts.
COMPANY_TAILS: Final = {
    "en": ("and Sons International Trading Company", "Holdings and Distribution Partners"),
    "pt": ("Importação, Exportação e Representações", "Distribuidora e Participações do Brasil"),
}
COMPANY_FORMS: Final = {
    "us": ("Inc.", "LLC", "Corp."),
    "eu": ("Ltd", "GmbH", "B.V.", "plc"),
    "br": ("Ltda.", "S.A.", "ME", "EPP"),
}
STREETS: Final = {
    "en": (
        "Mill Lane",
        "Orchard Street",
        "Quarry Road",
        "Station Avenue",
        "Tanner Row",
        "Wharf Street",
    ),
    "pt": (
        "Rua das Acácias",
        "Avenida Brasil",
        "Rua do Comércio",
        "Travessa da Paz",
        "Alameda dos Ipês",
    ),
}
CITIES: Final = {
    "us": (
        ("Milfield", "OH", 44),
        ("Port Lowell", "MA", 2),
        ("Cedar Bend", "TX", 78),
        ("Easton Falls", "NY", 13),
    ),
    "eu": (
        ("Dublin", "Ireland", 0),
        ("Leeds", "United Kingdom", 0),
        ("Utrecht", "Netherlands", 0),
        ("Bremen", "Germany", 0),
    ),
    "br": (
        ("Campinas", "SP", 13),
        ("Curitiba", "PR", 80),
        ("Recife", "PE", 50),
        ("Belo Horizonte", "MG", 30),
    ),
}
GOODS: Final = {
    "en": (
        *(
            "Copy paper A4, 80 g",
            "Ballpoint pen, blue",
            "Steel shelving unit",
            "LED panel 60 x 60 cm",
        ),
        *(
            "Nitrile gloves, size M",
            "Packing tape 48 mm",
            "Ring binder, two rings",
            "Cordless drill 18 V",
        ),
        *("Hex bolt M8 x 40", "Safety goggles", "Network cable Cat 6", "Desk lamp with clamp"),
        *("Hand soap, 5 litres", "Pallet wrap film", "Thermal label roll", "Air filter, medium"),
        *(
            "Stacking chair, grey",
            "Whiteboard 120 x 90",
            "Battery AA, pack of 24",
            "Wall clock, quartz",
        ),
        *(
            "Extension lead 5 m",
            "Masking paper roll",
            "Work trousers, navy",
            "Coffee beans, dark roast",
        ),
    ),
    "pt": (
        *(
            "Papel sulfite A4, 75 g",
            "Caneta esferográfica azul",
            "Estante de aço",
            "Luminária LED 60 x 60",
        ),
        *(
            "Luva nitrílica, tamanho M",
            "Fita adesiva 48 mm",
            "Fichário duas argolas",
            "Furadeira 18 V",
        ),
        *("Parafuso sextavado M8", "Óculos de proteção", "Cabo de rede Cat 6", "Luminária de mesa"),
        *(
            "Sabonete líquido 5 litros",
            "Filme stretch",
            "Etiqueta térmica em rolo",
            "Filtro de ar médio",
        ),
        *(
            "Cadeira empilhável cinza",
            "Quadro branco 120 x 90",
            "Pilha AA com 24",
            "Relógio de parede",
        ),
        *(
            "Extensão elétrica 5 m",
            "Papel kraft em bobina",
            "Calça de brim azul",
            "Café torrado em grãos",
        ),
    ),
}
GOODS_DETAILS: Final = {
    "en": (
        "delivered in cartons of twelve",
        "replaces the previous model",
        "with two years of warranty",
        "colour as agreed",
    ),
    "pt": (
        "entregue em caixas com doze unidades",
        "substitui o modelo anterior",
        "com garantia de dois anos",
        "cor conforme combinado",
    ),
}
SERVICES: Final = {
    "en": (
        *("Monthly maintenance visit", "Remote support", "Staff training day", "Site inspection"),
        *(
            "Software licence, per seat",
            "Equipment rental",
            "Night security patrol",
            "Waste collection",
        ),
        *("Translation of manuals", "Annual calibration"),
    ),
    "pt": (
        *(
            "Visita mensal de manutenção",
            "Suporte remoto",
            "Treinamento de equipe",
            "Vistoria do local",
        ),
        *(
            "Licença de uso por usuário",
            "Locação de equipamento",
            "Ronda noturna",
            "Coleta de resíduos",
        ),
        *("Tradução de manuais", "Calibração anual"),
    ),
}
UNITS: Final = {"en": ("pcs", "box", "set", "hr"), "pt": ("un", "cx", "jg", "h")}
TERMS: Final = {
    "en": (
        "Net 30 days",
        "Net 14 days",
        "30% in advance, balance on delivery",
        "Cash on delivery",
        "60 days end of month",
    ),
    "pt": (
        "30 dias líquidos",
        "À vista",
        "28/56 dias",
        "Boleto em 15 dias",
        "Entrada de 30% e saldo na entrega",
    ),
}
MONTHS: Final = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "pt": (
        *("janeiro", "fevereiro", "março", "abril", "maio", "junho"),
        *("julho", "agosto", "setembro", "outubro", "novembro", "dezembro"),
    ),
}
NOTES: Final = {
    "en": (
        "Please quote our order {order} of {date} in all letters.",
        "Goods remain our property until paid in full. Interest of {amount} per month is charged on late payment.",
        "Questions? Call {phone} before {date}.",
        "Last year you ordered for {amount} with us. Thank you for your trust.",
    ),
    "pt": (
        "Cite nosso pedido {order} de {date} em toda a correspondência.",
        "A mercadoria permanece nossa até o pagamento integral. Multa de {amount} ao mês por atraso.",
        "Dúvidas? Ligue para {phone} até {date}.",
        "No ano passado suas compras somaram {amount}. Agradecemos a confiança.",
    ),
}
