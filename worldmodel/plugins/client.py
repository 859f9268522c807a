"""A robot's side of the policy server.

This file needs nothing but the standard library, so a copy of it is all that a robot needs.
"""

from __future__ import annotations

import base64
import json
import operator
from collections.abc import Mapping
from http.client import HTTPException
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen


class PolicyError(RuntimeError):
    """What was asked cannot be answered; says what was expected and what came."""


@final
class NoAnswerError(PolicyError):
    """No server answered; the next time one may."""


class PictureArray(Protocol):
    """A NumPy array, uint8 (H, W, C)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        ...

    def tobytes(self) -> bytes:
        """All values, row by row."""
        ...


Picture = bytes | str | PathLike[str] | PictureArray
"""The bytes of a PNG file, its path, or an array."""


@final
class PolicyClient:
    """One robot at a policy server.

    Args:
        url: Where the server is.
        session: Name of this robot, letters, digits and `_.-`.
        timeout: Seconds to wait for an answer.

    Raises:
        PolicyError: The address is none of HTTP.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", session: str = "robot", timeout: float = 60.0
    ) -> None:
        self._url, self._session, self._timeout = _checked(url), session, timeout

    def health(self) -> dict[str, Any]:
        """What the server expects.

        Raises:
            PolicyError: There is no such server.
        """
        return self._answer("health", None)

    def reset(self, *goals: Picture, seed: int = 0, seconds: float | None = None) -> None:
        """Begin an episode.

        Args:
            goals: Pictures to pass through, the last to reach.
            seed: Of all randomness.
            seconds: Time in which each action must be planned; None for the server's own limit.

        Raises:
            PolicyError: A goal is no picture or a number is none, the server refuses, or there is
                none.
        """
        sent = {
            "session": self._session,
            "goals": [_sent(goal, f"goals.{number}") for number, goal in enumerate(goals)],
            "seed": _whole(seed),
            "seconds": None if seconds is None else _number(seconds),
        }
        self._answer("reset", sent)

    def act(self, picture: Picture) -> Any:
        """The next action, A numbers, or the number of the one that is chosen.

        Raises:
            PolicyError: It is no picture, the server refuses, or there is none.
        """
        sent = {"session": self._session, "observation": _sent(picture, "observation")}
        return self._answer("act", sent)["action"]

    def _answer(self, what: str, sent: Mapping[str, Any] | None) -> dict[str, Any]:
        body = None if sent is None else json.dumps(sent).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self._url}/v1/{what}", body, headers)
        try:
            with urlopen(request, timeout=self._timeout) as answer:
                return _read(answer.read())
        except HTTPError as error:
            raise PolicyError(f"server: {_told(error)}") from error
        except (OSError, HTTPException) as error:
            raise NoAnswerError(
                f"server: expected one at {self._url}, got no answer ({error})"
            ) from error


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except (ValueError, TypeError, AttributeError):
        right = False
    if not right:
        raise PolicyError(f"url: expected one like http://127.0.0.1:8000, got {url!r:.200}")
    return url.rstrip("/")


def _read(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise PolicyError("server: expected an answer in JSON, got something else") from error
    if not isinstance(answer, dict) or "schema_version" not in answer:
        raise PolicyError("server: expected a policy server, got the answer of another")
    return answer


def _told(error: HTTPError) -> str:
    """What a refusal says, in one sentence."""
    with error:
        content = error.read()
    try:
        told = json.loads(content)
        return f"{told['error']}: expected {told['expected']}, got {told['got']}"
    except (ValueError, TypeError, KeyError):  # of another server
        return f"expected an answer, got {error.code} {error.reason}"


def _whole(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError as error:
        raise PolicyError(f"seed: expected a whole number, got {seed!r:.80}") from error


def _number(seconds: Any) -> float:
    try:
        return float(seconds)
    except (TypeError, ValueError) as error:
        raise PolicyError(f"seconds: expected a number or None, got {seconds!r:.80}") from error


def _sent(picture: Any, name: str) -> dict[str, Any]:
    if isinstance(picture, (str, PathLike)):
        picture = _file(Path(picture), name)
    if isinstance(picture, bytes):
        return {"png": base64.b64encode(picture).decode()}
    if not hasattr(picture, "tobytes") or str(getattr(picture, "dtype", "")) != "uint8":
        kind = getattr(picture, "dtype", "")
        got = f"{type(picture).__name__} {kind}".strip()
        raise PolicyError(
            f"{name}: expected a picture: an array of uint8 (H, W, C), or a PNG file's path or "
            f"bytes, got {got}"
        )
    raw = base64.b64encode(picture.tobytes()).decode()
    return {"raw": raw, "shape": list(picture.shape)}


def _file(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError(
            f"{name}: expected a PNG file, cannot read {str(path)[:200]!r} ({reason})"
        ) from error
