"""An Ethernet switch in user space that delays: the wide-area network of the lab, for kernels without netem.

  delay-switch.py PORT... -- CONTROL_FILE

Joins the interfaces named PORT of this network namespace. CONTROL_FILE holds one-way delays, words of the form A-B=MILLISECONDS; pairs that
are not named are not delayed. It is read again when it changes. Frames of one pair stay in order while its delay stays the same.
"""

import heapq
import os
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
SO_RCVBUFFORCE = 33
SO_SNDBUFFORCE = 32
BUFFER_BYTES = 64 << 20
FRAME_BYTES_MAX = 70_000
FRAMES_A_TURN = 64
CONTROL_SECONDS = 0.1


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.bind((name, 0))
    port.setblocking(False)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    port.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES)
    return port


def read_delays(path):
    delays = {}
    with open(path, encoding="ascii") as file:
        for word in file.read().split():
            pair, milliseconds = word.split("=", 1)
            one, other = pair.split("-", 1)
            delays[one, other] = delays[other, one] = float(milliseconds) / 1e3
    return delays


def main():
    split = sys.argv.index("--")
    names, control = sys.argv[1:split], sys.argv[split + 1]
    ports = {name: open_port(name) for name in names}
    by_descriptor = {port.fileno(): name for name, port in ports.items()}
    poll = select.poll()
    for port in ports.values():
        poll.register(port, select.POLLIN)
    delays, changed_at, looked_at = read_delays(control), os.stat(control).st_mtime_ns, 0.0
    home_of = {}  # which port an Ethernet address was last heard on
    waiting, number = [], 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, name, frame = heapq.heappop(waiting)
            try:
                ports[name].send(frame)
            except OSError:
                pass  # a full port drops, as a real one does
        if now - looked_at > CONTROL_SECONDS:
            looked_at = now
            modified_at = os.stat(control).st_mtime_ns
            if modified_at != changed_at:
                delays, changed_at = read_delays(control), modified_at
        limit = CONTROL_SECONDS * 1e3
        if waiting:
            limit = min(limit, max(0.0, (waiting[0][0] - now) * 1e3))
        for descriptor, _ in poll.poll(limit):
            source = by_descriptor[descriptor]
            for _ in range(FRAMES_A_TURN):
                try:
                    frame = ports[source].recv(FRAME_BYTES_MAX)
                except OSError:
                    break
                arrived_at = time.monotonic()
                home_of[frame[6:12]] = source
                home = home_of.get(frame[:6])
                is_group = frame[0] & 1
                for target in names if is_group or home is None else (home,):
                    if target == source:
                        continue
                    number += 1
                    due_at = arrived_at + delays.get((source, target), 0.0)
                    heapq.heappush(waiting, (due_at, number, target, frame))


main()
