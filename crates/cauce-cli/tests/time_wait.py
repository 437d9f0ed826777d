"""The steps of the document about TIME-WAIT on a stack of ours: `time_wait.py CAUCE DIRECTORY`.

Command lines that begin with the document's `#` are run as they stand there, by a shell that finds `netstat` and
`sysctl` to be those of `cauce`; its files of settings lie below DIRECTORY instead of /etc.
"""

import os
import re
import socket
import subprocess
import sys
import time

CAUCE, HOME = sys.argv[1:]
STACK, HTTP, ECHO, CHARGEN = "10.9.0.2", 80, 7, 19
# As long as the test may take: whatever is still there after a moment is there for good.
PATIENCE, CHURN = 60, 60

COUNT = "netstat -nat | awk '{print $6}' | sort | uniq -c"
RECIPE = """
\t # Disminuir tiempo TIME_WAIT segundos 
\t net.ipv4.tcp_fin_timeout = 30

\t # Activar Reciclar y reusar TIME_WAIT
\t net.ipv4.tcp_tw_recycle = 1
\t net.ipv4.tcp_tw_reuse = 1
\t # Disminuir el KeepAlive
\t net.ipv4.tcp_keepalive_time = 120
\t net.ipv4.tcp_keepalive_intvl = 30
\t net.ipv4.tcp_keepalive_probes = 3
"""
VALUES = {
    "net.ipv4.tcp_fin_timeout": "30",
    "net.ipv4.tcp_tw_recycle": "1",
    "net.ipv4.tcp_tw_reuse": "1",
    "net.ipv4.tcp_keepalive_time": "120",
    "net.ipv4.tcp_keepalive_intvl": "30",
    "net.ipv4.tcp_keepalive_probes": "3",
}


def shell(line, status=0):
    """Runs a line of the document; what it prints, and what it complains of."""
    environment = {**os.environ, "PATH": f"{HOME}/bin:{os.environ['PATH']}", "LC_ALL": "C"}
    done = subprocess.run(line, shell=True, capture_output=True, text=True, env=environment, timeout=PATIENCE)
    assert done.returncode == status, f"{line}: {done}"
    return done.stdout, done.stderr


def eventually(what, condition):
    """Waits until it is so, without a word about how soon that is."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE} s\n{shell('netstat -nat')[0]}"
        time.sleep(0.05)


def counted():
    """What the document's pipeline counts."""
    return {name: int(number) for number, name in (line.split() for line in shell(COUNT)[0].splitlines())}


def time_waits():
    """The peers' ports of all TIME-WAITs of the stack."""
    lines = [line.split() for line in shell("netstat -nat")[0].splitlines()]
    return {int(words[4].rsplit(":", 1)[1]) for words in lines if words[5:6] == ["TIME_WAIT"]}


def close_first(ports):
    """Connections that the stack closes first, one after another, from ports that nobody had before."""
    for port in ports:
        with socket.create_connection((STACK, HTTP), source_address=("10.9.0.1", port)) as stream:
            stream.sendall(f"HEAD / HTTP/1.1\r\nHost: {STACK}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while part := stream.recv(4096):
                answer += part
            assert answer.startswith(b"HTTP/1.1 "), answer
    return set(ports)


def start():
    os.makedirs(f"{HOME}/bin")
    for tool in ("netstat", "sysctl"):
        with open(f"{HOME}/bin/{tool}", "w") as script:
            os.fchmod(script.fileno(), 0o755)
            script.write(f'#!/bin/sh\nexec "{CAUCE}" {tool} "$@"\n')
    os.environ["CAUCE_CONTROL"] = f"{HOME}/stack.sock"
    os.environ["XDG_RUNTIME_DIR"] = HOME
    # The document's host has 38 listeners: a web server, a generator of characters, and echoes.
    echoes = [word for port in range(ECHO, ECHO + 37 * 100, 100)[:36] for word in ("--echo", str(port))]
    network = ["--tun", "t0", "--host", "10.9.0.1/24", "--addr", STACK, "--control", f"{HOME}/stack.sock"]
    # A TIME-WAIT that only waits outlives the test, so that one which is gone has been cut short.
    settings = ["--sysctl", "tcp_timewait_len=600"]
    services = ["--serve", HOME, "--http-port", str(HTTP), "--chargen", str(CHARGEN), *echoes]
    stack = subprocess.Popen([CAUCE, "up", *network, *settings, *services], stdout=subprocess.PIPE, text=True)
    assert stack.stdout.readline().startswith("ready:"), "the stack does not start"
    return stack


def workflow():
    # The state of the document's host: 18 connections that rest, 6 whose peers have closed, 10 that the stack has.
    resting = [socket.create_connection((STACK, ECHO)) for _ in range(18)]
    half_closed = [socket.create_connection((STACK, CHARGEN)) for _ in range(6)]
    for stream in half_closed:
        stream.shutdown(socket.SHUT_WR)
    first = close_first(range(20000, 20010))

    # 1. Verificar las conexiones TIME_WAIT
    table = {"CLOSE_WAIT": 6, "established)": 1, "ESTABLISHED": 18, "Foreign": 1, "LISTEN": 38, "TIME_WAIT": 10}
    eventually("the document's table", lambda: counted() == table)
    lines = sorted(line.strip() for line in shell(COUNT)[0].splitlines())
    assert lines == sorted(f"{number} {name}" for name, number in table.items()), lines
    assert time_waits() == first

    # Connections come and go: each stays.
    before = close_first(range(21000, 21000 + CHURN))
    eventually("one TIME-WAIT a connection", lambda: counted()["TIME_WAIT"] == 10 + CHURN)
    assert time_waits() == first | before

    # 2. Editar; 3. aplicar. The document's slip of the pen is answered with the right name.
    with open(f"{HOME}/sysctl.conf", "w") as file:
        file.write(RECIPE)
    _, complaint = shell(f"sysctl -p {HOME}/systcl.conf", status=1)
    assert f'did you mean "{HOME}/sysctl.conf"?' in complaint, complaint
    told, complaint = shell(f"sysctl -p {HOME}/sysctl.conf")
    assert (told, complaint) == ("".join(f"{name} = {value}\n" for name, value in VALUES.items()), "")

    # 4. Verificar los cambios
    for name, value in VALUES.items():
        path = name.replace(".", "/")
        assert shell(f"sysctl -n {path}") == (f"{value}\n", ""), name

    # The same churn again: its TIME-WAITs last 3.5 times the RTO of 200 ms, the older ones as long as they did.
    after = close_first(range(22000, 22000 + CHURN))
    eventually("none of the new TIME-WAITs", lambda: not time_waits() & after)
    assert time_waits() == first | before
    assert counted() == {**table, "TIME_WAIT": 10 + CHURN}

    for stream in resting:
        stream.sendall(b"still there")
        assert stream.recv(64) == b"still there"
    for stream in resting + half_closed:
        stream.close()


stack = start()
try:
    workflow()
finally:
    stack.terminate()
    assert stack.wait(PATIENCE) == 0
assert not os.path.exists(f"{HOME}/stack.sock"), "the socket goes with the stack"
print("the workflow is done")
