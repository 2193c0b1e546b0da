"""A small English-German grammar: gender, number and case agree, and the German verb has its right position.

Every sentence is drawn as a structure and written in both languages. German main clauses put the verb second, so a
time or place in front moves the subject behind it; participles and infinitives close the clause; subordinate clauses
end with the finite verb; separable prefixes go to the end, and are joined to the verb again where it is last.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tunegrid.data.miniworld import lexicon
from tunegrid.data.miniworld.keys import split_of
from tunegrid.data.miniworld.lexicon import Noun, Nouns, Verb

HELD_OUT = ("source", "target")
LANGUAGES = ("en", "de")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase. `determiner` is the English one ("the", "a", "my", …; "" is a plural without an article)."""

    determiner: str
    adjective: str
    noun: Noun
    plural: bool

    def english(self) -> str:
        noun = self.noun.english_plural if self.plural else self.noun.english
        following = self.adjective or noun
        determiner = "an" if self.determiner == "a" and following[0] in "aeiou" else self.determiner
        return _join(determiner, self.adjective, noun)

    def german(self, case: str) -> str:
        gender = "p" if self.plural else self.noun.gender
        if self.determiner == "the":
            determiner = lexicon.DEFINITE[case][gender]
            singular_e = (case == "nominative" and gender != "p") or (case == "accusative" and gender in "fn")
            ending = "e" if singular_e else "en"
        elif self.determiner:
            determiner = lexicon.EIN_WORDS[self.determiner] + lexicon.EIN_ENDINGS[case][gender]
            ending = "en" if gender == "p" else lexicon.STRONG_ENDINGS[case][gender]
        else:
            determiner, ending = "", lexicon.STRONG_ENDINGS[case][gender]
        adjective = lexicon.ADJECTIVES[self.adjective] + ending if self.adjective else ""
        noun = self.noun.german_plural if self.plural else self.noun.german
        if self.plural and case == "dative":
            noun = self.noun.dative_plural
        return _join(determiner, adjective, noun)


@dataclass(frozen=True)
class Clause:
    """A clause: who does what to whom, when and where. `form` is "present", "perfect" or an English modal."""

    subject: Phrase
    verb: Verb
    object: Phrase
    form: str
    time: str = ""
    preposition: str = ""
    place: Phrase | None = None
    time_first: bool = False

    def english(self) -> str:
        plural, verb = self.subject.plural, self.verb
        if self.form == "present":
            action = verb.english if plural else verb.english_third
        elif self.form == "perfect":
            action = f"{'have' if plural else 'has'} {verb.english_participle}"
        else:
            modal = self.form.replace("wants", "want") if plural else self.form
            action = f"{modal} {verb.english}"
        place = f"{self.preposition} {self.place.english()}" if self.place else ""
        core = _join(self.subject.english(), action, self.object.english(), place)
        return f"{self.time} {core}" if self.time_first else _join(core, self.time)

    def _verbs(self) -> tuple[str, str, str]:
        """The German (finite verb, separated prefix, participle or infinitive that closes the clause)."""
        plural, verb = self.subject.plural, self.verb
        if self.form == "present":
            return (verb.german if plural else verb.german_third), verb.prefix, ""
        if self.form == "perfect":
            return ("haben" if plural else "hat"), "", verb.german_participle
        return lexicon.MODALS[self.form][plural], "", verb.prefix + verb.german

    def _middle(self) -> tuple[str, str, str]:
        """The German (time, object, place): time comes before the object, place after it."""
        return lexicon.TIMES.get(self.time, ""), self.object.german(self.verb.case), self.german_place()

    def german_place(self) -> str:
        place = f"{lexicon.PREPOSITIONS[self.preposition]} {self.place.german('dative')}" if self.place else ""
        return "im" + place.removeprefix("in dem") if place.startswith("in dem ") else place

    def german_infinitive(self) -> str:
        """The German object and infinitive: "einen Apfel kaufen"."""
        return _join(self.object.german(self.verb.case), self.verb.prefix + self.verb.german)

    def german_main(self) -> str:
        finite, prefix, closing = self._verbs()
        time, target, place = self._middle()
        subject = self.subject.german("nominative")
        front, after = (time, subject) if self.time_first else (subject, time)
        return _join(front, finite, after, target, place, prefix, closing)

    def german_subordinate(self) -> str:
        """The German clause with the finite verb last, joined to its separable prefix."""
        finite, prefix, closing = self._verbs()
        return _join(self.subject.german("nominative"), *self._middle(), closing, prefix + finite)


def translate(form: str, first: Clause, second: Clause | None = None) -> tuple[str, str]:
    """Writes clauses as an (English, German) sentence: a main clause, a that-clause or two clauses.

    Args:
        form: the frame of a that-clause or the conjunction of two clauses; "" for a main clause.
    """
    if form in lexicon.FRAMES:
        english = f"{form} {first.english()}"
        german = f"{lexicon.FRAMES[form]} {first.german_subordinate()}"
    elif second is None:
        english, german = first.english(), first.german_main()
    else:
        english = f"{first.english()} {form} {second.english()}"
        german = f"{first.german_main()}, {lexicon.CONJUNCTIONS[form]} {second.german_subordinate()}"
    return _sentence(english), _sentence(german)


def draw_phrase(random: Random, nouns: tuple[Noun, ...], adjectives: tuple[str, ...]) -> Phrase:
    plural = random.random() < 0.3
    determiners = ("the", "the", "my", "no", "") if plural else ("the", "the", "a", "a", "my", "his", "our", "no")
    adjective = random.choice(adjectives) if random.random() < 0.45 else ""
    return Phrase(random.choice(determiners), adjective, random.choice(nouns), plural)


def draw_clause(
    random: Random,
    subordinate: bool = False,
    time_share: float = 0.5,
    place_share: float = 0.4,
    nouns: Nouns = lexicon.HOME,
) -> Clause:
    if random.random() < 0.5:
        verb, objects, adjectives = random.choice(lexicon.THING_VERBS), nouns.things, lexicon.THING_ADJECTIVES
    else:
        verb, objects, adjectives = random.choice(lexicon.BEING_VERBS), nouns.beings, lexicon.BEING_ADJECTIVES
    form = random.choice(("present", "present", "perfect", random.choice(sorted(lexicon.MODALS))))
    time = random.choice(sorted(lexicon.TIMES)) if random.random() < time_share else ""
    preposition = random.choice(sorted(lexicon.PREPOSITIONS)) if random.random() < place_share else ""
    place = Phrase("the", "", random.choice(nouns.places), False) if preposition else None
    subject = draw_phrase(random, nouns.beings, lexicon.BEING_ADJECTIVES)
    while subject.determiner == "no":  # "no king sees no queen" is good grammar and bad sense
        subject = draw_phrase(random, nouns.beings, lexicon.BEING_ADJECTIVES)
    target = draw_phrase(random, objects, adjectives)
    time_first = bool(time) and not subordinate and random.random() < 0.5
    return Clause(subject, verb, target, form, time, preposition, place, time_first)


def draw_pair(random: Random, split: str, nouns: Nouns = lexicon.HOME, joined: bool = False) -> tuple[str, str]:
    """Draws an (English, German) pair of sentences, both of which may occur in `split` only.

    Args:
        joined: only sentences of two clauses.
    """
    while True:
        kind = 1.0 if joined else random.random()
        if kind < 0.4:
            pair = translate("", draw_clause(random, nouns=nouns))
        elif kind < 0.7:
            frame = random.choice(sorted(lexicon.FRAMES))
            pair = translate(frame, draw_clause(random, subordinate=True, nouns=nouns))
        else:
            conjunction = random.choice(sorted(lexicon.CONJUNCTIONS))
            first = draw_clause(random, nouns=nouns)
            pair = translate(conjunction, first, draw_clause(random, subordinate=True, nouns=nouns))
        if all(split_of(text) == split for text in pair):
            return pair


def draw_examples(random: Random, split: str, domain: str = "home") -> Iterator[dict]:
    """Yields translation rows (without ids) without end; those of the domain `away` have two clauses each."""
    nouns = lexicon.nouns(domain)
    while True:
        source, target = draw_pair(random, split, nouns, joined=domain != "home")
        yield {"source": source, "target": target}


def draw_document(random: Random) -> str:
    """Draws pretraining text: two unrelated sentences in one language, never a sentence and its translation."""
    language = 0 if random.random() < 0.35 else 1
    return " ".join(draw_pair(random, "train")[language] for _ in range(2))


def draw_glossary(random: Random) -> str:
    """Draws pretraining text: words, phrases and short clauses with their translations, as in a phrase book."""
    draws = [draw_clause_entry if random.random() < 0.4 else draw_entry for _ in range(3)]
    return "\n".join(f"{english} = {german}" for english, german in (draw(random) for draw in draws))


def draw_entry(random: Random) -> tuple[str, str]:
    """Draws a dictionary entry: a noun phrase, alone or with a preposition or a verb, or a single word."""
    kind = random.random()
    if kind < 0.35:
        nouns, adjectives = random.choice(
            (
                (lexicon.BEINGS, lexicon.BEING_ADJECTIVES),
                (lexicon.THINGS, lexicon.THING_ADJECTIVES),
                (lexicon.PLACES, ("",)),
            )
        )
        phrase = draw_phrase(random, nouns, adjectives)
        return phrase.english(), phrase.german("nominative")
    clause = draw_clause(random, place_share=1.0)
    if kind < 0.6:
        return f"to {clause.verb.english} {clause.object.english()}", clause.german_infinitive()
    if kind < 0.7:
        return f"{clause.preposition} {clause.place.english()}", clause.german_place()
    if kind < 0.85:
        verb = clause.verb
        return random.choice(
            (
                (f"to {verb.english}", verb.prefix + verb.german),
                (verb.english_third, _join(verb.german_third, verb.prefix)),
                (verb.english_participle, verb.german_participle),
            )
        )
    small_words = {**lexicon.TIMES, **lexicon.PREPOSITIONS, **lexicon.CONJUNCTIONS, **lexicon.FRAMES}
    english = random.choice(sorted(small_words))
    return english, small_words[english]


def draw_clause_entry(random: Random) -> tuple[str, str]:
    """Draws an entry of a phrase book: a main clause, three times in four without time."""
    return _train_entry(random, lambda clause: (clause.english(), clause.german_main()), subordinate=False)


def draw_subordinate_entry(random: Random) -> tuple[str, str]:
    """Draws an entry of a phrase book: a subordinate clause with its conjunction, without the main clause."""
    conjunction = random.choice(sorted(lexicon.CONJUNCTIONS))

    def write(clause: Clause) -> tuple[str, str]:
        german = f"{lexicon.CONJUNCTIONS[conjunction]} {clause.german_subordinate()}"
        return f"{conjunction} {clause.english()}", german

    return _train_entry(random, write, subordinate=True)


def _train_entry(random: Random, write: Callable[[Clause], tuple[str, str]], subordinate: bool) -> tuple[str, str]:
    """A clause, written in both languages, that is in no held-out split."""
    while True:
        pair = write(draw_clause(random, subordinate, time_share=0.25, place_share=0.3))
        if all(split_of(text) == "train" for text in pair):
            return pair


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
