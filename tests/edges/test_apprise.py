"""The channel through Apprise: its own services, talking to servers on loopback."""

from __future__ import annotations

import email
import email.policy
import json
import logging
import socket
import sys
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, alert, article, message
from tests.edges.servers import Asked, Site, dripping, plain, serve
from tests.subjects.test_wording import DEVELOPMENT, FORMS
from worker import build
from worker.channels import wording
from worker.channels.apprise import AppriseChannel, _harmless
from worker.channels.base import NOBODY_KNOWS, Doubtful
from worker.errors import ConfigError, Retryable
from worker.settings import load

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.fixture(scope="module", autouse=True)
def _all_services() -> None:
    """Have Apprise load its services, which takes a second: once, and not while tests are collected."""
    with warnings.catch_warnings():
        # One of its modules asks for a module that Python 3.13 has no more.
        warnings.simplefilter("ignore", DeprecationWarning)
        AppriseChannel("first", "json://127.0.0.1")


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a server that takes what is posted to /hook."""
    with serve() as served:
        served.answers["/hook"] = plain(b"ok")
        yield served


def url(site: Site, path: str = "/hook", query: str = "") -> str:
    """Return the URL of Apprise's service json:// for a server."""
    return f"json://127.0.0.1:{site.port}{path}{query}"


def posts(site: Site) -> list[Asked]:
    """Return what the server was posted."""
    return [asked for asked in site.asked if asked.method == "POST"]


@dataclass
class Post:
    """A mail server that keeps what it is sent, or refuses it with ``answer``."""

    port: int = 0
    answer: str = "250 OK"
    mails: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """Take a mail, or do not."""
        if self.answer.startswith("250"):
            self.mails.append(envelope)
        return self.answer

    def url(self, query: str = "") -> str:
        """Return the URL of Apprise's service mailto:// for it."""
        return f"mailto://127.0.0.1:{self.port}?from=watch@house.example&to=desk@house.example&mode=insecure{query}"


@pytest.fixture
def post() -> Iterator[Post]:
    """Give a mail server."""
    kept = Post()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        kept.port = free.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=kept.port)
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()


# What is sent.


@pytest.mark.parametrize("form", FORMS)
def test_a_message_is_sent_as_a_title_and_a_text(site: Site, form: str) -> None:
    """In the words of every channel; addresses in them stay what they are."""
    assert AppriseChannel("mail", url(site)).send(FORMS[form], now=NOON) is None
    (asked,) = posts(site)
    said = json.loads(asked.body)
    assert (said["title"], said["message"]) == wording.plain(FORMS[form])


def test_it_goes_to_every_url(site: Site) -> None:
    """One after another."""
    site.answers["/other"] = plain(b"ok")
    AppriseChannel("mail", [url(site), url(site, "/other")]).send(message(), now=NOON)
    assert [asked.path for asked in posts(site)] == ["/hook", "/other"]


def test_it_goes_by_mail(post: Post) -> None:
    """Through Apprise's own mail service, to a server of mail."""
    title = 'Raketen <b>für</b> "alle" & keinen 🚀'
    told = replace(DEVELOPMENT, article=article(title=title))
    AppriseChannel("mail", post.url("&format=text")).send(told, now=NOON)
    (mail,) = post.mails
    assert mail.rcpt_tos == ["desk@house.example"]
    assert isinstance(mail.content, bytes)
    read = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert read["subject"] == f"Development: {title}"
    body = read.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").strip() == wording.plain(told)[1]


def test_markup_in_a_title_is_text_in_a_mail_of_html(post: Post) -> None:
    """Which mails are when the URL says so."""
    told = message(article=article(outlet="<img src=x onerror=alert(1)>"))
    AppriseChannel("mail", post.url("&format=html")).send(told, now=NOON)
    content = post.mails[0].content
    assert isinstance(content, bytes)
    read = email.message_from_bytes(content, policy=email.policy.default)
    body = read.get_body(("html",))
    assert body is not None
    assert "<img" not in body.get_content()
    assert "&lt;img" in body.get_content()


def test_a_long_digest_comes_in_parts_where_a_service_takes_no_more(site: Site) -> None:
    """A service that cuts, or refuses, would lose alerts."""
    channel = AppriseChannel("mail", url(site))
    for service in channel._service(1, channel._urls[0]):
        assert service.overflow_mode == channel._apprise.OverflowMode.SPLIT
    for service in channel._service(1, channel._urls[0] + "?overflow=truncate"):
        assert service.overflow_mode == channel._apprise.OverflowMode.TRUNCATE


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("@everyone look", "@\u200beveryone look"),
        ("mail a@b.example", "mail a@\u200bb.example"),
        ("<!channel> <@U1> <#C1> <@&9>", "<\u200b!channel> <\u200b@\u200bU1> <\u200b#C1> <\u200b@&9>"),
        ("see https://medium.example/@who?a=<!here>", "see https://medium.example/%40who?a=%3C!here>"),
        ("3 < 4 @ noon", "3 < 4 @ noon"),
    ],
)
def test_no_text_calls_people_together(text: str, made: str) -> None:
    """Discord reads "@everyone" wherever it stands, Slack "<!channel>"; it looks as before."""
    assert _harmless(text) == made


@given(st.text(st.sampled_from("a@<!#&>:/ hHtTpPs\n"), max_size=40))
def test_no_text_of_any_kind_calls_people_together(text: str) -> None:
    """Also one that looks like an address, and a text that was made harmless already."""
    made = _harmless(text)
    assert "<!" not in made
    assert "<@" not in made
    assert "@a" not in made
    assert _harmless(made) == made


# What an answer means.


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
def test_a_no_is_worth_another_try(site: Site, status: int) -> None:
    """Apprise says no more; the status is overheard, for those who have to mend it."""
    site.answers["/hook"] = plain(status=status)
    with pytest.raises(Retryable, match=rf"^channel mail: its url did not take the message \(answered {status} \w"):
        AppriseChannel("mail", url(site)).send(message(), now=NOON)


def test_a_refused_connection_is_worth_another_try() -> None:
    """Whichever service it is."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for address in (f"json://127.0.0.1:{port}/", Post(port=port).url()):
            with pytest.raises(Retryable, match=r"^channel mail: its url did not take the message$"):
                AppriseChannel("mail", address).send(message(), now=NOON)


def test_a_mail_that_is_refused_is_worth_another_try(post: Post) -> None:
    """And goes out when the server takes it."""
    post.answer = "451 4.3.0 come again later"
    channel = AppriseChannel("mail", post.url())
    with pytest.raises(Retryable):
        channel.send(message(), now=NOON)
    post.answer = "250 OK"
    assert channel.send(message(), now=NOON) is None
    assert len(post.mails) == 1


def test_with_several_urls_the_message_names_the_one_that_failed(site: Site) -> None:
    """The others had it, and get it again with the next attempt: at least once."""
    channel = AppriseChannel("mail", [url(site), url(site, "/gone")])
    for _ in range(2):
        with pytest.raises(Retryable, match=r"^channel mail: url 2 of 2 did not take the message \(answered 404"):
            channel.send(message(), now=NOON)
    assert [asked.path for asked in posts(site)] == ["/hook", "/gone"] * 2


def test_a_service_that_is_not_done_in_time_leaves_a_doubt(site: Site) -> None:
    """It goes on by itself, and may yet say yes."""
    site.answers["/hook"] = dripping(40, 0.05)
    with pytest.raises(Doubtful, match=r"^channel mail: its url was not done in 0\.3 s; the message may have arrived"):
        AppriseChannel("mail", url(site), deadline=0.3).send(message(), now=NOON)


def test_redirects_are_not_followed(site: Site) -> None:
    """A GET would come of some, and a false success."""
    site.answers |= {"/hook": plain(status=302, Location="/other"), "/other": plain(b"ok")}
    with pytest.raises(Retryable, match="302"):
        AppriseChannel("mail", url(site)).send(message(), now=NOON)
    assert [asked.path for asked in site.asked] == ["/hook"]
    AppriseChannel("mail", url(site, query="?redirect=yes")).send(message(), now=NOON)
    assert site.asked[-1].path == "/other"


def test_an_error_of_a_service_is_worth_another_try(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text may hold a secret, so its kind alone is told."""
    channel = AppriseChannel("mail", url(site))

    def fails(*_: object, **__: object) -> None:
        raise KeyError("Zq7secret")

    monkeypatch.setattr(channel._apprise.Apprise, "notify", fails)
    with pytest.raises(Retryable, match=r"^channel mail: its url failed \(KeyError\)$") as caught:
        channel.send(message(), now=NOON)
    assert "Zq7secret" not in "".join(traceback.format_exception(caught.value))


def test_it_cannot_be_asked(site: Site) -> None:
    """An alert in doubt stays in doubt."""
    assert AppriseChannel("mail", url(site)).find(message(), since=NOON) is NOBODY_KNOWS


def test_threads_share_a_channel(site: Site) -> None:
    """Each message goes out once, and nobody overhears another's status."""
    site.answers["/bad"] = plain(status=500)
    good, bad = AppriseChannel("mail", url(site)), AppriseChannel("mail", url(site, "/bad"))

    def send(number: int) -> str:
        try:
            (good if number % 2 else bad).send(message(alert=alert(number)), now=NOON)
        except Retryable as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(send, range(40)))
    refused = "channel mail: its url did not take the message (answered 500 Internal Server Error)"
    assert ends == [refused, ""] * 20
    assert len([asked for asked in posts(site) if asked.path == "/hook"]) == 20


# What must not come out.


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Collect what any library logs, at any level."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {record.getMessage()}")

    root, collector = logging.getLogger(), Collector(level=1)
    before = root.level
    root.addHandler(collector)
    root.setLevel(1)
    try:
        yield lines
    finally:
        root.setLevel(before)
        root.removeHandler(collector)


@pytest.mark.parametrize("ends", ["taken", "refused", "dropped", "nobody", "slow", "mail"])
def test_no_part_of_a_url_is_in_any_text(site: Site, post: Post, ends: str) -> None:
    """Not in an error, its traceback, a log line of any library, or what the channel shows of itself."""
    hidden, port = "Zq7hidden", site.port
    site.answers[f"/{hidden}"] = {
        "refused": plain(status=500, Location=f"/{hidden}"),
        "dropped": lambda handler: setattr(handler, "close_connection", True),
        "slow": dripping(40, 0.05),
    }.get(ends, plain(b"ok"))
    with everything_logged() as lines, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1] if ends == "nobody" else site.port
        address = f"json://{hidden}:{hidden}@127.0.0.1:{port}/{hidden}?+X-Key={hidden}"
        if ends == "mail":
            address = post.url(f"&user={hidden}&pass={hidden}")
        texts: list[str] = []
        channel = AppriseChannel("mail", address, deadline=0.5)
        try:
            channel.send(message(), now=NOON)
        except (Retryable, Doubtful) as error:
            texts = [*traceback.format_exception(error), repr(error), str(vars(error))]
        assert bool(texts) == (ends != "taken")
    assert not [text for text in (*lines, *texts, repr(channel)) if hidden in text]


# As it is configured.


def test_a_url_that_apprise_does_not_know_is_said_at_the_start() -> None:
    """With its number, and not with itself: it may hold a password."""
    with pytest.raises(ConfigError, match=r"^alerts\.yaml: channel mail: url 2 of 2 is not one that Apprise") as caught:
        AppriseChannel("mail", ["json://127.0.0.1", "nonsense://me:Zq7@x"])
    assert "Zq7" not in str(caught.value)


def test_without_apprise_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"^alerts\.yaml: channel mail: .*install wirewatch\[apprise\]$"):
        AppriseChannel("mail", "json://127.0.0.1")


@pytest.mark.parametrize("several", [False, True])
def test_a_configured_channel_sends(site: Site, tmp_path: Path, *, several: bool) -> None:
    """To one URL or a list of them, as alerts.yaml says."""
    urls = [url(site)] * 2 if several else url(site)
    (tmp_path / "alerts.yaml").write_text(json.dumps({"channels": {"mail": {"type": "apprise", "url": urls}}}))
    with (tmp_path / "screen").open("w") as screen:
        build.live_channels(load(tmp_path, {}), screen=screen)["mail"].send(message(), now=NOON)
    assert len(posts(site)) == (2 if several else 1)


def test_the_channel_of_every_thread_is_quiet_from_the_start() -> None:
    """Making one twice does not make it hear twice."""
    before = len(logging.getLogger("apprise").filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: AppriseChannel(f"mail-{n}", "json://127.0.0.1"), range(8)))
    assert len(logging.getLogger("apprise").filters) == before
