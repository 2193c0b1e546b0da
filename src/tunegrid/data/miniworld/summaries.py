"""Stories and their summaries: what is told of all people, in other words; details and denials are left out.

The cast decides the split, as for stories.
"""

from collections.abc import Iterator
from random import Random

from tunegrid.data.miniworld import stories

HELD_OUT = ("document", "summary")


def draw_examples(random: Random, split: str, domain: str = "home") -> Iterator[dict]:
    """Yields summarisation rows (without ids) without end; a summary has a sentence for each person, in their order."""
    world = stories.world(domain)
    for story in stories.draw_stories(random, split, world):
        theme, other = story.relations
        facts = {stories.state(story, random, person, theme): person for person in story.people}
        sentences = [*facts, stories.state(story, random, random.choice(story.people), other)]
        sentences += [
            stories.deny(story, random, person, theme, world)
            for person in story.people
            if random.random() < stories.DENIED_SHARE
        ]
        random.shuffle(sentences)
        people = [facts[sentence] for sentence in sentences if sentence in facts]
        summary = (stories.fill(theme.restatements[0], person, story.facts[person, theme.name]) for person in people)
        yield {"document": " ".join(sentences), "summary": " ".join(summary)}
