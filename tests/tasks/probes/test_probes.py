"""Sets of bias probes: those that come with the project, those that are refused, and what is scored of a model's answers."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.support.rows_of_tasks import make_task
from tunegrid.common.errors import TuneGridError
from tunegrid.tasks.probes.settings import ProbeSettings, read_probes, shipped_sets

LABELS = {
    "kind": "labels",
    "title": "Names",
    "label": "positive",
    "sides": ["women", "men"],
    "pairs": [["Anna", "Ben"], ["Clara", "David"]],
    "templates": ["{word} is {mood}.", "I saw {word}."],
    "fill": {"mood": ["glad", "sad"]},
    "shows": "Something.",
    "blind": "The rest.",
}
ANSWERS = {key: value for key, value in LABELS.items() if key not in ("label", "fill", "templates", "kind")} | {
    "kind": "answers",
    "templates": [
        {"condition": "ambiguous", "context": "{word} met {other}.", "question": "Who lost it?"},
        {"condition": "ambiguous", "context": "{other} met {word}.", "question": "Who lost it?"},
    ],
}
FORMS = {key: value for key, value in LABELS.items() if key not in ("label", "fill", "templates", "kind", "pairs")} | {
    "kind": "word-forms",
    "pairs": [["queen", "king"]],
    "forms": {"queen": [["Königin"], ["König"]]},
    "templates": ["The {word} sees it.", "It sees the {word}."],
}


def written(values: dict) -> Path:
    Path("own.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return Path("own.yaml")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", shipped_sets())
def test_the_texts_of_a_pair_differ_in_the_words_alone(name):
    probes = ProbeSettings(task="any", set=name).read()
    fitting = [kind for kind in ("sentiment", "qa", "translation") if probes.problem(make_task(kind)) is None]
    assert len(fitting) == 1  # a set is for one kind of task
    task = make_task(fitting[0])
    pairs = list(probes.rows(task))
    assert len({repr(pair.rows) for pair in pairs}) == len(pairs)
    for pair in pairs:
        first, second = (" ".join(row.values()).casefold() for row in pair.rows)
        words = [word.casefold() for word in pair.words]
        either = "|".join(rf"\b{re.escape(word)}\b" for word in words)
        exchanged = re.sub(either, lambda found, words=words: words[found[0] == words[0]], first)
        assert first != second == exchanged
    for condition in probes.conditions:
        assert len({pair.template for pair in pairs if pair.condition == condition}) >= 4


# (what is changed, the key that the message names, what else it says)
BROKEN = {
    "an unknown kind": (LABELS | {"kind": "label"}, "kind", "Did you mean labels?"),
    "no kind": ({key: value for key, value in LABELS.items() if key != "kind"}, "kind", "required"),
    "an unknown key": (LABELS | {"pair": []}, "pair", "Did you mean pairs?"),
    "an unknown slot": (LABELS | {"templates": ["{wrod} is {mood}.", "{word}"]}, "labels", "Did you mean word?"),
    "a text without the word": (LABELS | {"templates": ["It is {mood}.", "{word}"]}, "labels", "does not use {word}"),
    "no template": (LABELS | {"templates": ["{word} is {mood", "{word}"]}, "labels", "not a valid template"),
    "an attribute": (LABELS | {"templates": ["{word.x} {mood}", "{word}"]}, "labels", "unknown slot: 'word.x'"),
    "a conversion": (LABELS | {"templates": ["{word!r} {mood}", "{word}"]}, "labels", "write {word} alone"),
    "words that nothing uses": (LABELS | {"templates": ["{word}", "a {word}"]}, "labels", "no template uses {mood}"),
    "a taken slot": (LABELS | {"fill": {"word": ["x"]}}, "fill", "'word' is no name for a slot"),
    "one template": (LABELS | {"templates": ["{word} {mood}"]}, "templates", "at least 2"),
    "one of a condition": (ANSWERS | {"templates": ANSWERS["templates"] + [ANSWERS["templates"][0] | {"condition": "disambiguated"}]},
                           "answers", "two are needed"),
    "the same word twice": (LABELS | {"pairs": [["Anna", "Anna"]]}, "pairs", "both sides"),
    "three words": (LABELS | {"pairs": [["Anna", "Ben", "Clara"]]}, "pairs", "at most 2"),
    "too many texts": (LABELS | {"pairs": [[f"a{n}", f"b{n}"] for n in range(1000)], "fill": {"mood": [f"m{n}" for n in range(100)]}},
                       "labels", "101,000 pairs of texts"),
    "a word without forms": (FORMS | {"pairs": [["quene", "king"]]}, "word-forms", "Did you mean queen?"),
    "a form of both sides": (FORMS | {"forms": {"queen": [["König"], ["könig"]]}}, "word-forms", "both sides"),
    "a slot that is not there": (FORMS | {"about": "job"}, "word-forms", "no slot"),
}  # fmt: skip


@pytest.mark.parametrize(("values", "key", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_set_is_refused_with_its_file_and_a_way_out(values, key, says):
    with pytest.raises(TuneGridError) as caught:
        read_probes(written(values))
    assert str(caught.value).startswith("own.yaml, line ")
    assert says in str(caught.value)


class Known:
    """A model whose answers are known: by the first name in a text."""

    def __init__(self, shares: dict[str, float], texts: dict[str, str] | None = None) -> None:
        self.shares, self.texts = shares, texts or {}

    def choose(self, rows, words):
        values = [next(share for name, share in self.shares.items() if name in " ".join(row.values())) for row in rows]
        return np.stack([np.array(values), 1 - np.array(values)], axis=1)

    def write(self, rows):
        return [self.texts[row["source"]] for row in rows]


def test_labels_are_scored_by_the_probability_of_the_label():
    probes, task = read_probes(written(LABELS)), make_task("sentiment")
    pairs = list(probes.rows(task))
    assert [pair.rows[0]["text"] for pair in pairs][:3] == ["Anna is glad.", "Clara is glad.", "Anna is sad."]
    assert len(pairs) == 6  # two moods of two pairs, and a template without a mood
    # The first of the task's labels is "negative".
    scored = probes.score(task, Known({"Anna": 0.9, "Ben": 0.4, "Clara": 0.2, "David": 0.2}), pairs)
    assert scored.scores[0] == pytest.approx([0.1, 0.6])
    assert scored.scores[1] == pytest.approx([0.8, 0.8])


def test_answers_are_chosen_between_the_two_words_whatever_their_order():
    probes, task = read_probes(written(ANSWERS)), make_task("qa")
    pairs = list(probes.rows(task))
    first = pairs[0]
    assert [row["context"] for row in first.rows] == ["Anna met Ben.", "Ben met Anna."]
    assert first.expected == (("Anna", "Ben"), ("Ben", "Anna"))

    class First:
        """Finds the person who is named first, and Anna in any case."""

        def choose(self, rows, words):
            found = ["Anna" if "Anna" in row["context"] else row["context"].split()[0] for row in rows]
            return np.array([[float(word == name) for word in words] for name in found])

    scores = probes.score(task, First(), pairs).scores
    by_words = {pair.words: [] for pair in pairs}
    for pair, both in zip(pairs, scores, strict=True):
        by_words[pair.words].append(both[0] - both[1])
    assert np.mean(by_words["Anna", "Ben"]) == 1  # always Anna
    assert np.mean(by_words["Clara", "David"]) == 0  # whoever comes first


def test_word_forms_are_read_off_whole_words():
    probes, task = read_probes(written(FORMS)), make_task("translation")
    pairs = list(probes.rows(task))
    texts = {
        "The queen sees it.": "Die Königin sieht es.",
        "The king sees it.": "Die Königin sieht es.",  # König is in it, and not as a word
        "It sees the queen.": "Es sieht die Königin und den König.",  # both: shows none
        "It sees the king.": "es sieht den KÖNIG",
    }
    scored = probes.score(task, Known({}, texts), pairs)
    assert scored.scores.tolist() == [[1, 0], [0, 1]]
    assert scored.answers[0] == ("Die Königin sieht es.", "Die Königin sieht es.")


def test_forms_of_another_slot_are_those_of_its_word():
    values = FORMS | {
        "pairs": [["she", "he"]],
        "about": "job",
        "fill": {"job": ["doctor", "teacher"]},
        "forms": {"doctor": [["Ärztin"], ["Arzt"]], "teacher": [["Lehrerin"], ["Lehrer"]]},
        "templates": ["The {job} says that {word} comes.", "{word} is a {job}."],
    }
    pairs = list(read_probes(written(values)).rows(make_task("translation")))
    assert [pair.expected for pair in pairs[:2]] == [(("Ärztin",), ("Arzt",)), (("Lehrerin",), ("Lehrer",))]
    assert pairs[2].rows[0]["source"] == "She is a doctor."  # a text begins with a capital letter
