"""Where threads take their memory from."""

import subprocess
import sys

import pytest

THREAD = """
import ctypes, sys, threading
from tunegrid.runtime.cpu_memory import share_one_arena
if sys.argv[1] == "shared":
    share_one_arena()
libc, addresses = ctypes.CDLL("libc.so.6"), []
libc.malloc.restype = ctypes.c_void_p
thread = threading.Thread(target=lambda: addresses.append(libc.malloc(ctypes.c_size_t(100_000))))
thread.start()
thread.join()
(heap,) = [line.split()[0] for line in open("/proc/self/maps") if line.rstrip().endswith("[heap]")]
start, end = (int(address, 16) for address in heap.split("-"))
print(start <= addresses[0] < end)
"""


@pytest.mark.parametrize(("arenas", "in_the_heap"), [("own", False), ("shared", True)])
def test_threads_take_memory_from_the_heap_of_the_process(arenas, in_the_heap):
    done = subprocess.run([sys.executable, "-c", THREAD, arenas], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(in_the_heap)]
