#!/usr/bin/env python3
"""Sessions of real programs with `cauce up` and `cauce nc`, in a private network namespace.

Run as `unshare -n python3 session.py --cauce PATH` (or `unshare -r -n` without root). Everything that is
started here is ended here, by its process id. The exit status is 0 only if every check held.
"""

import argparse
import contextlib
import hashlib
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HTTP, ECHO, DISCARD, CHARGEN = 80, 7, 9, 19
FAULTS = "_ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0 || _ws.expert.severity==error"


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def run(*command, timeout=60, **options):
    done = subprocess.run(command, capture_output=True, timeout=timeout, **options)
    check(done.returncode == 0, f"{' '.join(command)}: status {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout


def digest(path):
    sum = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            sum.update(part)
    return sum.hexdigest()


class Mode:
    """One way to reach the stack: its devices and addresses."""

    def __init__(self, name, flags, host, addr, veth=False):
        self.name, self.flags, self.host, self.addr, self.veth = name, flags, host, addr, veth

    def open(self):
        if self.veth:
            run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
            for name in ("veth0", "veth1"):
                run("ip", "link", "set", name, "up")
            run("ip", "addr", "add", f"{self.host[0]}/24", "dev", "veth0")
            run("ip", "addr", "add", f"{self.host[1]}/64", "dev", "veth0", "nodad")

    def close(self):
        if self.veth:
            subprocess.run(["ip", "link", "del", "veth0"], check=False)

    def network(self, flags=()):
        """What `cauce` is told of the network."""
        if self.veth:
            where = ["--af-packet", "veth1"]
        else:
            where = ["--tun", "cauce0", "--host", f"{self.host[0]}/24", "--host", f"{self.host[1]}/64"]
        return where + ["--addr", f"{self.addr[0]}/24", "--addr", f"{self.addr[1]}/64", *self.flags, *flags]


TUN = (("10.9.0.1", "fd09::1"), ("10.9.0.2", "fd09::2"))
VETH = (("10.8.0.1", "fd08::1"), ("10.8.0.2", "fd08::2"))
MODES = [
    Mode("tun", [], *TUN),
    Mode("tun without offload", ["--no-offload"], *TUN),
    Mode("tun with 2 queues", ["--queues", "2"], *TUN),
    Mode("veth", [], *VETH, veth=True),
    Mode("veth without offload", ["--no-offload"], *VETH, veth=True),
]


class Up:
    """A running `cauce up`."""

    def __init__(self, args, mode, flags=()):
        services = ["--serve", args.root, "--echo", ECHO, "--discard", DISCARD, "--chargen", CHARGEN]
        command = [args.cauce, "up", *mode.network(flags), *map(str, services)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ready = self.process.stdout.readline().decode()
        if not self.ready.startswith("ready: "):
            self.process.kill()
            raise Failure(f"no line that it is ready: {self.process.communicate()[1].decode()}")

    def end(self, with_signal):
        self.process.send_signal(with_signal)
        try:
            rest, errors = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"it did not end within 20 s of signal {with_signal}") from None
        check(self.process.returncode == 0, f"it ended with {self.process.returncode}: {errors.decode()}")
        check(rest == b"", f"more than one line on stdout: {rest!r}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def up(args, mode, flags=(), with_signal=signal.SIGTERM):
    mode.open()
    try:
        session = Up(args, mode, flags)
        try:
            yield session
            session.end(with_signal)
        finally:
            session.kill()
        if not mode.veth:
            check(b"cauce0" not in run("ip", "-br", "link"), "the device is still there")
    finally:
        mode.close()


def url(address, path):
    return f"http://{f'[{address}]' if ':' in address else address}/{path}"


def big_file(args, address):
    got = os.path.join(args.work, "got")
    run("curl", "-sS", "--fail", "-o", got, url(address, "big"), timeout=args.patience)
    check(digest(got) == args.big_digest, "the big file has changed")
    os.remove(got)


def small_files(args, address):
    """One after another: over one connection by curl, over one each by http.client."""
    into = os.path.join(args.work, "small")
    os.makedirs(into, exist_ok=True)
    last = args.small - 1
    run("curl", "-sS", "--fail", "-o", f"{into}/#1", url(address, f"small/[0-{last}]"), timeout=args.patience)
    for number in range(args.small):
        with open(f"{into}/{number}", "rb") as file:
            check(file.read() == small(number), f"small file {number} has changed")
    shutil.rmtree(into)
    for number in range(args.small):
        connection = http.client.HTTPConnection(address, HTTP, timeout=args.patience)
        connection.request("GET", f"/small/{number}", headers={"Connection": "close"})
        response = connection.getresponse()
        check(response.status == 200 and response.read() == small(number), f"small file {number} has changed")
        connection.close()


def small(number):
    return random.Random(number).randbytes(number * 37 % 9000)


def at_once(args, address, name="parallel"):
    into = os.path.join(args.work, "parallel")
    os.makedirs(into, exist_ok=True)
    command = ["curl", "-sS", "--fail", "--no-progress-meter", "--parallel", "--parallel-immediate"]
    command += ["--parallel-max", "64"]
    for number in range(64):
        command += ["-o", f"{into}/{number}", url(address, f"{name}?{number}")]
    run(*command, timeout=args.patience)
    expected = digest(os.path.join(args.root, name))
    for number in range(64):
        check(digest(f"{into}/{number}") == expected, f"transfer {number} of 64 has changed it")
    shutil.rmtree(into)


def http_client(args, address):
    connection = http.client.HTTPConnection(address, HTTP, timeout=args.patience)

    def get(path, method="GET", **headers):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()

    with open(os.path.join(args.root, "parallel"), "rb") as file:
        whole = file.read()
    response, body = get("/parallel", Range="bytes=1000-70000")
    check(response.status == 206 and body == whole[1000:70001], "a range")
    response, body = get("/parallel", Range="bytes=-100")
    check(response.status == 206 and body == whole[-100:], "a range from the end")
    response, _ = get("/parallel", Range=f"bytes={len(whole)}-")
    check(response.status == 416, "a range behind the end")
    response, body = get("/parallel", "HEAD")
    check(response.status == 200 and int(response.getheader("content-length")) == len(whole), "HEAD")
    response, body = get("/")
    check(response.status == 200 and b'href="small/"' in body and b'href="big"' in body, "a listing")
    response, _ = get("/small")
    check(response.status in (301, 307, 308) and response.getheader("location") == "/small/", "a redirection")
    response, _ = get("/missing")
    check(response.status == 404, "a file that is missing")
    response, _ = get("/" + urllib.parse.quote("../session", safe=""))
    check(response.status == 404, "a way out of the directory")
    response, body = get("/parallel", "POST")
    check(response.status == 405, "a method that is not served")
    connection.close()


def receive_exactly(connection, count):
    parts = []
    while count:
        part = connection.recv(min(count, 1 << 20))
        check(part, f"the stream ended {count} bytes early")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class LongEcho:
    """A connection to the echo service that lives as long as the session."""

    def __init__(self, args, address):
        self.connection = socket.create_connection((address, ECHO), timeout=args.patience)
        self.random = random.Random(address)

    def use(self):
        for size in (1, 2, 1447, 1448, 1449, 65_536, 1_000_003):
            data = self.random.randbytes(size)
            writer = threading.Thread(target=self.connection.sendall, args=(data,))
            writer.start()
            back = receive_exactly(self.connection, size)
            writer.join()
            check(back == data, f"an echo of {size} bytes has changed")

    def end(self):
        self.connection.shutdown(socket.SHUT_WR)
        check(self.connection.recv(1) == b"", "more than an echo")
        self.connection.close()


def bulk_to_discard(args, address):
    connection = socket.create_connection((address, DISCARD), timeout=args.patience)
    part = bytes(1 << 20)
    for _ in range(args.bulk // len(part)):
        connection.sendall(part)
    connection.shutdown(socket.SHUT_WR)
    check(connection.recv(1) == b"", "discard sends something")
    connection.close()


def bulk_from_chargen(args, address):
    ring = bytes(range(0x20, 0x7F))
    lines = b"".join((ring + ring)[start:start + 72] + b"\r\n" for start in range(len(ring)))
    pattern = lines * (2 + (1 << 20) // len(lines))
    connection = socket.create_connection((address, CHARGEN), timeout=args.patience)
    taken = 0
    while taken < args.bulk:
        part = connection.recv(1 << 20)
        check(part, "chargen ended")
        offset = taken % len(lines)
        check(part == pattern[offset:offset + len(part)], f"chargen's pattern is broken near byte {taken}")
        taken += len(part)
    connection.close()


CHECKS = [big_file, small_files, at_once, http_client, bulk_to_discard, bulk_from_chargen]


def session(args, mode, with_signal):
    with up(args, mode, with_signal=with_signal):
        echoes = [LongEcho(args, address) for address in mode.addr]
        for step in CHECKS:
            for address in mode.addr:
                began = time.monotonic()
                try:
                    step(args, address)
                except (Failure, OSError, subprocess.TimeoutExpired, http.client.HTTPException) as error:
                    raise Failure(f"{step.__name__} with {address}: {error!r}") from error
                print(f"  {mode.name}: {step.__name__} with {address}: {time.monotonic() - began:.2f} s", flush=True)
            for echo in echoes:
                echo.use()
        for echo in echoes:
            echo.end()


def captured(args, mode):
    """A short session whose packets tshark has to find faultless."""
    path = os.path.join(args.work, "up.pcapng")
    with up(args, mode, ["--pcap", path]):
        for address in mode.addr:
            at_once(args, address, "captured")
            http_client(args, address)
            echo = LongEcho(args, address)
            echo.use()
            echo.end()
    if shutil.which("tshark") is None:
        print("\n!!! SKIPPED: tshark is not installed, the captures are not checked\n", flush=True)
        return
    tshark = ["tshark", "-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r", path]
    # The table counts all TCP packets in the same pass: its only line with `<>` ends in frames and bytes.
    # A kernel that completes a checksum in software writes 0xffff for 0 (CSUM_MANGLED_0), which is the same sum;
    # tshark calls it an error. Only packets of the kernel's are forgiven that.
    mangled = f"tcp.checksum==0xffff && (ip.src=={mode.host[0]} || ipv6.src=={mode.host[1]})"
    printed = run(*tshark, "-Y", f"({FAULTS}) && !({mangled})", "-z", "io,stat,0,tcp", timeout=args.patience).decode()
    faults, _, table = printed.partition("=====")
    packets = next(int(line.split("|")[2]) for line in table.splitlines() if "<>" in line)
    check(packets > 1000, f"only {packets} TCP packets were captured")
    check(faults.strip() == "", f"tshark finds faults:\n{faults[:2000]}")
    print(f"  {mode.name}: tshark finds no fault in {packets} packets", flush=True)
    os.remove(path)


def netcat(args, mode):
    """`cauce nc` connects to the kernel, and the kernel to `cauce nc -l`."""
    began = time.monotonic()
    mode.open()
    try:
        with open(os.path.join(args.root, "parallel"), "rb") as file:
            data = file.read()
        answer = random.Random(5).randbytes(300_000)
        for host, addr in zip(mode.host, mode.addr):
            server = socket.create_server(("::" if ":" in host else "", 7001),
                                          family=socket.AF_INET6 if ":" in host else socket.AF_INET)
            server.settimeout(args.patience)
            command = [args.cauce, "nc", "-N", *mode.network(), host, "7001"]
            got = converse(args, command, data, lambda: server.accept()[0], answer)
            server.close()
            check(got == answer, f"what nc printed is not what {host} sent")
            command = [args.cauce, "nc", "-lv", *mode.network(), "7002"]
            got = converse(args, command, answer, lambda: connect(args, addr, 7002), data, listens=True)
            check(got == data, f"what nc -l at {addr} printed is not what was sent")
        command = [args.cauce, "nc", *mode.network(), mode.host[0], "7003"]
        refused = subprocess.run(command, capture_output=True, timeout=args.patience, stdin=subprocess.DEVNULL)
        check(refused.returncode == 1 and b"refused" in refused.stderr, f"a refusal: {refused}")
    finally:
        mode.close()
    print(f"  {mode.name}: nc: {time.monotonic() - began:.2f} s", flush=True)


def connect(args, address, port):
    return socket.create_connection((address, port), timeout=args.patience)


def converse(args, command, data, peer, answer, listens=False):
    """Feeds `data` to nc, expects it at the peer, answers, and returns what nc prints."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if listens:
            check(b"listening" in process.stderr.readline(), "nc -lv does not say that it listens")
        feeder = threading.Thread(target=feed, args=(process.stdin, data))
        feeder.start()
        result = []
        connection = peer()
        connection.settimeout(args.patience)
        reader = threading.Thread(target=lambda: result.append(process.stdout.read()))
        reader.start()
        check(receive_exactly(connection, len(data)) == data, "what nc sent has changed")
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        check(connection.recv(1) == b"", "nc sent more than it was fed")
        connection.close()
        check(process.wait(args.patience) == 0, f"nc ended with {process.returncode}: {process.stderr.read()}")
        feeder.join()
        reader.join()
        return result[0]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def feed(pipe, data):
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(data)


def without_privilege(args):
    """A missing privilege is told with the command that grants it."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        print("\n!!! SKIPPED: setpriv is not installed, the message about privileges is not checked\n", flush=True)
        return
    drop = ["setpriv", "--bounding-set=-net_admin,-net_raw"]
    missing = [args.cauce, "up", "--af-packet", "no-such", "--addr", "10.9.0.2/24"]
    done = subprocess.run(missing, capture_output=True, timeout=args.patience)
    text = done.stderr.decode()
    check(done.returncode == 1 and text.count("No such device") == 1, f"a missing interface: {done}")
    for network in (["--tun", "cauce1", "--host", "10.9.0.1/24"], ["--af-packet", "lo"]):
        command = [*drop, args.cauce, "up", *network, "--addr", "10.9.0.2/24"]
        done = subprocess.run(command, capture_output=True, timeout=args.patience)
        text = done.stderr.decode()
        check(done.returncode == 1 and "setcap" in text and done.stdout == b"", f"{command}: {done}")
        check(len(text.strip().splitlines()) == 1, f"more than a sentence: {text}")
    print("  a missing privilege is told", flush=True)
    # With a device that root has made, none is needed.
    run("ip", "tuntap", "add", "mode", "tun", "user", "root", "name", "cauce2")
    run("ip", "addr", "add", "10.7.0.1/24", "dev", "cauce2")
    run("ip", "link", "set", "cauce2", "up")
    command = [*drop, args.cauce, "up", "--tun", "cauce2", "--addr", "10.7.0.2", "--echo", str(ECHO)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        check(process.stdout.readline().startswith(b"ready: "), "it is not ready on a device that root has made")
        echo = LongEcho(args, "10.7.0.2")
        echo.use()
        echo.end()
        process.terminate()
        check(process.wait(20) == 0, f"it ended with {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        run("ip", "tuntap", "del", "mode", "tun", "name", "cauce2")
    print("  without privileges on a device that root has made", flush=True)


def prepare(args):
    args.root = os.path.join(args.work, "root")
    os.makedirs(os.path.join(args.root, "small"))
    source = random.Random(args.seed)
    part = source.randbytes(1 << 20)
    with open(os.path.join(args.root, "big"), "wb") as file:
        for number in range(-(-args.big // len(part))):
            block = number.to_bytes(8, "big") + part[8:]
            file.write(block[:min(len(block), args.big - number * len(part))])
    for name, size in (("parallel", args.parallel), ("captured", 100_000)):
        with open(os.path.join(args.root, name), "wb") as file:
            file.write(source.randbytes(size))
    for number in range(args.small):
        with open(os.path.join(args.root, "small", str(number)), "wb") as file:
            file.write(small(number))
    args.big_digest = digest(os.path.join(args.root, "big"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cauce", required=True, help="the program")
    parser.add_argument("--big", type=int, default=64 << 20, help="bytes of the big file")
    parser.add_argument("--small", type=int, default=50, help="how many small files")
    parser.add_argument("--parallel", type=int, default=256 << 10, help="bytes of each of 64 transfers at once")
    parser.add_argument("--bulk", type=int, default=32 << 20, help="bytes through discard and chargen")
    parser.add_argument("--patience", type=float, default=120, help="seconds for one step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="the modes whose name contains this")
    args = parser.parse_args()
    # A termination runs the `finally` clauses, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args.work = tempfile.mkdtemp(prefix="cauce-session-")
    print(f"seed {args.seed}", flush=True)
    try:
        prepare(args)
        run("ip", "link", "set", "lo", "up")
        modes = [mode for mode in MODES if args.only is None or args.only in mode.name]
        check(modes, f"no mode is called {args.only}")
        for number, mode in enumerate(modes):
            began = time.monotonic()
            session(args, mode, signal.SIGINT if number % 2 else signal.SIGTERM)
            captured(args, mode)
            netcat(args, mode)
            print(f"  {mode.name}: {time.monotonic() - began:.1f} s in all", flush=True)
        without_privilege(args)
    except Failure as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(args.work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
