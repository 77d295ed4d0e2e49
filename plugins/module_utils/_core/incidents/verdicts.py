# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which determination goes with which classification, in Graph's vocabulary, whichever service is asked.

Source: the Defender API's page on updating incidents, whose pairs are those that the service takes; the page on the resource
calls some of them otherwise, and these names are read as synonyms (`vocabulary.member()`). `apt` and `securityPersonnel` were
withdrawn in 2022: old objects have them, none can be given them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from ..errors import OptionError
from .vocabulary import ENUMS, member

DETERMINATIONS: Mapping[str, tuple[str, ...]] = {
    "truePositive": (
        "multiStagedAttack",
        "maliciousUserActivity",
        "compromisedAccount",
        "malware",
        "phishing",
        "unwantedSoftware",
        "other",
    ),
    "informationalExpectedActivity": ("securityTesting", "lineOfBusinessApplication", "confirmedActivity", "other"),
    "falsePositive": ("notMalicious", "notEnoughDataToValidate", "other"),
    "unknown": (),
}
_WRITABLE_DETERMINATIONS = ("unknown", *dict.fromkeys(name for names in DETERMINATIONS.values() for name in names))


def member_option(option: str, enum: str, value: str, *, choices: Iterable[str], verb: str = "be set to") -> str:
    """Return the member that an option names in the spelling of either service.

    :param choices: the members that the option can have.
    :param verb: what the option does with a member, for messages.
    :raises OptionError: for anything else, with what comes nearest.
    """
    allowed = tuple(choices)
    name = member(enum, value) or ""
    if name in allowed:
        return name
    if name in ENUMS[enum]:
        cause = f"{option} cannot {verb} '{value}'."
    else:
        near = difflib.get_close_matches(name.lower(), [choice.lower() for choice in allowed], n=1)
        nearest = next((choice for choice in allowed if near and choice.lower() == near[0]), None)
        cause = f"{option} has no value '{value}'." + (f" Did you mean {nearest}?" if nearest else "")
    raise OptionError(cause, next_step=f"It can {verb}: {', '.join(allowed)}.")


def classification_option(value: str) -> str:
    """Return the classification that an option names; raise `OptionError` where there is none of that name."""
    return member_option("classification", "classification", value, choices=DETERMINATIONS)


def determination_option(value: str) -> str:
    """Return the determination that an option names; raise `OptionError` where there is none, or it was withdrawn."""
    return member_option("determination", "determination", value, choices=_WRITABLE_DETERMINATIONS)


def check_pair(classification: str, determination: str) -> None:
    """Raise `OptionError` where a determination does not go with a classification; `unknown`, none yet, goes with all."""
    if determination == "unknown" or determination in DETERMINATIONS.get(classification, ()):
        return
    fitting = ", ".join(name for name, allowed in DETERMINATIONS.items() if determination in allowed)
    allowed = ", ".join(("unknown", *DETERMINATIONS.get(classification, ())))
    raise OptionError(
        f"The determination {determination} does not go with the classification {classification}.",
        next_step=f"With {classification} go: {allowed}." + (f" {determination} goes with: {fitting}." if fitting else ""),
    )
