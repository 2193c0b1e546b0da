"""GPUs of the machine, and the lease of one of them for as long as a process lives.

Snakemake can limit how many jobs want a GPU at once, but it hands none of them a device: each would take the first. So
a job that computes on a GPU locks one before anything of CUDA is loaded, and is shown no other (CUDA_VISIBLE_DEVICES).
The locks are files in one folder of the machine, so that two studies, and two users, share its GPUs; the system frees
a lock when the process that holds it ends, however it ends.
"""

from __future__ import annotations

import atexit
import os
import random
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.shared_lock import SharedLock

if TYPE_CHECKING:
    from tunegrid.runtime.hardware import Hardware

VISIBLE = "CUDA_VISIBLE_DEVICES"
PRETEND = "TUNEGRID_PRETEND_GPUS"  # for tests: a number of GPUs to pretend; their jobs compute on the CPU
LOCKS = "TUNEGRID_GPU_LOCKS"  # another folder for the locks
LOG = "TUNEGRID_GPU_LOG"  # a file that gets a line for each lease and each release
HELD = "TUNEGRID_GPU_LEASE"  # set by the process that holds a lease, for those that it starts: its id, the device
POLL = 0.5  # seconds between two looks for a free GPU
# Files that exist where a GPU may be that NVIDIA's library does not list: only then torch is asked, for seconds.
OTHERS = ("/dev/nvidia0", "/dev/nvhost-ctrl-gpu", "/dev/dxg", "/dev/kfd")


@dataclass(frozen=True)
class Card:
    """A GPU of the machine, by UUID or index, and its MIG instances: where it has some, jobs can only have those."""

    name: str
    instances: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        return self.instances or (self.name,)


@dataclass
class Lease:
    """The GPU that this process may use.

    Attributes:
        device: its name, as CUDA_VISIBLE_DEVICES has it.
        lock: None where another process, which started this one, holds it.
    """

    device: str
    lock: SharedLock | None


_lease: Lease | None = None


# -- the devices of the machine ---------------------------------------------------------------------------------------


def visible() -> list[str]:
    """The devices that this process may use, by name; only those in CUDA_VISIBLE_DEVICES where that is set.

    Entries of the variable are indices, counted as `nvidia-smi` counts, or (beginnings of) UUIDs of GPUs and of MIG
    instances; as CUDA does, this stops at the first that names nothing.
    """
    cards, given = _cards(), os.environ.get(VISIBLE)
    if given is None:
        return [device for card in cards or () for device in card.devices]
    devices: list[str] = []
    for entry in given.split(","):
        device = _find(entry.strip(), cards)
        if device is None:
            break
        if device not in devices:
            devices.append(device)
    return devices


def _find(entry: str, cards: list[Card] | None) -> str | None:
    """The device that an entry of CUDA_VISIBLE_DEVICES names; the entry itself where the devices cannot be listed."""
    if not entry or entry.startswith("-"):
        return None
    if cards is None:
        return entry
    if entry.isdigit():  # of a GPU in instances, CUDA gives the first
        return cards[int(entry)].devices[0] if int(entry) < len(cards) else None
    for card in cards:
        if instance := next((name for name in card.instances if name.startswith(entry)), None):
            return instance
        if card.name.startswith(entry) or entry.startswith(f"MIG-{card.name}/"):  # the latter: of older drivers
            return entry if entry.startswith("MIG-") else card.devices[0]
    return None


def _cards() -> list[Card] | None:
    """The GPUs of this machine; None: they cannot be listed, and CUDA_VISIBLE_DEVICES has to be taken at its word."""
    if pretended := _pretended():
        return [Card(f"GPU-pretend-{number}") for number in range(pretended)]
    if (cards := _nvidia_cards()) is not None:
        return cards
    if VISIBLE in os.environ:
        return None
    if not any(map(os.path.exists, OTHERS)):
        return []
    code = "import torch; print(torch.cuda.device_count())"
    counted = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return [Card(str(number)) for number in range(int(counted.stdout.strip() or 0))]


def _nvidia_cards() -> list[Card] | None:
    """The GPUs that NVIDIA's driver lists, in the order of `nvidia-smi`; None without a driver."""
    import pynvml as nvml

    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    cards = []
    for number in range(nvml.nvmlDeviceGetCount()):
        with suppress(nvml.NVMLError):  # a GPU that is another job's, or lost
            gpu = nvml.nvmlDeviceGetHandleByIndex(number)
            cards.append(Card(nvml.nvmlDeviceGetUUID(gpu), tuple(_mig_instances(gpu))))
    nvml.nvmlShutdown()
    return cards


def _mig_instances(gpu: Any) -> Iterator[str]:
    import pynvml as nvml

    with suppress(nvml.NVMLError):  # a driver without MIG
        for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
            with suppress(nvml.NVMLError):  # no instance has this number
                yield nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, number))


def _pretended() -> int:
    value = os.environ.get(PRETEND, "")
    if value and not value.isdigit():
        raise TuneGridError(f"{PRETEND}={value}: give a number of GPUs to pretend, or leave it out.")
    return int(value or 0)


def pretended_device() -> str | None:
    """The name of the GPU that this process only pretends to have; None: it holds none, or a real one."""
    return _lease.device if _lease and _pretended() else None


def jobs_at_once(hardware: Hardware, cores: int | None = None, gpus: int | None = None) -> int:
    """Number of jobs that compute at once on this machine: one per `threads` cores, and no more than GPUs.

    Args:
        cores: default: all that this process may use.
        gpus: default: all that are visible, where the study computes on GPUs.
    """
    cores = cores or len(os.sched_getaffinity(0))
    count = max(1, cores // hardware.threads)
    if hardware.device == "cuda":
        count = min(count, max(1, len(visible()) if gpus is None else gpus))
    return count


# -- a lease ----------------------------------------------------------------------------------------------------------


def lease() -> str:
    """Locks a free GPU until this process ends, and makes it the only one that the process sees; waits for one.

    Has to be called before anything initialises CUDA. Returns the device's name.

    Raises:
        TuneGridError: there is no GPU that this process may use.
    """
    global _lease
    if _lease is None:
        _lease = _inherited() or _locked(require())
        os.environ[VISIBLE] = _lease.device
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # an index means what nvidia-smi's means
    return _lease.device


def require() -> list[str]:
    """The devices that this process may use. Raises TuneGridError if there is none."""
    devices = visible()
    if not devices:
        given = os.environ.get(VISIBLE)
        why = "" if given is None else f" ({VISIBLE} is {given!r})"
        raise TuneGridError(
            f"hardware.device is cuda, but no GPU can be used here{why}. Set it to cpu, or run where one is."
        )
    return devices


def release() -> None:
    """Gives the lease back before the process ends."""
    global _lease
    if _lease is not None and _lease.lock is not None:
        _log("release", _lease)
        _lease.lock.release()
        os.environ.pop(HELD, None)
    _lease = None


def _inherited() -> Lease | None:
    """The lease of a process that started this one: it waits for this one, and the device is for both."""
    holder, _, device = os.environ.get(HELD, "").partition(" ")
    if not device:
        return None
    import psutil

    if int(holder) not in {parent.pid for parent in psutil.Process().parents()}:
        return None  # left in the environment by a process that has ended
    return Lease(device, None)


def _locked(devices: list[str]) -> Lease:
    folder, is_announced = lock_folder(), False
    while True:
        for device in devices:
            file = folder / f"{_key(device)}.lock"
            lock = SharedLock(file)
            try:
                if not lock.acquire():
                    continue
            except OSError as error:
                if folder == _own_folder():
                    raise TuneGridError(f"{file}: cannot be locked ({error}). {LOCKS} names another folder.") from error
                print(f"{file}: cannot be locked ({error}); {_own_folder()} is used: other users are not seen there")
                folder = _own_folder()
                break
            lease = Lease(device, lock)
            os.environ[HELD] = f"{os.getpid()} {device}"
            atexit.register(release)
            _log("lease", lease)
            return lease
        else:
            if not is_announced:
                holders = "; ".join(f"{device}: {_holder(folder / f'{_key(device)}.lock')}" for device in devices)
                print(f"waiting for a GPU: all {len(devices)} are in use ({holders})", flush=True)
                is_announced = True
            time.sleep(POLL * random.uniform(0.8, 1.2))


def _key(device: str) -> str:
    """The name of a device's lock.

    Slurm hands out devices itself, perhaps one to several jobs on purpose: there only what runs in one and the same
    job has to share. An index means another device in each of its steps, where cgroups renumber them.
    """
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", device if not device.isdigit() else f"gpu-{device}")
    if (job := os.environ.get("SLURM_JOB_ID")) and VISIBLE in os.environ:
        step = "" if device.startswith(("GPU-", "MIG-")) else f".{os.environ.get('SLURM_STEP_ID', '')}"
        return f"slurm-{job}{step}-{name}"
    return name


def lock_folder() -> Path:
    """The folder of the locks: one for all users of the machine, or this user's own where that cannot be had."""
    if given := os.environ.get(LOCKS):
        Path(given).mkdir(parents=True, exist_ok=True)
        return Path(given)
    # Not TMPDIR, which differs from user to user and from job to job.
    shared = _temporary() / "tunegrid-gpus"
    with suppress(OSError):
        shared.mkdir()
    return shared if _is_sound(shared) and os.access(shared, os.W_OK | os.X_OK) else _own_folder()


def _is_sound(folder: Path) -> bool:
    """Whether a folder is open to all but sticky, so that nobody can take away or exchange another user's lock file."""
    with suppress(OSError):
        state = folder.lstat()
        if not stat.S_ISDIR(state.st_mode):
            return False
        if state.st_uid == os.getuid():
            folder.chmod(0o1777)
            return True
        return bool(state.st_mode & stat.S_ISVTX)
    return False


def _own_folder() -> Path:
    folder = _temporary() / f"tunegrid-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise TuneGridError(f"{folder}: is another user's. {LOCKS} names another folder for the locks on GPUs.")
    return folder


def _temporary() -> Path:
    return Path("/tmp") if os.access("/tmp", os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _holder(file: Path) -> str:
    with suppress(OSError):
        for _ in range(10):  # its holder may just be writing it
            if text := file.read_text(errors="replace").strip():
                return text
            time.sleep(0.02)
    return "unknown"


def _log(event: str, lease: Lease) -> None:
    if file := os.environ.get(LOG):
        with open(file, "a") as stream:  # one write when it is closed: lines of several processes do not mix
            stream.write(f"{time.time():.6f} {event} {lease.device} process {os.getpid()}\n")
