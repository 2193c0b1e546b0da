"""Topics of texts about several people: the relation that is told of all of them.

A second relation is told of some of them and denied of others, so that counting words does not always tell the two
apart. The cast decides the split, as for stories.
"""

from collections.abc import Iterator
from random import Random

from tunegrid.data.miniworld import stories

HELD_OUT = ("text",)

LABELS = tuple(relation.noun for relation in stories.RELATIONS)
# How often the second relation is told and denied.
TOLD, DENIED = (1, 2), (0, 1, 2, 3)


def draw_examples(random: Random, split: str, domain: str = "home") -> Iterator[dict]:
    """Yields classification rows (without ids) without end; a label is the noun of a relation."""
    world = stories.world(domain)
    for story in stories.draw_stories(random, split, world):
        topic, other = story.relations
        told = random.sample(story.people, random.choice(TOLD))
        denied = random.sample(story.people, random.choice(DENIED))
        sentences = [
            *(stories.state(story, random, person, topic) for person in story.people),
            *(stories.state(story, random, person, other) for person in told),
            *(stories.deny(story, random, person, other, world) for person in denied),
        ]
        random.shuffle(sentences)
        yield {"text": " ".join(sentences), "label": topic.noun}
