"""Our signature, against what the standard prints and what its own library verifies."""

import time

import pytest
from standardwebhooks import Webhook

from sinks.signing import BadSecret, headers_of

# The example of the Standard Webhooks libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOTICE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
AT_S = 1614265330
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_is_the_one_the_standard_prints() -> None:
    headers = headers_of(NOTICE, BODY, AT_S, SECRET)
    assert headers["webhook-id"] == NOTICE
    assert headers["webhook-timestamp"] == str(AT_S)
    assert headers["webhook-signature"] == SIGNATURE


def test_while_a_secret_is_replaced_both_sign() -> None:
    both = headers_of(NOTICE, BODY, AT_S, f"a plain one, {SECRET}")["webhook-signature"].split(" ")
    assert len(both) == 2
    assert both[1] == SIGNATURE


def test_without_a_secret_nothing_is_signed() -> None:
    assert "webhook-signature" not in headers_of(NOTICE, BODY, AT_S, "")


def test_a_secret_that_is_no_base64_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadSecret) as refused:
        headers_of(NOTICE, BODY, AT_S, "whsec_not base64")
    assert "not base64" not in str(refused.value)


def test_the_standards_own_library_verifies_it() -> None:
    body = '{"to": "陳"}'.encode()
    headers = headers_of("a1", body, int(time.time()), SECRET)
    assert Webhook(SECRET).verify(body.decode(), headers) == {"to": "陳"}
