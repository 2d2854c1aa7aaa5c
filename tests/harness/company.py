"""A company's network: a certificate authority of its own, and a proxy that everything has to go through."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import struct
import threading
from base64 import b64decode
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha1
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.harness.waiting import PATIENCE

HOST = "provider.test"
"""A name that no resolver knows: only the proxy does."""


# ---------------------------------------------------------------- certificates


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that nobody knows."""

    file: Path
    folder: Path
    """The same as OpenSSL wants a folder: named by the hash of its name."""
    server: ssl.SSLContext
    """For a server at `HOST` or on this machine, with a certificate by this authority."""


def authority(at: Path, name: str) -> Authority:
    key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    root_signed = root.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ip_address("127.0.0.1"))])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    leaf = _builder(HOST, name, server_key).add_extension(names, critical=False).add_extension(signer, critical=False)
    folder = at / f"{name} folder"
    folder.mkdir(parents=True)
    pem = root_signed.public_bytes(serialization.Encoding.PEM)
    file, own = at / f"{name}.pem", at / f"{name} server.pem"
    file.write_bytes(pem)
    (folder / f"{_hash(root_signed.subject)}.0").write_bytes(pem)
    own.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + leaf.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own)
    return Authority(file, folder, server)


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _hash(name: x509.Name) -> str:
    """What `openssl x509 -hash` says of a name in lower case: over its inside, without the head of two bytes."""
    return f"{struct.unpack('<I', sha1(name.public_bytes()[2:], usedforsecurity=False).digest()[:4])[0]:08x}"


# ---------------------------------------------------------------- the proxy


@dataclass(slots=True)
class Proxy:
    """An HTTP proxy for one server at a port of this machine, whatever host is asked for; a context manager."""

    port: int
    key: str = ""
    """`user:password`; 407 without."""
    tls: ssl.SSLContext | None = None
    """Of a proxy that is itself reached over TLS."""
    asked: list[str] = field(default_factory=list[str])
    """First lines, as they came."""
    address: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _started: Future[str] = field(default_factory=Future[str])
    _thread: threading.Thread | None = None

    def __enter__(self) -> Proxy:
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        self.address = self._started.result(timeout=PATIENCE)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        assert self._thread is not None
        self._thread.join(timeout=PATIENCE)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls)
        self._started.set_result(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            self.asked.append(first)
            if self.key and not self._is_known(lines):
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
            else:
                await self._relay(first, lines, reader, writer)
        writer.close()

    def _is_known(self, lines: list[str]) -> bool:
        sent = [line.partition("Basic ")[2] for line in lines if line.lower().startswith("proxy-authorization:")]
        return [b64decode(each).decode() for each in sent] == [self.key]

    async def _relay(
        self, first: str, lines: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.port)
        method, target, version = first.split(" ")
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:  # an address with its host: the server wants the path
            path = target.partition("//")[2].partition("/")[2]
            to_writer.write("\r\n".join([f"{method} /{path} {version}", *lines]).encode("latin-1"))
        try:
            await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))
        finally:
            to_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(65536):
        writer.write(block)
        await writer.drain()
    writer.close()
