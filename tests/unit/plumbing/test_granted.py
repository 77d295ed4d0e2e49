# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Jinja test `m365d_granted`."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.test.m365d_granted import TestModule as Plugin

granted = Plugin().tests()["m365d_granted"]

READ, WRITE, ALERT = "SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All", "SecurityAlert.Read.All"
GRAPH = "https://graph.microsoft.com"
RESULT = {"resource": GRAPH, "roles": [READ, ALERT], "scopes": [], "consent_state": "ready"}
USER = {"resource": GRAPH, "roles": [], "scopes": [READ], "consent_state": "ready"}
NOTHING = {"resource": GRAPH, "roles": [], "scopes": [], "consent_state": "not_consented"}

CASES: list[tuple[Any, Any, dict[str, Any], bool]] = [
    (RESULT, READ, {}, True),
    (RESULT, [READ, ALERT], {}, True),
    (RESULT, [READ, WRITE], {}, False),
    (RESULT, [READ, WRITE], {"any": True}, True),
    (RESULT, [WRITE], {"any": True}, False),
    (RESULT, f"MicrosoftGraph/{READ}", {}, True),
    (RESULT, f"MicrosoftThreatProtection/{READ}", {}, False),
    (RESULT, READ.lower(), {}, False),
    (USER, READ, {}, True),
    (NOTHING, READ, {}, False),
    ({"aud": GRAPH, "roles": [READ]}, f"MicrosoftGraph/{READ}", {}, True),
    ({"aud": GRAPH, "scp": f"openid {READ}"}, READ, {}, True),
    ({**RESULT, "consent_state": "missing_roles"}, READ, {}, True),
    # A token that fails as to who it is for grants nothing, whatever stands in it.
    ({**RESULT, "consent_state": "credential_error"}, READ, {}, False),
    ({**RESULT, "consent_state": "unreachable"}, READ, {}, False),
    ({**USER, "consent_state": "credential_error"}, READ, {}, False),
    (RESULT, [READ, WRITE], {"any": "false"}, False),
    (RESULT, [READ, WRITE], {"any": "yes"}, True),
    ([READ, WRITE], READ, {}, True),
    ([], READ, {}, False),
    (READ, READ, {}, True),
]


@pytest.mark.parametrize(("value", "roles", "options", "wanted"), CASES)
def test_it_tells_whether_the_roles_are_there(value: Any, roles: Any, options: dict[str, Any], wanted: bool) -> None:
    assert granted(value, roles, **options) is wanted


@pytest.mark.parametrize(
    ("value", "roles", "message"),
    [
        (RESULT, [], "no role is asked for"),
        (RESULT, None, "no role is asked for"),
        (RESULT, 7, "roles must be a role or a list of roles"),
        ({"msg": "failed"}, READ, "neither a result of m365d_token nor the claims"),
        (7, READ, "the input must be a role or a list of roles"),
    ],
)
def test_it_refuses_what_makes_no_sense(value: Any, roles: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        granted(value, roles)


def test_it_refuses_a_switch_that_is_none() -> None:
    with pytest.raises(AnsibleFilterError, match="any must be a boolean"):
        granted(RESULT, READ, any="perhaps")
