"""A policy server: a picture and a goal in, an action out, over HTTP and JSON.

Every robot has a session, named by itself: `POST /v1/reset` begins an episode with pictures to
reach, `POST /v1/act` takes what the robot sees and returns its next action, `GET /v1/health` tells
what the server expects. Every answer says the version of this schema. What is refused is told as
`error`, `expected` and `got`; nothing that was sent is ever executed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
import reprlib
import socket
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from worldmodel.errors import InputError, check_at_least
from worldmodel.model import WorldModel
from worldmodel.planners.agent import VisualMPC
from worldmodel.planners.planning import PlanningConfig
from worldmodel.planners.space import ActionSpace, Choices
from worldmodel.plugins.interruption import Interrupted, InterruptibleForesight

try:
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from pydantic import BaseModel, ConfigDict, Field
    from starlette.exceptions import HTTPException
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as missing:
    raise InputError(
        f"the server needs more packages ({missing}): pip install 'worldmodel[server]'"
    ) from missing

SCHEMA_VERSION = 1
"""Of what is sent and answered; the `v1` of the paths."""

_GOALS = 64

_STOP_SECONDS = 1
"""In which what a robot was answered must have reached it when the server is stopped."""


@dataclass(frozen=True)  # not final: `worldmodel serve` adds which model serves
class ServerConfig:
    """Where a policy server listens, and what it accepts.

    Attributes:
        host: Address to listen at; the default is reached from this machine alone.
        port: Port to listen at; 0 takes a free one.
        sessions: Robots served at a time; one more takes the place of the one unused for longest.
        request_bytes: Size of the largest request.
        receive_seconds: Time within which a request must have arrived.

    Raises:
        InputError: An option is out of range.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    sessions: int = 16
    request_bytes: int = 4_000_000
    receive_seconds: float = 10.0

    def __post_init__(self) -> None:
        check_at_least(0, self, "port", "receive_seconds")
        check_at_least(1, self, "sessions", "request_bytes")
        if self.port > 65535:
            raise InputError(f"ServerConfig.port: expected 0 to 65535, got {self.port}")


class _Sent(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class SentPicture(_Sent):
    """A picture of the model's size, in one of two forms.

    Attributes:
        png: A PNG file, base64; 8 bits per channel, RGB or gray.
        raw: Bytes, base64, of an array of `shape`.
        shape: Height, width and channels (H, W, C).
    """

    png: str | None = None
    raw: str | None = None
    shape: list[int] | None = None


_Session = Annotated[str, Field(pattern="^[A-Za-z0-9_.-]{1,64}$")]


class ResetRequest(_Sent):
    """Begin an episode.

    Attributes:
        session: Name of the robot, chosen by itself: letters, digits and `_.-`.
        goals: Pictures to pass through in their order; the last is the goal.
        seed: Of all randomness.
        seconds: Time in which each action must be planned; None for the server's own limit.
    """

    session: _Session
    goals: list[SentPicture] = Field(min_length=1, max_length=_GOALS)
    seed: int = Field(default=0, ge=0, lt=2**63)
    seconds: float | None = Field(default=None, ge=0, le=3600)


class ActRequest(_Sent):
    """Say what is seen.

    Attributes:
        session: Name of the robot.
        observation: What it sees now.
    """

    session: _Session
    observation: SentPicture


class _Answer(BaseModel):
    schema_version: int = SCHEMA_VERSION


class ResetAnswer(_Answer):
    """The episode has begun."""

    session: str


class ActAnswer(_Answer):
    """What to do next.

    Attributes:
        session: Name of the robot.
        step: Actions answered in this episode, this one included.
        action: In the units of the model, A numbers; or the number of the one chosen, from 0.
        cost: Of the plan that is followed; None if the planner judges none.
        evaluations: Candidates that were imagined for that plan.
    """

    session: str
    step: int
    action: list[float] | int
    cost: float | None
    evaluations: int


class HealthAnswer(_Answer):
    """What the server expects.

    Attributes:
        model: Its name.
        picture: Height, width and channels (H, W, C).
        low: Smallest values of an action; None if actions are chosen.
        high: Largest values.
        choices: Actions to choose from; None if actions are continuous.
        sessions: Robots known now.
        most_sessions: Robots at a time.
        request_bytes: Size of the largest request.
    """

    model: str
    picture: list[int]
    low: list[float] | None
    high: list[float] | None
    choices: int | None
    sessions: int
    most_sessions: int
    request_bytes: int


@final
class Refusal(Exception):  # noqa: N818 -- what is told is no fault of the server
    """What a request got wrong.

    Attributes:
        status: Of HTTP.
        error: What is wrong.
        expected: What was expected.
        got: What came.
    """

    def __init__(self, status: int, error: str, expected: str, got: str) -> None:
        super().__init__(error)
        self.status, self.error, self.expected, self.got = status, error, expected, got


@dataclass(frozen=True)
class Service:
    """What is served.

    Attributes:
        name: Of the model.
        model: The world model.
        space: Actions that there are.
        planning: How to plan; the deadline of a session may be shorter.
    """

    name: str
    model: WorldModel
    space: ActionSpace
    planning: PlanningConfig

    def agent(self, seconds: float | None, stop: threading.Event) -> VisualMPC:
        """An agent that plans each action in so many seconds, and no further once stopped."""
        limits = [limit for limit in (seconds, self.planning.seconds) if limit is not None]
        planning = replace(self.planning, seconds=min(limits, default=None))
        foresight = InterruptibleForesight(planning.foresight(self.model), stop)
        return planning.agent(foresight, self.space)

    def told(self, action: Tensor) -> list[float] | int:
        """An action (A,) as an answer holds it."""
        if isinstance(self.space, Choices):
            return int(self.space.index(action))
        return action.tolist()

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        channels, height, width = self.model.frame_shape
        return height, width, channels


def create_app(service: Service, config: ServerConfig | None = None) -> FastAPI:
    """The server as an ASGI application.

    Raises:
        InputError: Planner, model and actions do not fit each other.
    """
    config = config or ServerConfig()
    service.agent(None, threading.Event())
    sessions = _Sessions(config.sessions)
    app = FastAPI(
        title="worldmodel policy server",
        version=str(SCHEMA_VERSION),
        docs_url=None,
        redoc_url=None,
    )
    app.state.give_up = sessions.stop
    app.router.redirect_slashes = False

    @app.get("/v1/health")
    async def health() -> HealthAnswer:
        """What the server expects."""
        space = service.space
        return HealthAnswer(
            model=service.name,
            picture=list(service.picture_shape),
            low=None if isinstance(space, Choices) else space.low.tolist(),
            high=None if isinstance(space, Choices) else space.high.tolist(),
            choices=len(space.actions) if isinstance(space, Choices) else None,
            sessions=len(sessions),
            most_sessions=config.sessions,
            request_bytes=config.request_bytes,
        )

    @app.post("/v1/reset")
    def reset(request: ResetRequest) -> ResetAnswer:
        """Begin an episode."""
        goals = [
            _decoded(goal, service.picture_shape, f"goals.{i}")
            for i, goal in enumerate(request.goals)
        ]
        stop = threading.Event()
        agent = service.agent(request.seconds, stop)
        agent.reset(goals, request.seed)
        sessions.begin(request.session, agent, stop)
        return ResetAnswer(session=request.session)

    @app.post("/v1/act")
    def act(request: ActRequest) -> ActAnswer:
        """The next action."""
        seen = _decoded(request.observation, service.picture_shape, "observation")
        with sessions.used(request.session) as session:
            action = torch.from_numpy(session.agent.act(seen))
            session.steps += 1
            plan = session.agent.plan
            cost = float(plan.cost[0])
            return ActAnswer(
                session=request.session,
                step=session.steps,
                action=service.told(action),
                cost=cost if np.isfinite(cost) else None,
                evaluations=plan.evaluations,
            )

    _tell_refusals(app)
    app.add_middleware(_Limits, config=config)
    return app


def serve(app: FastAPI, config: ServerConfig) -> None:
    """Serve until Ctrl-C; prints where.

    Raises:
        InputError: It cannot listen there.
    """
    with _listening(config.host, config.port) as listener:
        host, port = listener.getsockname()[:2]
        print(f"serving at http://{host}:{port}", flush=True)
        options = uvicorn.Config(
            app,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=5,
            limit_concurrency=4 * config.sessions,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        _Server(options, app.state.give_up).run([listener])


@final
class _Server(uvicorn.Server):
    """Gives up what is being planned when it is stopped."""

    def __init__(self, config: uvicorn.Config, give_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._give_up = give_up

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._give_up()
        await super().shutdown(sockets)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=64)
    except OSError as error:
        raise InputError(
            f"server: expected an address to listen at, got {host}:{port} ({error.strerror})"
        ) from error


# --- Sessions


@final
class _Known:
    """A session: its agent, whether it is planning, and what stops that."""

    def __init__(self, agent: VisualMPC, stop: threading.Event) -> None:
        self.agent, self.steps = agent, 0
        self.planning, self.stop = threading.Lock(), stop


@final
class _Sessions:
    """Those that are known, the one unused for longest first."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def begin(self, name: str, agent: VisualMPC, stop: threading.Event) -> None:
        """A new episode, in the place of the session's last one or of another session.

        What the session's last one is planning is given up.

        Raises:
            Refusal: All other sessions are planning.
        """
        with self._lock:
            before = self._known.get(name)
            if before is not None:
                before.stop.set()
            elif len(self._known) >= self._most:
                self._drop_one()
            self._known[name] = _Known(agent, stop)
            self._known.move_to_end(name)

    @contextmanager
    def used(self, name: str) -> Iterator[_Known]:
        """A session, for one planning at a time.

        Raises:
            Refusal: There is none of that name, it is planning already, or what it planned was
                given up.
        """
        with self._lock:
            session = self._known.get(name)
            if session is None:
                raise Refusal(404, "session is unknown", "one begun by POST /v1/reset", name)
            if not session.planning.acquire(blocking=False):
                expected = "one request at a time for each session; a reset takes it over"
                raise Refusal(409, "session is planning", expected, name)
            self._known.move_to_end(name)
        try:
            yield session
            if session.stop.is_set():
                raise Interrupted
        except Interrupted as given_up:
            expected = "a session that is neither begun anew nor stopped meanwhile"
            raise Refusal(409, "planning was given up", expected, name) from given_up
        finally:
            session.planning.release()

    def stop(self) -> None:
        """Give up all that is being planned."""
        with self._lock:
            for session in self._known.values():
                session.stop.set()

    def _drop_one(self) -> None:
        idle = (name for name, session in self._known.items() if not session.planning.locked())
        if (oldest := next(idle, None)) is None:
            expected = f"one of {self._most} sessions to be idle"
            raise Refusal(503, "no session is free", expected, "all of them planning")
        del self._known[oldest]


# --- Pictures


def _decoded(sent: SentPicture, shape: tuple[int, int, int], name: str) -> np.ndarray:
    """A picture, uint8 (H, W, C), of exactly that shape.

    Raises:
        Refusal: It is none.
    """
    if sent.png is not None and sent.raw is None and sent.shape is None:
        return _from_png(_from_base64(sent.png, f"{name}.png"), shape, f"{name}.png")
    if sent.raw is None or sent.shape is None or sent.png is not None:
        given = [key for key in ("png", "raw", "shape") if getattr(sent, key) is not None]
        raise Refusal(
            422, f"{name} is no picture", "either png, or raw and shape", ", ".join(given) or "none"
        )
    if tuple(sent.shape) != shape:
        raise Refusal(
            422, f"{name} has another shape", f"(H, W, C) = {shape}", reprlib.repr(sent.shape)
        )
    content = _from_base64(sent.raw, f"{name}.raw")
    if len(content) != np.prod(shape):
        expected = f"{np.prod(shape)} bytes, one for each value"
        raise Refusal(422, f"{name}.raw has another size", expected, f"{len(content)} bytes")
    return np.frombuffer(content, np.uint8).reshape(shape).copy()


def _from_base64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(422, f"{name} cannot be read", "base64", str(error)) from error


_PNG = struct.Struct(">8s4x4sIIBB")
"""Signature, length and name of the first chunk, width, height, bits, kind of colors."""

_SIGNATURE, _BITS, _COLORS = b"\x89PNG\r\n\x1a\n", 8, {1: 0, 3: 2}

_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def _from_png(content: bytes, shape: tuple[int, int, int], name: str) -> np.ndarray:
    """Decode only what its header says has the right size, so that nothing large is unpacked."""
    height, width, channels = shape
    if len(content) < _PNG.size or content[:8] != _SIGNATURE or content[12:16] != b"IHDR":
        raise Refusal(422, f"{name} cannot be read", "a PNG file", f"{len(content)} other bytes")
    _, _, *header = _PNG.unpack_from(content)
    wanted = [width, height, _BITS, _COLORS[channels]]
    if header != wanted:
        kind = "RGB" if channels == 3 else "gray"
        raise Refusal(
            422,
            f"{name} is another kind of picture",
            f"{width} x {height} pixels, {kind}, {_BITS} bits per channel",
            "{0} x {1} pixels, color type {3}, {2} bits per channel".format(*header),
        )
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            return np.asarray(picture, np.uint8).reshape(shape).copy()
    except _DAMAGE as error:
        raise Refusal(422, f"{name} cannot be read", "a whole PNG file", str(error)) from error


# --- What is told of what went wrong


def _told(status: int, error: str, expected: str = "", got: str = "") -> JSONResponse:
    told = {"error": error, "expected": expected, "got": got}
    content = {name: _printable(text) for name, text in told.items()}
    return JSONResponse({"schema_version": SCHEMA_VERSION, **content}, status)


def _printable(text: str) -> str:
    """Some ASCII, whatever was sent."""
    return text[:500].encode("ascii", "backslashreplace").decode()


_UNREADABLE: dict[type, str] = {
    UnicodeDecodeError: "bytes that are no UTF-8",
    RecursionError: "nesting that is too deep",
    ValueError: "a number of too many digits",
}

_EXPECTED = {
    "missing": "a value",
    "extra_forbidden": "no such field",
    "string_type": "text",
    "string_unicode": "text",
    "string_pattern_mismatch": "1 to 64 letters, digits or _.-",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "a number below {lt}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
}
"""By the name of what pydantic found."""


def _invalid(found: dict[str, Any]) -> JSONResponse:
    """What does not fit the schema, as pydantic found it."""
    kind, places, sent = found["type"], found["loc"][1:], found["input"]
    if kind == "json_invalid":
        got = f"{found['ctx']['error']} at character {places[0]}"
        return _told(400, "body", "JSON", got)
    if not places and not isinstance(sent, (dict, list, str, float, int)):
        got = "nothing" if sent is None else "content of another type"
        return _told(422, "body", "JSON, of Content-Type application/json", got)
    where = ".".join(f"{place:.80}" if isinstance(place, str) else str(place) for place in places)
    words = _EXPECTED.get(kind)
    expected = words.format(**found.get("ctx", {})) if words else found["msg"]
    return _told(422, where or "body", expected, "none" if kind == "missing" else _in_short(sent))


def _in_short(sent: Any) -> str:
    """What was sent, without what it holds."""
    if isinstance(sent, (dict, list)):
        return f"{'an object' if isinstance(sent, dict) else 'a list'} of {len(sent)}"
    return reprlib.repr(sent)


_SENTENCE = re.compile(r"(?P<error>.*?): expected (?P<expected>.*), got (?P<got>.*)", re.DOTALL)


def _tell_refusals(app: FastAPI) -> None:
    """Every refusal and every failure in the same form."""

    @app.exception_handler(Refusal)
    def _(request: Request, refusal: Refusal) -> JSONResponse:
        return _told(refusal.status, refusal.error, refusal.expected, refusal.got)

    @app.exception_handler(InputError)
    def _(request: Request, error: InputError) -> JSONResponse:
        parts = _SENTENCE.fullmatch(str(error))
        return _told(422, **parts.groupdict()) if parts else _told(422, str(error))

    @app.exception_handler(RequestValidationError)
    def _(request: Request, invalid: RequestValidationError) -> JSONResponse:
        return _invalid(invalid.errors()[0])

    @app.exception_handler(HTTPException)
    def _(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # its cause is what the parser of JSON raised
            return _told(400, "body", "JSON", _UNREADABLE.get(type(error.__cause__), "other bytes"))
        paths = "GET /v1/health, POST /v1/reset or POST /v1/act, and a JSON body"
        got = f"{request.method} {request.url.path}"
        return _told(error.status_code, str(error.detail), paths, got)

    @app.exception_handler(Exception)
    def _(request: Request, error: Exception) -> JSONResponse:
        return _told(500, "the server failed", "no failure", type(error).__name__)


@final
class _Limits:
    """Takes in a whole request, of limited size and in limited time, before anyone reads it."""

    def __init__(self, app: ASGIApp, config: ServerConfig) -> None:
        self._app, self._most, self._seconds = app, config.request_bytes, config.receive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._body(scope, receive), self._seconds)
        except TimeoutError:
            expected = f"all of it within {self._seconds:g} s"
            await self._refuse(Refusal(408, "request is late", expected, "less"), receive, send)
        except Refusal as refusal:
            await self._refuse(refusal, receive, send)
        else:
            await self._app(scope, _replayed(body, receive), send)

    async def _refuse(self, refusal: Refusal, receive: Receive, send: Send) -> None:
        """Answer at once, then drop for a while what still comes.

        To close while a client sends would reset the connection, and the answer would be lost.
        """
        answer = _told(refusal.status, refusal.error, refusal.expected, refusal.got)
        headers = [*answer.raw_headers, (b"connection", b"close")]
        await send(
            {"type": "http.response.start", "status": answer.status_code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        with suppress(TimeoutError):
            await asyncio.wait_for(_drop(receive), self._seconds)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        declared = dict(scope["headers"]).get(b"content-length", b"")
        self._check(int(declared[:15]) if declared.isdigit() else 0)
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            self._check(len(body))
            more = message.get("more_body", False)
        return bytes(body)

    def _check(self, size: int) -> None:
        if size > self._most:
            expected = f"at most {self._most} bytes"
            raise Refusal(413, "request is too large", expected, f"{size} bytes")


async def _drop(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        pass


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What was taken in, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
