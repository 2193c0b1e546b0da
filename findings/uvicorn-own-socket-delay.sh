#!/usr/bin/env bash
# uvicorn 0.54.0: a server that is given a socket of its own answers 40 ms later to clients that keep their connection.
#
# Expected: `Server.run(sockets=[listener])` serves as fast as `run(host, port)`. Seen: after the first requests of a connection
# each answer takes about 40 ms longer, on Linux. A socket made by `socket.socket(family, SOCK_STREAM)` has the protocol 0;
# asyncio switches off the holding back of small packets (TCP_NODELAY) only where the protocol is IPPROTO_TCP, so the second
# packet of an answer waits for the client's delayed acknowledgement. uvicorn makes such a socket itself with several
# workers. In the measurements of a model server it looks like the time of the model.
# For a user: make the socket with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check uvicorn==0.54.0
environment/bin/pip list 2>/dev/null | grep -E '^(uvicorn|h11) '

environment/bin/python - <<'PY'
import socket
import sys
import threading
import time
from http.client import HTTPConnection
from statistics import median

import uvicorn


async def answer(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def seconds(protocol: int) -> float:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(answer, log_level="error", lifespan="off", loop="asyncio", http="h11"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    client = HTTPConnection("127.0.0.1", listener.getsockname()[1])
    taken = []
    for _ in range(40):
        began = time.perf_counter()
        client.request("GET", "/")
        client.getresponse().read()
        taken.append(time.perf_counter() - began)
    client.close()
    server.should_exit = True
    thread.join()
    return median(taken)


without, with_protocol = seconds(0), seconds(socket.IPPROTO_TCP)
print(f"median of an answer: {1000 * without:.1f} ms with protocol 0, {1000 * with_protocol:.1f} ms with IPPROTO_TCP")
if without < 0.03 or with_protocol > 0.01:
    sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
