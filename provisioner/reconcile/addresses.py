"""Addresses with a port, as URLs write them: brackets where the address has colons."""

from __future__ import annotations


def pair(host: str, port: int) -> str:
    """``10.0.0.1:443``, ``[fd00::1]:443``; so for names."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split(address: str) -> tuple[str, int]:
    """The two parts of a pair, the first without brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
