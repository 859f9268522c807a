"""A real server, robots that reach goals through it, and everything that might be sent instead."""

import base64
import http.client
import io
import json
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pytest
import torch
import uvicorn
from PIL import Image
from spots import SpotModel, spot

from worldmodel.cli import main
from worldmodel.errors import InputError
from worldmodel.planners.categorical_cem import CategoricalCEMConfig
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.cost import Schedule
from worldmodel.planners.planner import Planner, PlannerConfig
from worldmodel.planners.planning import PlanningConfig
from worldmodel.planners.space import Bounds, Choices
from worldmodel.plugins.client import NoAnswerError, PolicyClient, PolicyError
from worldmodel.plugins.interruption import Interrupted
from worldmodel.plugins.server import ServerConfig, Service, create_app

BOUNDS = Bounds(torch.full((2,), -0.5), torch.full((2,), 0.5))
PLANNING = PlanningConfig(CEMConfig(horizon=3, candidates=40), schedule=Schedule(running=0.3))
SERVICE = Service("spot", SpotModel(), BOUNDS, PLANNING)


@contextmanager
def serving(service=SERVICE, **options):
    """Port of a server that really listens."""
    app = create_app(service, ServerConfig(**options))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


def picture(*where):
    return (255 * spot(torch.tensor(where))).round().byte().movedim(0, -1).numpy()


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(file, "PNG")
    return file.getvalue()


def client(port, session="robot"):
    return PolicyClient(f"http://127.0.0.1:{port}", session)


def encoded(content):
    return base64.b64encode(content).decode()


def raw(pixels):
    return {"raw": encoded(pixels.tobytes()), "shape": list(pixels.shape)}


def asked(port, method, path, body=None, kind="application/json"):
    """Status and answer of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def assert_refused(status, told, expected=None):
    assert 400 <= status < 500, (status, told)
    assert expected is None or status == expected
    assert told is None or set(told) == {"schema_version", "error", "expected", "got"}
    assert told is None or told["schema_version"] == 1


# --- What it is for


@pytest.mark.parametrize("as_png", [False, True])
def test_a_robot_reaches_its_goal(port, as_png):
    form = png if as_png else np.asarray
    robot, here = client(port), torch.tensor([5.0, 3.0])
    robot.reset(form(picture(8.0, 5.0)), seed=1)
    for step in range(8):
        action = torch.tensor(robot.act(form(picture(*here.tolist()))))
        assert (action.abs() <= 0.5).all()
        here = here + 10 * 0.9**step * action
    assert (here - torch.tensor([8.0, 5.0])).norm() < 0.5


def test_answers_are_those_of_the_agent_itself(port):
    goals = [picture(7.0, 4.0), picture(8.0, 5.0)]
    agent = PLANNING.agent(PLANNING.foresight(SpotModel()), BOUNDS)
    agent.reset(goals, 3)
    robot = client(port)
    robot.reset(*goals, seed=3)
    for where in ((5.0, 3.0), (6.0, 4.0), (7.0, 4.5)):
        np.testing.assert_array_equal(
            np.float32(robot.act(picture(*where))), agent.act(picture(*where))
        )


def test_what_it_expects_is_told(port):
    told = client(port).health()
    assert told["schema_version"] == 1
    assert (told["model"], told["picture"]) == ("spot", [16, 16, 1])
    assert (told["low"], told["high"], told["choices"]) == ([-0.5, -0.5], [0.5, 0.5], None)
    assert told["most_sessions"] == 16


def test_chosen_actions_are_numbers():
    planning = PlanningConfig(CategoricalCEMConfig(horizon=3), replan_every=3)
    with serving(Service("spot", SpotModel(), Choices(torch.eye(2)), planning)) as port:
        robot = client(port)
        robot.reset(picture(5.0 + 10.0, 3.0 + 9.0 + 8.1))  # to the right, then down twice
        where, chosen = np.array([5.0, 3.0]), []
        for step in range(3):
            chosen.append(robot.act(picture(*where)))
            where = where + 10 * 0.9**step * np.eye(2)[chosen[-1]]
        assert chosen == [0, 1, 1]
        assert robot.health()["choices"] == 2


def test_sessions_do_not_see_each_other(port):
    def episode(name, others=()):
        robot = client(port, name)
        robot.reset(picture(8.0, 5.0), seed=2)
        actions = []
        for _ in range(3):
            for other in others:
                client(port, other).act(picture(3.0, 3.0))
            actions.append(robot.act(picture(5.0, 3.0)))
        return actions

    alone = episode("alone")
    client(port, "other").reset(picture(1.0, 1.0))
    assert episode("together", ["other"]) == alone


def test_a_new_episode_forgets_the_last(port):
    robot = client(port)
    for _ in range(2):
        robot.reset(picture(8.0, 5.0), seed=2)
        first = robot.act(picture(5.0, 3.0))
        robot.reset(picture(8.0, 5.0), seed=2)
        assert robot.act(picture(5.0, 3.0)) == first


def test_a_deadline_ends_the_search(port):
    body = {"session": "hasty", "goals": [raw(picture(8.0, 5.0))]}
    act = {"session": "hasty", "observation": raw(picture(5.0, 3.0))}
    for seconds, evaluations in ((0.0, 1), (None, 120)):
        assert asked(port, "POST", "/v1/reset", {**body, "seconds": seconds})[0] == 200
        status, answer = asked(port, "POST", "/v1/act", act)
        assert (status, answer["evaluations"], answer["step"]) == (200, evaluations, 1)


def test_the_servers_own_deadline_cannot_be_put_off():
    hurried = replace(SERVICE, planning=replace(PLANNING, seconds=0.0))
    with serving(hurried) as port:
        body = {"session": "a", "goals": [raw(picture(8.0, 5.0))], "seconds": 60.0}
        assert asked(port, "POST", "/v1/reset", body)[0] == 200
        act = {"session": "a", "observation": raw(picture(5.0, 3.0))}
        assert asked(port, "POST", "/v1/act", act)[1]["evaluations"] == 1


def test_the_session_unused_for_longest_makes_room():
    with serving(sessions=2) as port:
        robots = {name: client(port, name) for name in "abc"}
        robots["a"].reset(picture(8.0, 5.0))
        robots["b"].reset(picture(8.0, 5.0))
        robots["a"].act(picture(5.0, 3.0))
        robots["c"].reset(picture(8.0, 5.0))
        robots["a"].act(picture(5.0, 3.0))
        robots["c"].act(picture(5.0, 3.0))
        with pytest.raises(
            PolicyError, match=r"session is unknown: expected one begun by .*, got b"
        ):
            robots["b"].act(picture(5.0, 3.0))
        assert robots["a"].health()["sessions"] == 2


@final
@dataclass(frozen=True)
class WaitingConfig(PlannerConfig):
    def build(self):
        return Waiting()


@final
class Waiting(Planner):
    """Plans when it may."""

    begun, may = threading.Event(), threading.Event()

    @property
    def horizon(self):
        return 1

    def search(self, search):
        self.begun.set()
        assert self.may.wait(30)
        search.costs(search.space.rest((1, 1, 1)))
        return search.best, search.others


@contextmanager
def planning_slowly(**options):
    """A server at which `slow` is planning, until it may end; and the answer to come."""
    service = replace(SERVICE, planning=PlanningConfig(WaitingConfig()))
    Waiting.may.clear()
    with serving(service, **options) as port, ThreadPoolExecutor() as pool:
        client(port, "slow").reset(picture(8.0, 5.0))
        Waiting.begun.clear()
        answer = pool.submit(client(port, "slow").act, picture(5.0, 3.0))
        try:
            assert Waiting.begun.wait(30)
            yield port, answer
        finally:
            Waiting.may.set()


def test_one_planning_at_a_time_and_those_who_plan_are_not_dropped():
    with planning_slowly(sessions=1) as (port, first):
        with pytest.raises(PolicyError, match="session is planning: expected one request at a"):
            client(port, "slow").act(picture(5.0, 3.0))
        with pytest.raises(PolicyError, match="no session is free"):
            client(port, "other").reset(picture(8.0, 5.0))
        assert client(port).health()["sessions"] == 1
        Waiting.may.set()
        assert len(first.result(30)) == 2
        client(port, "other").reset(picture(8.0, 5.0))


def test_a_reset_takes_a_session_over_that_is_planning():
    with planning_slowly(sessions=1) as (port, first):
        client(port, "slow").reset(picture(8.0, 5.0))
        Waiting.may.set()
        with pytest.raises(PolicyError, match=r"planning was given up: .* begun anew"):
            first.result(30)
        act = {"session": "slow", "observation": raw(picture(5.0, 3.0))}
        status, answer = asked(port, "POST", "/v1/act", act)
        assert (status, answer["step"]) == (200, 1)


def test_planning_for_nobody_ends_at_the_next_imagined_step():
    stop = threading.Event()
    agent = SERVICE.agent(None, stop)
    agent.reset(picture(8.0, 5.0))
    agent.act(picture(5.0, 3.0))
    stop.set()
    with pytest.raises(Interrupted):
        agent.act(picture(6.0, 4.0))


# --- What else might be sent


def valid_reset(session="steady"):
    return {"session": session, "goals": [raw(picture(8.0, 5.0))], "seed": 5, "seconds": None}


def valid_act(session="steady"):
    return {"session": session, "observation": raw(picture(5.0, 3.0))}


def chunk(name, content):
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def bomb(width, height):
    """A PNG that says it is huge, and whose little content unpacks to much."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = zlib.compress(bytes(10**6), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", content)
        + chunk(b"IEND", b"")
    )


def other_pngs():
    """PNG files and others that are no gray picture of 16 x 16 pixels."""
    gray = Image.fromarray(picture(5.0, 3.0)[..., 0])
    for changed, kind in (
        (gray.convert("RGB"), "PNG"),
        (gray.convert("P"), "PNG"),
        (gray.convert("LA"), "PNG"),
        (gray.convert("1"), "PNG"),
        (gray.convert("I;16"), "PNG"),
        (gray.resize((32, 16)), "PNG"),
        (gray, "JPEG"),
        (gray, "GIF"),
    ):
        file = io.BytesIO()
        changed.save(file, kind)
        yield file.getvalue()
    yield from (bomb(50_000, 50_000), bomb(2**31 - 1, 2**31 - 1), bomb(0, 0), bomb(16, 0))


WRONG = [None, True, -1, 2.5, "", "x", "\ud800", [], {}, [[]], {"png": 1}, 10**400, [1] * 1000]
NUMBERS = ["NaN", "-Infinity", "1e999", "9" * 5000, "-1", "1.5", '"1"', "true", "[]", "{"]


def wrong_value(draw, body):
    """One value of another type; `seed` and `seconds` may be numbers, so these get none."""
    key = draw.choice(list(body))
    known = [value for value in WRONG if type(value) is not type(body[key])]
    optional = {"seconds": [None, True, 2.5], "seed": [True]}.get(key, [])
    body[key] = draw.choice([v for v in known if not (v in optional and type(v) is not bool)])


def missing_key(draw, body):
    del body[draw.choice([key for key in body if key not in ("seed", "seconds")])]


def added_key(draw, body):
    body[draw.choice(["", "exec", "__class__", "\ud800", "x" * 5000])] = draw.choice(WRONG)


def wrong_session(draw, body):
    body["session"] = draw.choice(
        ["", "../x", "a b", "x" * 65, "\n", "a\n", "é", "\x00", "nobody!"]
    )


def damaged(draw, text):
    """Base64 that is cut or holds something else."""
    at = draw.randrange(1, len(text) - 4)
    return draw.choice(
        [text[: at - at % 4 + 1], text[:at] + "*" + text[at + 1 :], text[:-4], text + "\n"]
    )


def wrong_raw(draw, sent):
    sent["raw"] = damaged(draw, sent["raw"])


def wrong_shape(draw, sent):
    sent["shape"] = draw.choice(
        [
            [16, 16],
            [16, 16, 3],
            [-16, -16, 1],
            [256, 1, 1],
            [2**62, 4, 1],
            [16.0, 16, 1],
            [True, 16, 1],
        ]
    )


def wrong_png(draw, sent):
    content = png(picture(5.0, 3.0))
    at = draw.randrange(8, len(content) - 16)
    broken = [content[:at], bytes(reversed(content)), content[:33], *other_pngs()]
    sent.clear()
    sent["png"] = encoded(draw.choice(broken))


def both_forms(draw, sent):
    sent["png"] = encoded(png(picture(5.0, 3.0)))


def wrong_text(draw, body):
    text = json.dumps(body)
    at = draw.randrange(1, len(text) - 1)
    return draw.choice(
        [
            text[:at].encode(),
            text.encode() + b"}",
            b"",
            b"\xff\xfe" + text.encode(),
            draw.randbytes(200),
            b"[" * 100_000,
            b'{"session":' * 20_000,
            text.replace("5", draw.choice(NUMBERS), 1).encode() if '"seed": 5' in text else b"5",
        ]
    )


def mutated(draw):
    """A request, nearly valid: method, path, content and its type."""
    path, body = draw.choice([("/v1/reset", valid_reset()), ("/v1/act", valid_act())])
    sent = body["goals"][0] if "goals" in body else body["observation"]
    kind = draw.choice(["body", "body", "picture", "picture", "text", "http"])
    if kind == "body":
        draw.choice([wrong_value, missing_key, added_key, wrong_session])(draw, body)
    elif kind == "picture":
        draw.choice([wrong_raw, wrong_shape, wrong_png, both_forms, added_key, wrong_value])(
            draw, sent
        )
    elif kind == "text":
        return "POST", path, wrong_text(draw, body), "application/json"
    else:
        return draw.choice(
            [
                (
                    draw.choice(["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]),
                    path,
                    body,
                    "application/json",
                ),
                ("POST", "/v1/health", body, "application/json"),
                (
                    "POST",
                    draw.choice(["/", "/v1", "/v2/act", "/v1/act/", "/v1/../x"]),
                    body,
                    "application/json",
                ),
                ("POST", path, body, draw.choice(["text/plain", "multipart/form-data", "x"])),
            ]
        )
    return "POST", path, body, "application/json"


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_malformed_requests_change_nothing(port, count):
    """A session gets the same actions whatever is sent in its name between them."""
    client(port, "twin").reset(picture(8.0, 5.0), seed=5)
    client(port, "steady").reset(picture(8.0, 5.0), seed=5)
    for session in ("twin", "steady"):
        client(port, session).act(picture(5.0, 3.0))
    draw = random.Random(0)
    for _ in range(count):
        request = mutated(draw)
        status, told = asked(port, *request)
        assert 400 <= status < 500, (status, told, request)
        assert_refused(status, told)
    first, second = (client(port, session).act(picture(6.0, 4.0)) for session in ("twin", "steady"))
    assert first == second


def test_what_is_no_http_changes_nothing(port):
    draw = random.Random(1)
    head = b"POST /v1/act HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for content in (
        draw.randbytes(2000),
        b"GET\r\n\r\n",
        head + b"Content-Length: -5\r\n\r\n{}",
        head + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
        head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        head + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
        head + b"Content-Length: 100\r\n\r\n{",
    ):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(content)
    assert client(port).health()["model"] == "spot"


def test_what_is_too_large_is_not_taken_in():
    with serving(request_bytes=2000) as port:
        body = json.dumps({"session": "x" * 3000}).encode()
        assert_refused(*asked(port, "POST", "/v1/act", body), 413)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            head = b"POST /v1/act HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.sendall(head + 3 * (b"3e8\r\n" + b"x" * 1000 + b"\r\n"))
            assert b" 413 " in connection.recv(100)
        client(port).reset(picture(8.0, 5.0))


def test_what_is_far_too_large_is_answered_nevertheless():
    with serving(request_bytes=2000) as port:
        expected = r"server: request is too large: expected at most 2000 bytes, got 3\d+ bytes"
        with pytest.raises(PolicyError, match=expected):
            client(port).act(bytes(24_000_000))


def test_what_does_not_arrive_is_not_waited_for():
    with (
        serving(receive_seconds=0.2) as port,
        socket.create_connection(("127.0.0.1", port)) as slow,
    ):
        slow.sendall(b"POST /v1/act HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert b" 408 " in slow.recv(100)
        client(port).reset(picture(8.0, 5.0))


@pytest.mark.parametrize(
    ("path", "changed", "told"),
    [
        ("reset", {"seed": -1}, ("seed", "at least 0", "-1")),
        ("reset", {"seed": 2**63}, ("seed", "a number below 9223372036854775808", "9223372")),
        ("reset", {"seed": "1"}, ("seed", "a whole number", "'1'")),
        ("reset", {"seconds": 1e9}, ("seconds", "at most 3600", "1000000000.0")),
        ("reset", {"goals": []}, ("goals", "a list of at least 1", "a list of 0")),
        ("reset", {"goals": {"a": 1}}, ("goals", "a list", "an object of 1")),
        ("reset", {"speed": 1}, ("speed", "no such field", "1")),
        ("act", {"session": "a b"}, ("session", "letters, digits or _.-", "'a b'")),
        (
            "reset",
            {"goals": [{}]},
            ("goals.0 is no picture", "either png, or raw and shape", "none"),
        ),
        ("act", {"session": "nobody"}, ("session is unknown", "begun by POST /v1/reset", "nobody")),
        (
            "act",
            {"observation": {"raw": "", "shape": [8, 8, 1]}},
            ("observation", "(16, 16, 1)", "[8, 8, 1]"),
        ),
        (
            "act",
            {"observation": {"raw": "AAAA", "shape": [16, 16, 1]}},
            ("size", "256 bytes", "3 bytes"),
        ),
        (
            "act",
            {"observation": {"png": encoded(bomb(60_000, 60_000))}},
            ("png", "16 x 16 pixels, gray", "60000 x 60000"),
        ),
    ],
)
def test_refusals_say_what_was_expected_and_what_came(port, path, changed, told):
    body = valid_reset("told") if path == "reset" else valid_act("told")
    status, answer = asked(port, "POST", f"/v1/{path}", {**body, **changed})
    assert_refused(status, answer)
    for key, words in zip(("error", "expected", "got"), told, strict=True):
        assert words in answer[key]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{{{", "body: expected JSON, got Expecting property name enclosed in double quotes at"),
        (b'{"session": "a"', "body: expected JSON, got Expecting ',' delimiter at character 15"),
        (b'{"session": "\xff"}', "body: expected JSON, got bytes that are no UTF-8"),
        (b"[" * 100_000, "body: expected JSON, got nesting that is too deep"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "body: expected JSON, got a number of too many digits"),
        (b"", "body: expected JSON, of Content-Type application/json, got nothing"),
        (b"[1, 2]", "body: expected an object, got a list of 2"),
        (b'{"goals": [{}], "seed": 1}', "session: expected a value, got none"),
    ],
)
def test_what_is_no_request_is_told_in_words(port, content, told):
    _, answer = asked(port, "POST", "/v1/reset", content)
    assert "{error}: expected {expected}, got {got}".format(**answer).startswith(told)


def test_another_content_type_is_told_without_the_content(port):
    content = json.dumps(valid_reset("secret")).encode()
    status, answer = asked(port, "POST", "/v1/reset", content, "text/plain")
    assert_refused(status, answer)
    assert "secret" not in str(answer)
    assert "application/json" in answer["expected"]


def test_a_cost_that_does_not_fit_the_goal_is_told():
    """What planner, model and cost refuse is told in the same form."""
    wide = replace(PLANNING, cost=replace(PLANNING.cost, scales=(5,)))  # pyright: ignore
    with serving(replace(SERVICE, planning=wide)) as port:
        client(port).reset(picture(8.0, 5.0))
        with pytest.raises(PolicyError, match=r"server: scales: expected 1 or even .*, got \(5,\)"):
            client(port).act(picture(5.0, 3.0))


# --- The client


def test_a_goal_may_be_a_path_and_a_seed_a_number_of_numpy(port, tmp_path):
    (tmp_path / "goal.png").write_bytes(png(picture(8.0, 5.0)))
    actions = []
    for goal in (picture(8.0, 5.0), tmp_path / "goal.png", str(tmp_path / "goal.png")):
        client(port).reset(goal, seed=np.int64(3), seconds=np.float32(60))  # pyright: ignore
        actions.append(client(port).act(picture(5.0, 3.0)))
    assert actions[1] == actions[2] == actions[0]


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        ([picture(8.0, 5.0)], r"goals\.0: expected a picture: an array of uint8 .*, got list"),
        (picture(8.0, 5.0) / 255, r"goals\.0: expected .*, got ndarray float64"),
        ("none.png", r"goals\.0: expected a PNG file, cannot read 'none\.png' \(No such file"),
        ("x" * 5000, r"goals\.0: expected a PNG file, cannot read 'x{200}' \(File name too long"),
    ],
)
def test_what_is_no_picture_is_not_sent(goal, words):
    with pytest.raises(PolicyError, match=words):
        client(1).reset(goal)


def test_what_is_no_number_is_not_sent():
    with pytest.raises(PolicyError, match=r"seed: expected a whole number, got 1\.5"):
        client(1).reset(picture(8.0, 5.0), seed=1.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(PolicyError, match=r"seconds: expected a number or None, got 'soon'"):
        client(1).reset(picture(8.0, 5.0), seconds="soon")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("url", ["foo", "", "file:///etc", "http://", "http://a:port", None])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(PolicyError, match=r"url: expected one like http://127\.0\.0\.1:8000, got"):
        PolicyClient(url)


def test_a_copy_of_the_client_is_all_that_a_robot_needs(port):
    program = (
        "import runpy, sys; client = runpy.run_path(sys.argv[1])['PolicyClient'](sys.argv[2]); "
        "print(client.health()['model'], 'worldmodel' in sys.modules, 'numpy' in sys.modules)"
    )
    file, url = sys.modules[PolicyClient.__module__].__file__, f"http://127.0.0.1:{port}"
    command = [sys.executable, "-I", "-S", "-c", program, file, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["spot", "False", "False"]


# --- The program


def test_no_server_is_told():
    with pytest.raises(NoAnswerError, match=r"expected one at http://127\.0\.0\.1:1, got no"):
        PolicyClient("http://127.0.0.1:1").health()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno", PolicyError, "got 503 Busy"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\n[]", PolicyError, "got 500 X"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
            PolicyError,
            "an answer in JSON",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", PolicyError, "the answer of another"),
        (b"", NoAnswerError, "got no answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", NoAnswerError, "got no answer"),
    ],
)
def test_another_server_is_told(answer, error, words):
    def talk():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        pool.submit(talk)
        with pytest.raises(error, match=words):
            client(listener.getsockname()[1]).health()


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "worldmodel.plugins.server")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(
        InputError, match=r"more packages \(.*fastapi.*\): pip install 'worldmodel\[server\]'"
    ):
        import worldmodel.plugins.server  # noqa: F401


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "model: expected a training run, a checkpoint or a name, got none"),
        (["x"], "expected either a task, or low and high"),
        (["x", "--task=reach", "--low=0", "--high=1"], "got task reach and 1 and 1 numbers"),
        (["x", "--task=fly"], "task of tabletop 'fly' is unknown"),
        (["x", "--task=reach", "--port=70000"], "port: expected 0 to 65535, got 70000"),
        (["x", "--task=reach", "--sessions=0"], "sessions: expected at least 1, got 0"),
        (
            ["none", "--low", "0", "0", "--high", "1", "1"],
            "none: expected the folder of a checkpoint",
        ),
        (
            ["predrnn-v2-tabletop", "--low", "0", "0", "--high", "1", "0"],
            "finite low < high in every dimension",
        ),
        (
            ["predrnn-v2-tabletop", "--low", "0", "0", "0", "--high", "1", "1", "1"],
            "this model expects width 2, got 3",
        ),
    ],
)
def test_the_command_refuses(capsys, arguments, words):
    assert main(["serve", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_an_address_that_is_taken_is_told(port, capsys):
    limits = ["--low", "-1", "-1", "--high", "1", "1"]
    assert main(["serve", "predrnn-v2-tabletop", *limits, f"--port={port}"]) == 2
    assert f"expected an address to listen at, got 127.0.0.1:{port}" in capsys.readouterr().err


@contextmanager
def served(*arguments):
    """The command, and a robot at it."""
    command = [sys.executable, "-m", "worldmodel", "serve", "predrnn-v2-tabletop", "--task=reach"]
    command += ["--port=0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().removeprefix("serving at ").strip()
            yield server, PolicyClient(url)
        finally:
            server.kill()


SEEN = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.mark.slow
def test_the_command_serves():
    with served() as (_, robot):
        told = robot.health()
        assert (told["model"], told["picture"]) == ("predrnn-v2-tabletop", [64, 64, 3])
        robot.reset(SEEN)
        action = np.array(robot.act(SEEN))
        assert (np.array(told["low"]) <= action).all()
        assert (action <= np.array(told["high"])).all()


@pytest.mark.slow
def test_the_command_ends_soon_when_it_is_interrupted_while_it_plans():
    endless = ["--planning.planner.candidates=50000", "--planning.at_once=8"]
    with served(*endless) as (server, robot), ThreadPoolExecutor() as pool:
        robot.reset(SEEN)
        answer = pool.submit(robot.act, SEEN)
        time.sleep(2)
        assert not answer.done()
        server.send_signal(signal.SIGINT)
        server.wait(10)
        with pytest.raises(PolicyError):
            answer.result(5)
