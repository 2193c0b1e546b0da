"""The words of the English-German grammar, as tables that a speaker of both can check line by line."""

from dataclasses import dataclass


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


def _nouns(table: str) -> tuple[Noun, ...]:
    return tuple(Noun(*(cell.strip() for cell in line.split(","))) for line in table.strip().splitlines())


def _verbs(table: str) -> tuple[Verb, ...]:
    return tuple(Verb(*(cell.strip() for cell in line.split(","))) for line in table.strip().splitlines())


BEINGS = _nouns("""
man, men, m, Mann, Männer
woman, women, f, Frau, Frauen
child, children, n, Kind, Kinder
girl, girls, n, Mädchen, Mädchen
teacher, teachers, m, Lehrer, Lehrer
doctor, doctors, f, Ärztin, Ärztinnen
gardener, gardeners, m, Gärtner, Gärtner
singer, singers, f, Sängerin, Sängerinnen
king, kings, m, König, Könige
queen, queens, f, Königin, Königinnen
neighbour, neighbours, f, Nachbarin, Nachbarinnen
friend, friends, m, Freund, Freunde
uncle, uncles, m, Onkel, Onkel
aunt, aunts, f, Tante, Tanten
thief, thieves, m, Dieb, Diebe
dog, dogs, m, Hund, Hunde
cat, cats, f, Katze, Katzen
horse, horses, n, Pferd, Pferde
""")

THINGS = _nouns("""
book, books, n, Buch, Bücher
letter, letters, m, Brief, Briefe
apple, apples, m, Apfel, Äpfel
cake, cakes, m, Kuchen, Kuchen
picture, pictures, n, Bild, Bilder
bag, bags, f, Tasche, Taschen
lamp, lamps, f, Lampe, Lampen
chair, chairs, m, Stuhl, Stühle
knife, knives, n, Messer, Messer
flower, flowers, f, Blume, Blumen
key, keys, m, Schlüssel, Schlüssel
coat, coats, m, Mantel, Mäntel
shirt, shirts, n, Hemd, Hemden
clock, clocks, f, Uhr, Uhren
ring, rings, m, Ring, Ringe
box, boxes, f, Kiste, Kisten
basket, baskets, m, Korb, Körbe
bottle, bottles, f, Flasche, Flaschen
wheel, wheels, n, Rad, Räder
song, songs, n, Lied, Lieder
""")

PLACES = _nouns("""
garden, gardens, m, Garten, Gärten
house, houses, n, Haus, Häuser
kitchen, kitchens, f, Küche, Küchen
school, schools, f, Schule, Schulen
forest, forests, m, Wald, Wälder
village, villages, n, Dorf, Dörfer
church, churches, f, Kirche, Kirchen
room, rooms, n, Zimmer, Zimmer
cellar, cellars, m, Keller, Keller
theatre, theatres, n, Theater, Theater
street, streets, f, Straße, Straßen
tower, towers, m, Turm, Türme
""")

# Verbs whose object is a thing.
THING_VERBS = _verbs("""
buy, buys, bought, kaufen, kauft, gekauft
sell, sells, sold, verkaufen, verkauft, verkauft
find, finds, found, finden, findet, gefunden
carry, carries, carried, tragen, trägt, getragen
paint, paints, painted, malen, malt, gemalt
hide, hides, hidden, verstecken, versteckt, versteckt
bring, brings, brought, bringen, bringt, gebracht
take along, takes along, taken along, nehmen, nimmt, mitgenommen, mit
pick up, picks up, picked up, heben, hebt, aufgehoben, auf
throw away, throws away, thrown away, werfen, wirft, weggeworfen, weg
put down, puts down, put down, stellen, stellt, abgestellt, ab
need, needs, needed, brauchen, braucht, gebraucht
forget, forgets, forgotten, vergessen, vergisst, vergessen
clean, cleans, cleaned, putzen, putzt, geputzt
""")

# Verbs whose object is a being. Last two columns: the separable prefix, and the case unless accusative.
BEING_VERBS = _verbs("""
see, sees, seen, sehen, sieht, gesehen
hear, hears, heard, hören, hört, gehört
love, loves, loved, lieben, liebt, geliebt
greet, greets, greeted, grüßen, grüßt, gegrüßt
visit, visits, visited, besuchen, besucht, besucht
call, calls, called, rufen, ruft, angerufen, an
pick out, picks out, picked out, suchen, sucht, ausgesucht, aus
invite, invites, invited, laden, lädt, eingeladen, ein
help, helps, helped, helfen, hilft, geholfen, , dative
thank, thanks, thanked, danken, dankt, gedankt, , dative
listen to, listens to, listened to, hören, hört, zugehört, zu, dative
trust, trusts, trusted, vertrauen, vertraut, vertraut, , dative
""")

# English to German stem; every one takes the regular endings.
ADJECTIVES = {
    "old": "alt", "young": "jung", "small": "klein", "big": "groß", "new": "neu", "red": "rot", "green": "grün",
    "white": "weiß", "black": "schwarz", "heavy": "schwer", "beautiful": "schön", "cheap": "billig",
    "strange": "seltsam", "clean": "sauber", "poor": "arm", "rich": "reich", "brave": "tapfer", "lazy": "faul",
}  # fmt: skip
BEING_ADJECTIVES = ("old", "young", "small", "big", "beautiful", "strange", "poor", "rich", "brave", "lazy")
THING_ADJECTIVES = (
    "old",
    "small",
    "big",
    "new",
    "red",
    "green",
    "white",
    "black",
    "heavy",
    "beautiful",
    "cheap",
    "clean",
)

TIMES = {
    "today": "heute", "in the evening": "am Abend", "every day": "jeden Tag", "on Monday": "am Montag",
    "in winter": "im Winter", "sometimes": "manchmal", "this morning": "heute Morgen", "often": "oft",
    "in summer": "im Sommer", "on Friday": "am Freitag", "at night": "in der Nacht", "now": "jetzt",
}  # fmt: skip
# English preposition to German; all take the dative here, because nothing moves.
PREPOSITIONS = {"in": "in", "behind": "hinter", "in front of": "vor", "next to": "neben"}
# English modal to German singular and plural.
MODALS = {
    "wants to": ("will", "wollen"),
    "can": ("kann", "können"),
    "must": ("muss", "müssen"),
    "may": ("darf", "dürfen"),
}
# Main clauses that take a that-clause.
FRAMES = {
    "I know that": "ich weiß, dass", "we hope that": "wir hoffen, dass", "she says that": "sie sagt, dass",
    "he believes that": "er glaubt, dass", "they think that": "sie denken, dass",
}  # fmt: skip
CONJUNCTIONS = {"because": "weil", "when": "wenn", "although": "obwohl"}
