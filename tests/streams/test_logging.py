"""Logs are JSON lines that name no person and open no door."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streams.logging import REPEATS_KNOWN, Repeats, cleaned, configure, hush_clients


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("worker", "debug", stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_record_is_one_json_line_with_its_role(out: io.StringIO) -> None:
    structlog.get_logger("streams.x").info("recovered", rows=3)
    logging.getLogger("library").warning("slow by %s s", 3)
    first, second = lines(out)
    assert (first["event"], first["role"], first["rows"]) == ("recovered", "worker", 3)
    assert (second["event"], second["level"]) == ("slow by 3 s", "warning")


def test_nothing_personal_and_no_secret_is_written(out: io.StringIO) -> None:
    log = structlog.get_logger("streams.x")
    log.info("got", email="anna@shop.example", traits={"phone": "0912"}, rows=[{"phone": "0912"}])
    log.info("from anna@shop.example", url="redis://default:hunter2@cache/0")
    try:
        raise ValueError("bad address anna@shop.example")
    except ValueError:
        log.exception("failed", write_key="hunter2")
    logging.getLogger("library").error("sent to %s", "anna@shop.example")
    assert len(lines(out)) == 4
    for secret in ("anna@", "0912", "hunter2"):
        assert secret not in out.getvalue()
    assert "ValueError: bad address (hidden)" in str(lines(out)[2]["exception"])


def test_the_consumers_debug_level_which_prints_records_stays_off(out: io.StringIO) -> None:
    logging.getLogger("aiokafka.consumer").debug("record value %s", "anna")
    logging.getLogger("faust.topics").debug("record value %s", "anna")
    logging.getLogger("library").debug("harmless")
    assert [line["event"] for line in lines(out)] == ["harmless"]


def said(logger: str, words: str, at_s: float) -> None:
    logger_of = logging.getLogger(logger)
    record = logger_of.makeRecord(logger, logging.ERROR, "", 0, words, (), None)
    record.created = at_s
    logger_of.handle(record)


def test_the_same_words_of_a_client_pass_once_in_ten_seconds(out: io.StringIO) -> None:
    for at_s in (0.0, 0.1, 9.9, 10.0, 10.1, 30.0):
        said("aiokafka.cluster", "no broker, 100 % sure", at_s)
    said("aiokafka.cluster", "something else", 30.0)
    for _ in range(2):
        said("streams.lane", "ours are all told", 30.0)
    assert [line["event"] for line in lines(out)] == [
        "no broker, 100 % sure",
        "no broker, 100 % sure (2 more like it)",
        "no broker, 100 % sure (1 more like it)",
        "something else",
        "ours are all told",
        "ours are all told",
    ]


def test_ever_new_words_of_a_client_take_no_more_memory(out: io.StringIO) -> None:
    repeats = Repeats()
    for number in range(3 * REPEATS_KNOWN):
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, str(number), (), None)
        assert repeats.filter(record)
    assert len(repeats._said) <= REPEATS_KNOWN


def test_clients_keep_their_steps_to_themselves_while_a_command_answers(out: io.StringIO) -> None:
    hush_clients()
    try:
        logging.getLogger("aiokafka.consumer.subscription_state").info("Updating subscribed topics")
        logging.getLogger("library").info("harmless")
    finally:
        configure("test", stream=out)
    assert [line["event"] for line in lines(out)] == ["harmless"]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a.b+c@d-e.example.com!", "(hidden)!"),
        ("http://u:p@h:1/x", "http://(hidden)@h:1/x"),
        ("http://h:1/x", "http://h:1/x"),
        ("10 @ 5.00", "10 @ 5.00"),
    ],
)
def test_a_text_is_cleaned_of_addresses_and_passwords(text: str, clean: str) -> None:
    assert cleaned(text) == clean
