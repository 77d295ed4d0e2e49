# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps secrets out of results and messages, beside the table of options."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.m365d.partner.plugins.plugin_utils._lookup import _refuse_secrets_that_are_no_text
from ansible_collections.m365d.partner.plugins.plugin_utils._scrub import without_secrets
from hypothesis import given
from hypothesis import strategies as st

_LETTERS = st.text(alphabet='ab1"\\/\n\t\u2028\u00e9\U0001f600\ud800\x00\x7f', max_size=4)
_VALUES = st.recursive(
    _LETTERS | st.integers(0, 99) | st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_LETTERS | st.integers(0, 9) | st.none(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3), _LETTERS.filter(bool))
def test_the_quick_search_masks_what_ansibles_own_walk_masks(result: dict[str, Any], secret: str) -> None:
    assert without_secrets(result, {secret}) == remove_values(result, {secret})


def test_a_result_that_is_too_deep_for_the_quick_search_is_walked() -> None:
    deep: dict[str, Any] = {"a": "abcdefgh"}
    for _level in range(3000):
        deep = {"a": deep}
    found = without_secrets({"a": deep}, {"abcdefgh"})
    while isinstance(found, dict):
        found = found["a"]
    assert found == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


@pytest.mark.parametrize("name", ["client_secret", "access_token", "m365d_client_secret", "m365d_client_certificate_password"])
@pytest.mark.parametrize("value", [["abcdefgh"], {"value": "abcdefgh"}])
def test_a_secret_that_is_no_text_is_refused_without_being_shown(name: str, value: Any) -> None:
    with pytest.raises(AnsibleLookupError, match="must be a text") as caught:
        _refuse_secrets_that_are_no_text({name: value}, "m365d_token")
    assert "abcdefgh" not in str(caught.value)
    _refuse_secrets_that_are_no_text({name: "abcdefgh", "client_id": ["x"]}, "m365d_token")
