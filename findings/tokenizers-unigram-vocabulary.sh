#!/usr/bin/env bash
# tokenizers 0.22.2: a Unigram vocabulary that is trained on the same texts numbers its pieces otherwise in each process.
#
# Expected: training of a tokenizer has no seed, so it is a function of its texts, as BPE's is. Seen: UnigramTrainer finds the
# same pieces, but their scores differ in their last digits, and pieces are numbered by their scores: the same sentence has
# other ids from process to process. A model that is pretrained on them with the same seed gets other weights, and reads other
# words with the vocabulary of another process. RAYON_NUM_THREADS=1 and TOKENIZERS_PARALLELISM=false change nothing.
# For a user: train a vocabulary once, and keep the file; what has to be made again from texts alone is BPE.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check tokenizers==0.22.2
environment/bin/pip list 2>/dev/null | grep -iE '^tokenizers '

cat > train.py <<'PY'
import hashlib
import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

texts = [
    "the lamp stands on the table beside the window of the kitchen",
    "a letter lies under the lamp, and nobody has opened it yet",
    "who wrote the letter, and why does it lie under the lamp?",
    "the window of the kitchen was open, and the table was wet",
] * 25
kinds = {
    "unigram": (models.Unigram(), trainers.UnigramTrainer(vocab_size=60, show_progress=False)),
    "bpe": (models.BPE(), trainers.BpeTrainer(vocab_size=90, show_progress=False)),
}
line = {}
for name, (model, trainer) in kinds.items():
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(texts, trainer)
    pieces = sorted(tokenizer.get_vocab())
    ids = [tokenizer.encode(text).ids for text in texts[:4]]
    for what, value in (("pieces", pieces), ("ids", ids)):
        line[f"{name} {what}"] = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]
print(json.dumps(line))
PY
for _ in 1 2 3 4 5 6 7 8; do
    RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false environment/bin/python train.py >> lines.txt
done
environment/bin/python - <<'PY'
import json
import sys

lines = [json.loads(line) for line in open("lines.txt")]
counts = {name: len({line[name] for line in lines}) for name in lines[0]}
print(f"different results of {len(lines)} processes: {counts}")
if counts.pop("unigram ids") == 1 or set(counts.values()) != {1}:
    sys.exit("CHANGED: Unigram has the same ids in each process, or something else differs")
PY
echo "As described above."
