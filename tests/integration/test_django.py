# SPDX-License-Identifier: MIT
"""Django's secrets under the patch."""

from __future__ import annotations

import pytest

pytest.importorskip("django", reason="Django is not installed")

from django.conf import settings

import vgetrandom
from support.running import in_child
from vgetrandom import patch

if not settings.configured:
    settings.configure(SECRET_KEY="not one", CACHES={})

from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.middleware.csrf import _get_new_csrf_string
from django.utils.crypto import get_random_string

MAKERS = {
    "get_random_string": lambda: get_random_string(32),
    "CSRF token": _get_new_csrf_string,
    "session key": lambda: SessionStore()._get_new_session_key(),
}


@pytest.mark.parametrize("name", MAKERS)
def test_draws_from_vgetrandom_and_repeats_nothing_in_a_forked_worker(name: str) -> None:
    make = MAKERS[name]
    with patch.installed():
        before = vgetrandom.stats().refills
        made = [make() for _ in range(200)]
        assert vgetrandom.stats().refills > before
        made += in_child(lambda: " ".join(make() for _ in range(200)).encode()).decode().split()
        made += [make() for _ in range(200)]
    assert len(set(made)) == 600
    assert {len(one) for one in made} == {32}
