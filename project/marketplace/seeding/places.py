"""Where providers and customers live: their time zone, money, languages and names."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Place:
    """A market. `rate` is what a euro costs there, `step` what prices are a multiple of."""

    timezone: str
    currency: str
    rate: float
    step: Decimal
    languages: tuple[str, ...]
    names: str
    cities: tuple[str, ...]
    street: str
    phone: str


def _place(
    timezone: str, money: tuple[str, float, str], languages: str, names: str, cities: str, street: str, phone: str
) -> Place:
    currency, rate, step = money
    return Place(
        timezone, currency, rate, Decimal(step), tuple(languages.split()), names, tuple(cities.split(", ")), street, phone
    )


EUR, USD = ("EUR", 1.0, "0.50"), ("USD", 1.1, "1.00")

# How often of a hundred, and the place. Languages are as likely as they are often named.
WEIGHTED: tuple[tuple[int, Place], ...] = (
    (16, _place("Europe/Berlin", EUR, "de de de en", "german", "Berlin, Hamburg, Köln, Leipzig", "{name}straße {n}", "+4930")),
    (12, _place("America/New_York", USD, "en", "english", "New York, Boston, Miami", "{n} {name} Street", "+1212")),
    (8, _place("America/Los_Angeles", USD, "en en en es", "english", "Los Angeles, San Diego", "{n} {name} Avenue", "+1213")),
    (5, _place("America/Chicago", USD, "en", "english", "Chicago, Austin", "{n} {name} Road", "+1312")),
    (10, _place("Europe/London", ("GBP", 0.85, "0.50"), "en", "english", "London, Bristol, Leeds", "{n} {name} Lane", "+4420")),
    (9, _place("Europe/Paris", EUR, "fr fr fr en", "french", "Paris, Lyon, Nantes", "{n} rue {name}", "+331")),
    (8, _place("Europe/Madrid", EUR, "es es es en", "spanish", "Madrid, Valencia, Sevilla", "Calle {name} {n}", "+3491")),
    (4, _place("America/Mexico_City", ("MXN", 20.0, "10.00"), "es", "spanish", "Puebla, Toluca", "Calle {name} {n}", "+5255")),
    (6, _place("Asia/Tokyo", ("JPY", 160.0, "100"), "en", "japanese", "Tokyo, Kyoto, Sapporo", "{n} {name} Dori", "+813")),
    (4, _place("Europe/Zurich", ("CHF", 0.95, "0.50"), "de de fr en", "german", "Zürich, Bern, Basel", "{name}weg {n}", "+4144")),
    (4, _place("Europe/Warsaw", ("PLN", 4.3, "1.00"), "en", "slavic", "Warszawa, Kraków, Gdańsk", "ul. {name} {n}", "+4822")),
    (4, _place("Australia/Sydney", ("AUD", 1.65, "1.00"), "en", "english", "Sydney, Newcastle", "{n} {name} Parade", "+612")),
    (4, _place("Asia/Kolkata", ("INR", 90.0, "50.00"), "en", "indian", "Mumbai, Pune, Delhi", "{n} {name} Marg", "+9122")),
    (2, _place("Asia/Kuwait", ("KWD", 0.33, "0.250"), "en", "arabic", "Kuwait City, Salmiya", "{n} {name} Street", "+9652")),
    (2, _place("America/Toronto", ("CAD", 1.5, "1.00"), "en en fr", "english", "Toronto, Ottawa", "{n} {name} Crescent", "+1416")),
    (2, _place("Pacific/Auckland", ("NZD", 1.8, "1.00"), "en", "english", "Auckland, Wellington", "{n} {name} Terrace", "+649")),
)  # fmt: skip
PLACES = tuple(place for weight, place in WEIGHTED for _ in range(weight))


def place_of(roll: int) -> Place:
    return PLACES[roll % len(PLACES)]
