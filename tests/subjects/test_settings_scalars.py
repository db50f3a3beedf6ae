from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.settings.scalars import expand, resolve
from worker.settings.words import Substituted, shown


@pytest.mark.parametrize(
    "text", ["NO", "no", "on", "off", "yes", "Y", "2026-01-01", "1:30", "1_000", "0b1", "1e", ".", "+"]
)
def test_words_of_older_yaml_stay_texts(text: str) -> None:
    """YAML 1.2 has no boolean NO, no date, no sexagesimal number and no 1_000."""
    assert resolve(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("~", None), ("null", None), ("true", True), ("FALSE", False), ("007", 7), ("-3", -3), ("0o17", 15),
     ("0x1F", 31), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("-.inf", -math.inf)],
)  # fmt: skip
def test_the_core_schema_knows_nothing_booleans_and_numbers(text: str, value: object) -> None:
    """What YAML 1.2.2 section 10.3.2 calls a number or a constant becomes one."""
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_a_number_too_long_for_any_setting_stays_a_text() -> None:
    """Python itself would refuse to read 5,000 digits."""
    assert resolve("9" * 5000) == "9" * 5000


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "one"),
        ("x${A}y${B}", "xoney"),
        ("${B:-two}", "two"),
        ("${C:-two}", "two"),
        ("${C:-}", ""),
        ("${A:-two}", "one"),
        ("$${A}", "${A}"),
        ("costs $5 or $$5", "costs $5 or $5"),
        ("$A", "$A"),
    ],
)
def test_variables_are_substituted_as_in_a_shell(text: str, expanded: str) -> None:
    """A default stands in for what is unset or empty; two dollars are one; a dollar alone is itself."""
    found = expand(text, {"A": "one", "B": ""})
    assert (found.text, found.errors) == (expanded, ())


@pytest.mark.parametrize("text", ["${", "${1A}", "${A", "${A:-${B}}", "${A-b}", "${}", "${file:/run/secret}"])
def test_a_broken_variable_is_an_error_and_not_a_text(text: str) -> None:
    """What begins like a variable is one, or somebody made a mistake."""
    assert any("${NAME}" in error for error in expand(text, {"A": "one"}).errors)


def test_an_unset_variable_is_named_with_the_remedy() -> None:
    """The error says which variable, and how a default is given."""
    (error,) = expand("${NEWS_TOKEN}", {}).errors
    assert "NEWS_TOKEN is not set" in error
    assert "${NEWS_TOKEN:-...}" in error


def test_what_came_from_the_environment_is_never_shown() -> None:
    """A text with a variable in it may be a secret."""
    found = expand("Bearer ${A}", {"A": "hunter2"})
    assert isinstance(found.text, Substituted)
    assert "hunter2" not in shown(found.text)


@settings(deadline=None)  # other processes may share the machine
@given(st.text(alphabet="${}:-AB ", max_size=30))
def test_any_text_expands_or_says_why_not(text: str) -> None:
    """Nothing raises, and a text without dollars comes back as it is."""
    found = expand(text, {"A": "x"})
    assert found.errors or "${A}" not in found.text or "$$" in text
    if "$" not in text:
        assert found.text == text


@settings(deadline=None)  # other processes may share the machine
@given(st.text(max_size=30))
def test_doubling_every_dollar_keeps_any_text(text: str) -> None:
    """With $$ for $ nothing is ever taken for a variable."""
    assert expand(text.replace("$", "$$"), {}).text == text
