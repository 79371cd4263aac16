"""Why a role ends, and whether starting it again could help."""

import pytest

from models.customer import NewerState
from streams.exit import FAILED, REFUSED, end_process


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, FAILED), (ConnectionError("gone"), FAILED), (NewerState("row of 9"), REFUSED)],
)
def test_a_process_ends_with_the_code_its_supervisor_understands(
    error: BaseException | None, code: int
) -> None:
    with pytest.raises(AssertionError, match=f"ended with {code}$"):
        end_process("a test", error)
