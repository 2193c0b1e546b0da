"""The commands that run in a supervised process, for its death is a result; and how messages call what they make."""

TITLES = {
    "train": "{task}_{model}_{method}, seed {seed}",
    "train-mixture": "mixture_{model}_{method}, seed {seed}",
    "sample-pairs": "{task}, {model}, pairs {pairs}",
    "train-reward": "{task}, {model}, reward model {reward}",
    "search-trial": "{task}_{model}_{method}, search x {factor}",
    "baseline": "{task}, baseline {name}",
}
