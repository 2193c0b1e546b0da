"""Questions to write: a story and a value in it, to the question whose answer the value is.

The cast decides the split, as for stories.
"""

from collections.abc import Iterator
from random import Random

from tunegrid.data.miniworld import stories

HELD_OUT = ("source",)


def draw_examples(random: Random, split: str, domain: str = "home") -> Iterator[dict]:
    """Yields generation rows (without ids) without end, two of each story; every plain question is a reference."""
    world = stories.world(domain)
    for story in stories.draw_stories(random, split, world):
        context = stories.tell(story, random, world=world)
        for relation in story.relations:
            person = random.choice(story.people)
            answer = story.facts[person, relation.name]
            targets = [stories.fill(question, person) for question in relation.questions]
            yield {"source": f"{context} The answer is {answer}.", "target": targets}
