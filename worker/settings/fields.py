"""The kinds of value that settings have, as pydantic types.

Every check says in plain words what was expected. What it shows of a value goes through ``shown``, so that
nothing that came from the environment is repeated; URLs and secrets are not shown at all.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from worker.settings import addresses, hours, languages, models, units
from worker.settings.words import Substituted, did_you_mean, kind, listed, shown

T = TypeVar("T")

#: The type of the errors that carry our own words.
SAID = "said"
#: Bytes of a secret; Standard Webhooks 1.0.0, "Symmetric signatures".
_SECRET_BYTES = range(24, 65)
_SECRET_PREFIX = "whsec_"  # noqa: S105 - a public prefix
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
_WHOLE = re.compile(r"[-+]?[0-9]{1,15}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_WILD = re.compile(r"[*?\[]")
_LONGEST_ID = 200
_EMPTY_LIST = "expected text, or a list of texts, found an empty one"


class Shape(BaseModel):
    """A mapping of a settings file: unknown keys are errors, a key without a value is left out."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:  # noqa: ANN401 - anything may stand in the file
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if v is not None or k not in cls.model_fields}


def said(message: str) -> PydanticCustomError:
    """Return an error that says ``message`` as it is."""
    return PydanticCustomError(SAID, "{message}", {"message": message})


def _text(check: Callable[[str], str]) -> BeforeValidator:
    """Return ``check`` for texts. It runs before pydantic forgets which texts came from the environment."""

    def checked(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return check(value)
        except ValueError as error:
            raise said(str(error)) from None

    return BeforeValidator(checked)


def _measured(what: str, read: Callable[[object], T], good: Callable[[T], bool], bound: str) -> Callable[[object], T]:
    def checked(value: object) -> T:
        try:
            measure = read(value)
        except ValueError as error:
            if isinstance(value, Substituted):
                raise said(f"the value of the variable is no {what}") from None
            found = shown(value) if isinstance(value, str) else kind(value)
            raise said(f"{found} is no {what}; {error}") from None
        if not good(measure):
            raise said(bound)
        return measure

    return checked


def _choice(*names: str) -> Callable[[object], str]:
    def checked(value: object) -> str:
        if isinstance(value, str) and value in names:
            return str(value)
        quotes = "; put it in quotes" if isinstance(value, bool) else ""
        found = shown(value) if isinstance(value, str) else kind(value) + quotes
        hint = did_you_mean(value, names) if isinstance(value, str) else ""
        raise said(f"expected {listed(names)}, found {found}{hint}")

    return checked


def _from_variable(pattern: re.Pattern[str], read: Callable[[str], T]) -> Callable[[object], object]:
    """Return a reader of numbers that came from the environment, where everything is text."""

    def checked(value: object) -> object:
        return read(value) if isinstance(value, Substituted) and pattern.fullmatch(value) else value

    return checked


def _boolean(value: object) -> object:
    if isinstance(value, Substituted):
        return {"true": True, "false": False}.get(value.lower(), value)
    if isinstance(value, str) and value.lower() in {"yes", "no", "on", "off", "true", "false"}:
        right = "true" if value.lower() in {"yes", "on", "true"} else "false"
        raise said(f"expected true or false, found {shown(value)}; write {right}, without quotes")
    return value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def _one_mapping(value: object) -> object:
    return [value] if isinstance(value, dict) else value


def _groups(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, list) and value and not any(map(_is_container, value))):
        raise said(
            "expected a list of lists: each inner list is a group of which one must occur; "
            "write [[missile, rocket]] for one group"
        )
    return value


def _is_container(value: object) -> bool:
    return isinstance(value, list | dict)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("expected text, found an empty one")
    return value


def check_id(value: str) -> str:
    """Return ``value`` when it can be an id.

    Raises:
        ValueError: It cannot; the text says why.
    """
    if not value or value != value.strip() or not value.isprintable() or len(value) > _LONGEST_ID:
        raise ValueError(f"an id is one line of at most {_LONGEST_ID} characters without spaces at its ends")
    if _WILD.search(value):
        raise ValueError("an id holds none of * ? [, which are wild cards in routes")
    return value


def _listen(value: str) -> str:
    addresses.listen(value)
    return value


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise ValueError("a header's name holds letters, digits and hyphens only (RFC 9110 section 5.1)")
    return value


def _header_value(value: str) -> str:
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError("a header's value is one line of ASCII (RFC 9110 section 5.5)")
    return value.strip()


def _text_or_texts(check: Callable[[str], str]) -> Callable[[object], str | tuple[str, ...]]:
    """Return ``check`` for a text, or for each text of a list, none of which may be empty."""

    def checked(value: object) -> str | tuple[str, ...]:
        texts = value if isinstance(value, list) else []
        if not isinstance(value, str) and (not texts or not all(isinstance(text, str) for text in texts)):
            raise said(f"expected text, or a list of texts, found {_short(value)}" if value != [] else _EMPTY_LIST)
        try:
            return check(value) if isinstance(value, str) else tuple(check(_not_empty(text)) for text in texts)
        except ValueError as error:
            raise said(str(error)) from None

    return checked


def _networks(value: object) -> bool | tuple[str, ...]:
    value = _boolean(value)
    if isinstance(value, bool):
        return value
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise said(f'expected true, false or a list of networks such as ["10.0.0.0/8"], found {_short(value)}')
    try:
        return tuple(addresses.network(item) for item in value) or False
    except ValueError as error:
        raise said(str(error)) from None


def _short(value: object) -> str:
    return "a list with other things in it" if isinstance(value, list) else kind(value)


def _first_poll(value: object) -> str | timedelta:
    if isinstance(value, str) and value in {"baseline", "all"}:
        return str(value)
    try:
        span = units.duration(value)
    except ValueError:
        found = shown(value) if isinstance(value, str) else kind(value)
        hint = did_you_mean(value, ("baseline", "all")) if isinstance(value, str) else ""
        raise said(f"expected baseline, all or a duration such as 24h, found {found}{hint}") from None
    if not span:
        raise said("expected a duration longer than 0; write baseline to take nothing from a first poll")
    return span


def well_made_secret(value: str) -> bool:
    """Return whether ``value`` is a secret as Standard Webhooks defines it: ``whsec_`` and base64."""
    try:
        key = base64.b64decode(value.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        return False
    return value.startswith(_SECRET_PREFIX) and len(key) in _SECRET_BYTES


def choice(*names: str) -> PlainValidator:
    """Return the check that a text is one of ``names``."""
    return PlainValidator(_choice(*names))


def _above_zero(value: timedelta | int) -> bool:
    return bool(value)


def _anything(_: object) -> bool:
    return True


Span = Annotated[
    timedelta, PlainValidator(_measured("duration", units.duration, _above_zero, "expected a duration longer than 0"))
]
Pause = Annotated[timedelta, PlainValidator(_measured("duration", units.duration, _anything, ""))]
Size = Annotated[int, PlainValidator(_measured("size", units.size, _above_zero, "expected a size larger than 0"))]
Flag = Annotated[bool, BeforeValidator(_boolean)]
Whole = Annotated[int, BeforeValidator(_from_variable(_WHOLE, int))]
AtLeastZero = Annotated[Whole, Field(ge=0)]
AtLeastOne = Annotated[Whole, Field(ge=1)]
Fraction = Annotated[float, BeforeValidator(_from_variable(_NUMBER, float)), Field(ge=0, le=1, allow_inf_nan=False)]
OneOrMany = BeforeValidator(_one_mapping)
Text = Annotated[str, _text(_not_empty)]
Id = Annotated[str, _text(check_id)]
Texts = Annotated[list[str], BeforeValidator(_one_or_many)]
Names = Annotated[list[Text], BeforeValidator(_one_or_many)]
Groups = Annotated[list[Texts], BeforeValidator(_groups)]
Language = Annotated[str, _text(languages.code)]
Languages = Annotated[list[Language], BeforeValidator(_one_or_many)]
Url = Annotated[str, _text(addresses.web_url)]
OptionalUrl = Annotated[str, _text(lambda value: value and addresses.web_url(value))]
ServiceUrl = Annotated[str, _text(addresses.service_url)]
NotifyUrls = Annotated[str | tuple[str, ...], PlainValidator(_text_or_texts(addresses.notify_url))]
Secrets = Annotated[str | tuple[str, ...], PlainValidator(_text_or_texts(str))]
ReadBack = Annotated[str, _text(addresses.read_back)]
Broker = Annotated[str, _text(addresses.broker)]
Ledger = Annotated[str, _text(addresses.ledger)]
Listen = Annotated[str, _text(_listen)]
Model = Annotated[str, _text(models.model), _text(_not_empty)]  # the last one is asked first
Verifier = Annotated[str, _text(models.verifier), _text(_not_empty)]
Networks = Annotated[bool | tuple[str, ...], PlainValidator(_networks)]
FirstPoll = Annotated[str | timedelta, PlainValidator(_first_poll)]
QuietHours = Annotated[str, _text(hours.quiet_hours)]
DigestTimes = Annotated[str, _text(hours.digest)]
Headers = dict[Annotated[str, _text(_header_name)], Annotated[str, _text(_header_value)]]
HeaderValue = Annotated[Text, _text(_header_value)]
Port = Annotated[Whole, Field(ge=1, le=65_535)]
