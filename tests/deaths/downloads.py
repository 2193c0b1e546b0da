"""Deaths of a download, from a server on this machine that stands for the Hub."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.deaths import restart
from tests.deaths.processes import Started, end_orphans, send
from tests.deaths.record import Death
from tests.deaths.studies import HUB_DATA, HUB_MODEL, Prepared, environment
from tunegrid.results.compare import compare

ROWS = 3000
PATIENCE = 300.0  # seconds
FAULTS = ("cut off", "shortened", "other bytes")


class Downloads:
    """The scene of deaths of downloads: a model with its tokenizer, and a data set in the layout of IMDB."""

    def __init__(self, folder: Path, prepared: Prepared, keep: Callable[[], list[int]]) -> None:
        import datasets

        from tests.support.checkpoints import LARGE, make_checkpoint
        from tests.support.hub_layouts import imdb
        from tests.support.hub_server import HubServer

        self.folder, self.prepared, self.keep = folder, prepared, keep
        self.undisturbed: dict[str, tuple[Path, float]] = {}
        self.server = HubServer().__enter__()
        model = make_checkpoint(folder / "large", "t5", LARGE)
        self.files = {file.name: file.read_bytes() for file in model.iterdir()}
        self.server.add("models", HUB_MODEL, self.files)
        datasets.disable_progress_bars()
        data = imdb(ROWS)
        self.server.add("datasets", HUB_DATA, data)
        self.files |= {name.rsplit("/")[-1]: content for name, content in data.items() if name.endswith("parquet")}

    def reference(self, command: list[str]) -> tuple[Path, float]:
        """Downloads undisturbed; returns the results and the seconds that it took."""
        what = command[1]
        if what not in self.undisturbed:
            place, start = self.prepared.copy(self.folder / "undisturbed" / what, results=False), time.monotonic()
            started = self._start(command, place, place / "log.txt")
            assert started.wait(PATIENCE) == 0, started.text()[-3000:]
            self.undisturbed[what] = place / "results/hub", time.monotonic() - start
        return self.undisturbed[what]

    def _start(self, command: list[str], place: Path, log: Path) -> Started:
        own = {"HF_ENDPOINT": self.server.address, "TUNEGRID_HUB_TRIES": "3", "TUNEGRID_HUB_WAIT": "0.01",
               "HF_HUB_CACHE": str(place / "cache"), "HF_HUB_DOWNLOAD_TIMEOUT": "2", "HF_HUB_OFFLINE": "0",
               "HF_DATASETS_OFFLINE": "0"}  # fmt: skip
        return Started(command, place, environment(log.parent, restart.ROOT, **own), log)

    def die(self, death: Death, chance: random.Random, folder: Path) -> None:
        model, data = restart.downloads()
        name = chance.choice(["model.safetensors", "model.safetensors", *sorted(self.files)])
        command = data if name.endswith("parquet") else model
        results, death.of = self.reference(command)
        death.where, at = name, chance.randrange(len(self.files[name]))
        place = self.prepared.copy(folder / "study", results=False)
        if death.kind == "killed-download":
            self._kill(death, chance, place, command, at)
        else:
            self._spoil(death, chance, place, command, at)
        self.server.faults.clear()
        started = self._start(command, place, folder / "log-restart.txt")
        if code := started.wait(PATIENCE):
            problems = [f"{command[1]} ends with {code}: {started.text()[-300:]!r}"]
        else:
            problems = compare(results, place / "results/hub")
        death.identical = not problems
        end_orphans(*self.keep())
        death.note = "; ".join([death.note, *problems[:5]])

    def _kill(self, death: Death, chance: random.Random, place: Path, command: list[str], at: int) -> None:
        """Kills (-9) a download that stalls after byte `at`; then, in half of the cases, damages a file in the cache."""
        self.server.stall(death.where, after=at, seconds=20)
        death.moment = chance.uniform(0, death.of)
        started = self._start(command, place, place.parent / "log.txt")
        started.wait(death.moment)
        send(signal.SIGKILL, started.pid)
        started.wait(PATIENCE)
        come = sum(file.stat().st_size for file in place.glob("cache/*/blobs/*"))
        death.stage = "download" if come else "start-up"
        death.note = f"{come} bytes had come; no further than byte {at} of {death.where}"
        blobs = [blob for blob in place.glob("cache/*/blobs/*") if blob.stat().st_size]
        if blobs and chance.random() < 0.5:
            blob = chance.choice(sorted(blobs))
            offset = chance.randrange(blob.stat().st_size)
            with blob.open("r+b") as file:
                byte = file.read(offset + 1)[-1]
                file.seek(offset)
                file.write(bytes([byte ^ chance.randint(1, 255)]))
            death.note += f", then a byte of {os.path.relpath(blob, place / 'cache')[-20:]} was changed"

    def _spoil(self, death: Death, chance: random.Random, place: Path, command: list[str], at: int) -> None:
        """Downloads through a network that spoils a file, the first times or always."""
        name, fault, times = death.where, chance.choice(FAULTS), chance.choice([1, 2, 10**6])
        if fault == "cut off":
            self.server.cut(name, after=at, times=times)
        elif fault == "shortened":
            self.server.truncate(name, to=at, times=times)
        else:
            mask = chance.randint(1, 255)
            change = lambda body: body[:at] + bytes(byte ^ mask for byte in body[at : at + 1]) + body[at + 1 :]  # noqa: E731
            self.server.spoil(name, change, times)
        start = time.monotonic()
        code = self._start(command, place, place.parent / "log.txt").wait(PATIENCE)
        death.moment = death.of = time.monotonic() - start
        death.stage = f"{fault}, {'always' if times > 2 else 'at first'}"
        death.note = f"{fault} at byte {at}, {'always' if times > 2 else f'{times} times'}: exit code {code}"
