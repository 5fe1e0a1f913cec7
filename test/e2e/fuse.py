"""A file system that stalls when it is told to: FUSE's own protocol, as much of it as a log file needs."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fnmatch
import os
import stat
import struct
import threading
from pathlib import Path

LOOKUP, FORGET, GETATTR, SETATTR, UNLINK, RENAME, OPEN, READ, WRITE, STATFS, RELEASE = 1, 2, 3, 4, 10, 12, 14, 15, 16, 17, 18
GETXATTR, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS, CREATE, INTERRUPT, BATCH_FORGET, RENAME2 = 22, 25, 26, 27, 28, 29, 34, 35, 36, 42, 45
HEAD = struct.Struct("<IIQQIIII")
libc = ctypes.CDLL(None, use_errno=True)


class StallingDisk:
    """Mounted at `path`: one folder of files. While it is stalled, whoever writes (to files that `match`) waits."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir()
        self.files: dict[int, bytearray] = {}
        self.names: dict[str, int] = {}
        self.go = threading.Event()
        self.go.set()
        self.waiting = threading.Event()  # somebody is
        self.match = "*"
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"stalling", str(path).encode(), b"fuse", 0, options) < 0:
            raise OSError(ctypes.get_errno(), "mount fuse")
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def stall(self, match="*"):
        self.match = match
        self.waiting.clear()
        self.go.clear()

    def let_one_through(self):
        """Of who waits; it goes on to be stalled."""
        self.waiting.clear()
        self.go.set()
        self.go.clear()

    def resume(self):
        self.go.set()

    def close(self):
        self.go.set()
        libc.umount2(str(self.path).encode(), 2)
        os.close(self.fd)

    def serve(self):
        while True:
            try:
                request = os.read(self.fd, (1 << 20) + 4096)
            except OSError:
                return
            _, op, unique, node, *_ = HEAD.unpack_from(request)
            body = request[HEAD.size :]
            if op in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            if op == WRITE and not self.go.is_set() and self.is_stalled(node):
                self.waiting.set()
                # Only the writer waits: others are served meanwhile.
                threading.Thread(target=self.late, args=(op, unique, node, body), daemon=True).start()
                continue
            self.answer(unique, *self.handle(op, node, body))

    def is_stalled(self, node):
        return any(n == node and fnmatch.fnmatch(name, self.match) for name, n in list(self.names.items()))

    def late(self, op, unique, node, body):
        self.go.wait()
        self.answer(unique, *self.handle(op, node, body))

    def answer(self, unique, error, data=b""):
        with contextlib.suppress(OSError):
            os.write(self.fd, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)

    def attr(self, node):
        mode, size = (stat.S_IFDIR | 0o700, 0) if node == 1 else (stat.S_IFREG | 0o600, len(self.files[node]))
        return struct.pack("<QQQQQQIIIIIIIIII", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def entry(self, node):
        return struct.pack("<QQQQII", node, 0, 0, 0, 0, 0) + self.attr(node)

    def handle(self, op, node, body):
        name = body.split(b"\0")[0].decode(errors="replace")
        if op == INIT:
            return 0, struct.pack("<IIIIHHIIHHI7I", 7, 31, 65536, 0, 16, 8, 1 << 17, 1, 0, 0, 0, *[0] * 7)
        if op == LOOKUP:
            return (0, self.entry(self.names[name])) if name in self.names else (errno.ENOENT,)
        if op == CREATE:
            name = body[16:].split(b"\0")[0].decode()
            node = self.names.setdefault(name, len(self.names) + 2)
            self.files.setdefault(node, bytearray())
            return 0, self.entry(node) + struct.pack("<QII", node, 1, 0)
        if op == GETATTR:
            return 0, struct.pack("<QII", 0, 0, 0) + self.attr(node)
        if op == SETATTR:
            valid, _, _, size = struct.unpack_from("<IIQQ", body)
            if valid & 8:
                self.files[node] = self.files[node][:size].ljust(size, b"\0")
            return 0, struct.pack("<QII", 0, 0, 0) + self.attr(node)
        if op in (OPEN, OPENDIR):
            return 0, struct.pack("<QII", node, 1, 0)
        if op == WRITE:
            _, offset, size = struct.unpack_from("<QQI", body)
            data = body[40 : 40 + size]
            self.files[node][offset : offset + size] = data
            return 0, struct.pack("<II", size, 0)
        if op == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return 0, bytes(self.files[node][offset : offset + size])
        if op == STATFS:
            return 0, bytes(80)
        if op in (FLUSH, RELEASE, RELEASEDIR, ACCESS, READDIR):
            return (0,)
        return (errno.ENOSYS,)
