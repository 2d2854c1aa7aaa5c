"""The way to a provider: which proxy is on it, and whose certificates are trusted.

Knows the variables that companies set, and makes no connection; credentials never leave this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from openhands_acp.llm.model import is_loopback

CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name a file of certificates; the first that is set counts."""
CA_FOLDER = "SSL_CERT_DIR"


@dataclass(frozen=True, slots=True)
class Route:
    """As a person would say it; empty where there is nothing to say."""

    proxy: str = ""
    """Its address, without user and password."""
    proxy_from: str = ""
    """The variable that named it, or `the system's settings`."""
    trusted: str = ""
    """The file or folder of certificates."""
    trusted_from: str = ""
    is_trust_missing: bool = False
    """Nothing is at the place of the certificates."""


def route_to(url: str | None, environ: Mapping[str, str]) -> Route:
    """Find the way to `url`; None is a provider's own address, which only LiteLLM knows."""
    trusted_from = trust_variable(environ)
    proxy, proxy_from = _proxy(url or "https://", environ)
    trusted = environ.get(trusted_from, "")
    return Route(proxy, proxy_from, trusted, trusted_from, bool(trusted) and not Path(trusted).exists())


def trust_variable(environ: Mapping[str, str]) -> str:
    """Name the variable that says which certificates are trusted; empty if none does."""
    return next((name for name in (*CA_FILES, CA_FOLDER) if environ.get(name)), "")


def _proxy(url: str, environ: Mapping[str, str]) -> tuple[str, str]:
    parts = urlsplit(url)
    if is_loopback(url) or (parts.hostname and proxy_bypass(parts.hostname)):
        return "", ""
    known = getproxies()
    for scheme in (parts.scheme, "all"):
        if address := known.get(scheme):
            named = urlsplit(address if "://" in address else f"http://{address}")
            names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
            variable = next((name for name in names if environ.get(name)), "the system's settings")
            return f"{named.scheme}://{named.netloc.rpartition('@')[2]}", variable
    return "", ""
