"""A robot's side of the policy server, with nothing but the standard library."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Protocol, final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from worldmodel.errors import InputError, UnavailableError


class PictureArray(Protocol):
    """A NumPy array, uint8 (H, W, C)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        ...

    def tobytes(self) -> bytes:
        """All values, row by row."""
        ...


@final
class PolicyClient:
    """One robot at a policy server.

    Args:
        url: Where the server is.
        session: Name of this robot, letters, digits and `_.-`.
        timeout: Seconds to wait for an answer.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", session: str = "robot", timeout: float = 60.0
    ) -> None:
        self._url, self._session, self._timeout = url.rstrip("/"), session, timeout

    def health(self) -> dict[str, Any]:
        """What the server expects.

        Raises:
            InputError: There is no such server.
        """
        return self._answer("health", None)

    def reset(
        self, *goals: bytes | PictureArray, seed: int = 0, seconds: float | None = None
    ) -> None:
        """Begin an episode.

        Args:
            goals: Pictures to pass through, the last to reach: arrays, or the bytes of PNG files.
            seed: Of all randomness.
            seconds: Time in which each action must be planned; None for the server's own limit.

        Raises:
            InputError: The server refuses, or there is none.
        """
        sent = {"goals": [_sent(goal) for goal in goals], "seed": seed, "seconds": seconds}
        self._answer("reset", {"session": self._session, **sent})

    def act(self, picture: bytes | PictureArray) -> Any:
        """The next action, A numbers, or the number of the one that is chosen.

        Raises:
            InputError: The server refuses, or there is none.
        """
        sent = {"session": self._session, "observation": _sent(picture)}
        return self._answer("act", sent)["action"]

    def _answer(self, what: str, sent: Mapping[str, Any] | None) -> dict[str, Any]:
        body = None if sent is None else json.dumps(sent).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self._url}/v1/{what}", body, headers)
        try:
            with urlopen(request, timeout=self._timeout) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise InputError(f"server: {_told(error)}") from error
        except (OSError, HTTPException) as error:
            raise UnavailableError(
                f"server: expected one at {self._url}, got no answer ({error})"
            ) from error


def _told(error: HTTPError) -> str:
    """What a refusal says, in one sentence."""
    with error:
        content = error.read()
    try:
        told = json.loads(content)
        return f"{told['error']}: expected {told['expected']}, got {told['got']}"
    except (ValueError, TypeError, KeyError):  # of another server
        return f"expected an answer, got {error.code} {error.reason}"


def _sent(picture: bytes | PictureArray) -> dict[str, Any]:
    if isinstance(picture, bytes):
        return {"png": base64.b64encode(picture).decode()}
    raw = base64.b64encode(picture.tobytes()).decode()
    return {"raw": raw, "shape": list(picture.shape)}
