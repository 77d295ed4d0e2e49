# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results that both runners build: from an outcome, from a foreseeable fault, from a defect."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import AuthenticationError, OptionError
from ansible_collections.m365d.partner.plugins.module_utils._module import defect_of, failure_of, result_of
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Outcome

DIFF = {"before": "a\n", "after": "b\n"}
OUTCOMES: list[tuple[Outcome, bool, dict[str, Any]]] = [
    (Outcome({"value": 1}), False, {"value": 1, "changed": False}),
    (Outcome({"value": 1}, changed=True, diff=DIFF), False, {"value": 1, "changed": True}),
    (Outcome({"value": 1}, changed=True, diff=DIFF), True, {"value": 1, "changed": True, "diff": DIFF}),
    (Outcome({"msg": "no"}, failed=True), True, {"msg": "no", "changed": False, "failed": True}),
]


@pytest.mark.parametrize(("outcome", "diff_mode", "wanted"), OUTCOMES)
def test_an_outcome_becomes_a_result(outcome: Outcome, diff_mode: bool, wanted: dict[str, Any]) -> None:
    assert result_of(outcome, diff_mode=diff_mode) == wanted


def test_a_fault_names_the_tenant_of_the_error_else_the_one_of_the_options() -> None:
    given = {"tenant_id": "fabrikam.example"}
    of_options = failure_of(OptionError("Wrong."), given)
    of_error = failure_of(AuthenticationError("No.", tenant_id="northwind.example", state="not_consented"), given)
    assert (of_options["tenant_id"], of_error["tenant_id"]) == ("fabrikam.example", "northwind.example")
    assert (of_options.get("consent_state"), of_error["consent_state"]) == (None, "not_consented")
    assert of_error["error"]["state"] == "not_consented"
    assert of_error["failed"] is True


def test_a_defect_tells_where_it_happened_and_hides_what_looks_like_a_secret() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("client_secret=4f8~canary and eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln")
    result = defect_of(caught.value)
    assert result["msg"].startswith("Unexpected RuntimeError (test_module_results.py, line ")
    for text in result.values():
        assert "canary" not in str(text)
        assert "eyJ" not in str(text)
