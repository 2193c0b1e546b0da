"""The words of the English-German grammar, read from resources/miniworld/lexicon.yaml."""

from dataclasses import dataclass

from tunegrid.data.miniworld.tables import table


@dataclass(frozen=True)
class Noun:
    """A countable noun. `gender` is m, f or n; `dative_plural` adds the -n that German wants there."""

    english: str
    english_plural: str
    gender: str
    german: str
    german_plural: str

    @property
    def dative_plural(self) -> str:
        return self.german_plural if self.german_plural.endswith(("n", "s")) else self.german_plural + "n"


@dataclass(frozen=True)
class Verb:
    """A verb with one object. `prefix` is its separable part; `case` is the case of the object."""

    english: str
    english_third: str
    english_participle: str
    german: str  # infinitive, without the prefix
    german_third: str
    german_participle: str
    prefix: str = ""
    case: str = "accusative"


def _entries(kind: type, lines: str) -> tuple:
    return tuple(kind(*(cell.strip() for cell in line.split(","))) for line in lines.strip().splitlines())


_LEXICON = table("lexicon")
BEINGS, THINGS, PLACES = (_entries(Noun, _LEXICON["nouns"][name]) for name in ("beings", "things", "places"))
# By what their object is.
THING_VERBS, BEING_VERBS = (_entries(Verb, _LEXICON["verbs"][name]) for name in ("things", "beings"))


@dataclass(frozen=True)
class Nouns:
    """The nouns of some sentences."""

    beings: tuple[Noun, ...]
    things: tuple[Noun, ...]
    places: tuple[Noun, ...]


HOME = Nouns(BEINGS, THINGS, PLACES)


def nouns(domain: str) -> Nouns:
    """The nouns of a domain: `home`, or these and those in resources/miniworld/<domain>.yaml."""
    if domain == "home":
        return HOME
    more = table(domain)["nouns"]
    return Nouns(*(getattr(HOME, name) + _entries(Noun, more[name]) for name in ("beings", "things", "places")))


DEFINITE, EIN_WORDS, EIN_ENDINGS = (_LEXICON["articles"][name] for name in ("definite", "ein_words", "ein_endings"))
STRONG_ENDINGS: dict[str, dict[str, str]] = _LEXICON["adjectives"]["strong_endings"]
ADJECTIVES: dict[str, str] = _LEXICON["adjectives"]["german"]
BEING_ADJECTIVES, THING_ADJECTIVES = (tuple(_LEXICON["adjectives"][name].split()) for name in ("beings", "things"))
TIMES: dict[str, str] = _LEXICON["times"]
PREPOSITIONS: dict[str, str] = _LEXICON["prepositions"]
MODALS: dict[str, tuple[str, str]] = _LEXICON["modals"]
FRAMES: dict[str, str] = _LEXICON["frames"]
CONJUNCTIONS: dict[str, str] = _LEXICON["conjunctions"]
