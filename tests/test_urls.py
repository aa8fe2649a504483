"""A URL is shown without its secrets, and so is a text that holds it."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from green_optuna.urls import MASK, hide_secrets, secrets_of, shown_data, shown_text, shown_url

SCHEMES = st.sampled_from(["http", "https", "postgresql", "mysql+pymysql", "mssql+pyodbc"])
WORDS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
PASSWORDS = st.text(min_size=1, max_size=12).map(lambda text: quote(text, safe=""))
SECRET_KEYS = st.sampled_from(
    ["password", "PWD", "token", "access_token", "api_key", "sig", "client%5Fsecret", "pass%77ord"]
)
PLAIN_KEYS = st.sampled_from(["charset", "sslmode", "timeout", "design"])


@st.composite
def urls(draw: st.DrawFn, *, secrets: bool) -> tuple[str, str]:
    """Draw a URL and how it shall be shown; they are the same where it has no secrets."""
    scheme, user, host, path = draw(SCHEMES), draw(WORDS), draw(WORDS), draw(WORDS)
    port = draw(st.sampled_from(["", ":5000"]))
    key, value = (draw(SECRET_KEYS), draw(PASSWORDS)) if secrets else (draw(PLAIN_KEYS), "utf8")
    password = draw(PASSWORDS) if secrets else ""
    start = f"{scheme}://{user}:" if secrets else f"{scheme}://"
    at = "@" if secrets else ""
    end = f"{at}{host}{port}/{path}?a=b&{key}="
    shown = f"{start}{MASK}{end}{MASK}&c=d" if secrets else f"{start}{end}{value}&c=d"
    return f"{start}{password}{end}{value}&c=d", shown


@given(urls(secrets=True))
def test_a_password_and_secret_query_values_are_masked(drawn: tuple[str, str]) -> None:
    """What is shown is the URL with a mask for each secret: nothing in it depends on them."""
    url, shown = drawn
    assert shown_url(url) == shown


@given(urls(secrets=False))
def test_a_url_without_secrets_is_shown_as_it_is(drawn: tuple[str, str]) -> None:
    """Host, port, path and plain query values are no secrets."""
    url, shown = drawn
    assert shown_url(url) == url == shown
    assert secrets_of(url) == ()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mlflow.db",
        "/home/me/runs@work/studies.db",
        "C:\\runs\\mlflow.db",
        "sqlite:///mlflow.db",
        "sqlite:////home/me@work/mlflow.db",
        "sqlite://",
        "databricks",
        "databricks://profile",
        "http://localhost:5000",
        "http://localhost:5000/a@b",
        "http://[::1]:5000/#/experiments/1",
        "https://host/mlflow?tab=runs#top",
        "sqlite:///C:/Users/me@work/mlflow.db",
        "C:\\Users\\me@work\\mlflow.db",
        "C:/Users/me@work/mlflow.db",
        "journal:/home/me@work/study.log",
        "file:/home/me@work/mlruns",
        "me@example.org",
        "study.storage=sqlite:///studies.db",
        "postgresql://me@host:5432/optuna",
        "postgresql://me:@host/optuna",
        "http://[broken",
    ],
)
def test_a_path_or_a_plain_url_is_shown_as_it_is(url: str) -> None:
    """There is nothing to hide."""
    assert shown_url(url) == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://s3cret@host/mlflow", "https://***@host/mlflow"),
        ("https://:s3cret@host/mlflow", "https://:***@host/mlflow"),
        ("http://me:s3@cret@host", "http://me:***@host"),
        ("postgresql://me:s3/cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:3/s3cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:s3#c?ret@host/db", "postgresql://me:***@host/db"),
        ("http://me:s3/cret@host", "http://me:***@host"),
        ("mysql+pymysql://me:s3@cr/et@host:3306/db", "mysql+pymysql://me:***@host:3306/db"),
        ("mysql+pymysql://me:s3@cr/et@host/db?a=b@c", "mysql+pymysql://me:***@host/db?a=b@c"),
        ("postgresql:///me:s3cret@host/db", "postgresql:///me:***@host/db"),
        ("postgresql:/me:s3cret@host/db", "postgresql:***@host/db"),
        ("postgresql:me:s3cret@host/db", "postgresql:***@host/db"),
        ("postgresql//me:s3cret@host/db", "postgresql//me:***@host/db"),
        ("me:s3cret@host/db", "me:***@host/db"),
        ("me:/s3:c@ret@host/db", "me:***@host/db"),
        ("me:s3://cret@host/db", "me:***@host/db"),
        ("me:s3cret@host/db?password=s3cret", "me:***@host/db?password=***"),
        ("study.storage=me:s3cret@host/db", "study.storage=me:***@host/db"),
        ("journal://me:s3cret@host/s.log", "journal://me:***@host/s.log"),
        ("study.storage='redis://me:s3cret@host/db'", "study.storage='redis://me:***@host/db'"),
        ("study.storage=redis://me:s3cret@host/db", "study.storage=redis://me:***@host/db"),
        ("admin://admin:admin@admin/admin", "admin://admin:***@admin/admin"),
        ("redis://:s3cret@host:6379/0", "redis://:***@host:6379/0"),
        ("sqlite:///file:x.db?uri=true&key=s3cret", "sqlite:///file:x.db?uri=true&key=***"),
        ("mssql:///?odbc_connect=DRIVER%3DX%3BPWD%3Ds3cret", "mssql:///?odbc_connect=***"),
        ("postgresql:///db?password=s3#cret&a=b", "postgresql:///db?password=***&a=b"),
        ("https://host/#access_token=s3cret", "https://host/#access_token=***"),
    ],
)
def test_unusual_places_of_a_secret_are_known(url: str, shown: str) -> None:
    """A token for a user, characters that want encoding, the query of a driver, a fragment."""
    assert shown_url(url) == shown


@given(st.sampled_from(["postgresql", "mysql+pymysql"]), st.text(min_size=1, max_size=12))
def test_all_that_sqlalchemy_takes_for_the_password_is_hidden(scheme: str, password: str) -> None:
    """The password of a storage, written without encoding, is hidden as SQLAlchemy reads it."""
    password = password.replace("@", "").replace("\n", "").replace("\r", "") or "x"
    url = f"{scheme}://me:{password}@host/db"
    read = make_url(url).password
    assert shown_url(url) == f"{scheme}://me:***@host/db"
    assert read in secrets_of(url)


@given(urls(secrets=True).map(lambda drawn: drawn[0]), st.text())
def test_a_text_keeps_no_secret_raw_or_decoded(url: str, text: str) -> None:
    """Whichever form another library shows a secret in, the message hides it."""
    secrets = secrets_of(url)
    for secret in secrets:
        said = hide_secrets(f"{text}: cannot log in with {secret} to {url}", secrets)
        assert secret not in said.replace(MASK, "")


def test_decoded_secrets_are_known() -> None:
    """A server may repeat a password as it reads it."""
    assert secrets_of("postgresql://me:p%40ss%2Fw+1@host/db") == (
        "p%40ss%2Fw+1",
        "p@ss/w 1",
        "p@ss/w+1",
    )


def test_the_pieces_of_a_password_that_is_read_wrongly_are_known() -> None:
    """A driver ends it at its first @, and then repeats the rest as a host or a database."""
    secrets = secrets_of("mysql+pymysql://me:one@two/three@host/db")
    said = "Unknown host 'two', database 'three@host/db', password 'one'"
    assert hide_secrets(said, secrets) == (
        "Unknown host '***', database '***@host/db', password '***'"
    )


@pytest.mark.parametrize("quotes", ["", "'", '"', "`"])
def test_the_urls_inside_a_text_are_shown_without_their_passwords(quotes: str) -> None:
    """An error of another library holds the URL that it failed at, quoted or not."""
    said = (
        f"API request to {quotes}http://me:s3cret@host:9/api?a=b{quotes} failed, and then "
        f"{quotes}postgresql://me:s3cret@host/db{quotes} as well"
    )
    assert shown_text(said) == said.replace("s3cret", MASK)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:/me:s3cret@host/db",
        "postgresql//me:s3cret@host/db",
        "me:s3cret@host/db",
        "me:s3cret@host:5432",
        "mysql://me:s3@cr/et@host/db",
    ],
)
@pytest.mark.parametrize("quotes", ["", "'", '"', "`"])
def test_urls_that_are_written_wrongly_are_found_in_a_text(quotes: str, url: str) -> None:
    """An error repeats what it could not read."""
    said = f"Could not parse {quotes}{url}{quotes}, whatever it is"
    assert shown_text(said) == said.replace(url, shown_url(url))
    assert "s3" not in shown_text(said)


@pytest.mark.parametrize(
    "said",
    [
        "The password: is it `a:b@c`? 3 / 4 // 5 @ noon",
        "Write to me@example.org: it helps, or to: you@example.org/help",
        "mailto:me@example.org, or mailto:me@example.org: done",
        "at 12:30@home, line 3:4",
        "git@github.com:me/repository, pip install name@https://host/file",
        "image:1.2@sha256:0123abcd",
        'File "/home/me@work/train.py", line 3',
        "C:\\Users\\me@work\\train.py and journal:/home/me@work/study.log",
    ],
)
def test_a_text_without_urls_stays_as_it_is(said: str) -> None:
    """Nothing else in a message is touched: no address, no path, no time."""
    assert shown_text(said) == said


def test_known_secrets_are_hidden_outside_urls_too() -> None:
    """What a URL would not show is hidden wherever it stands."""
    secrets = secrets_of("http://me:p%40ss@host")
    assert (
        shown_text("user 'me' with 'p@ss' or 'p%40ss'", secrets) == "user 'me' with '***' or '***'"
    )


@pytest.mark.parametrize(
    "value",
    [
        "resnet50:in1k@224/fp16",
        "clip:ViT-B/32@336px:2",
        "run:lr=0.1@step/4",
        "img:tag@sha256:1234",
        "s3://bucket/key@v1",
        "hf://model?tokenizer=bert&keyword=cat",
        "me@example.org",
        '{"a": "b@c"}',
    ],
)
def test_a_value_that_is_no_url_with_a_secret_stays_as_it_is(value: str) -> None:
    """Two models whose names differ are two models."""
    assert shown_data({value: [value, 1, None]}) == {value: [value, 1, None]}


def test_data_show_no_password_of_a_url() -> None:
    """In texts and names, however deep they lie."""
    url, shown = "postgresql://me:hunter2@db/x", "postgresql://me:***@db/x"
    assert shown_data({url: [f"from {url}", {"to": url}]}) == {
        shown: [f"from {shown}", {"to": shown}]
    }
    assert shown_data("https://host/x?access_token=abc") == "https://host/x?access_token=***"
