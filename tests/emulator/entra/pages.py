# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML a person sees. Plain forms without scripts: a browser, or a few HTTP requests, can drive them."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

from ..context import RequestContext
from .consent import Ask
from .errors import EntraError, describe, token_headers

_STYLE = (
    "body{font-family:Segoe UI,sans-serif;background:#f2f2f2}main{background:#fff;max-width:28em;margin:4em auto;padding:2.5em;"
    "box-shadow:0 2px 6px #0003}input[type=text],input[type=password]{width:100%;margin:.4em 0;padding:.5em;box-sizing:border-box}"
    "button{padding:.5em 1.5em;margin:.8em .4em 0 0}.error{color:#b00}small{color:#555;word-break:break-all}"
)


def _page(context: RequestContext, title: str, body: str, status: int = 200) -> HTMLResponse:
    html = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )
    headers = token_headers(context) | {
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return HTMLResponse(html, status_code=status, headers=headers)


def _hidden(**fields: str) -> str:
    return "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items())


def sign_in_page(context: RequestContext, *, canary: str, hint: str = "", problem: EntraError | None = None) -> HTMLResponse:
    """The sign-in form; it posts to the URL it was fetched from."""
    error = ""
    if problem is not None:
        error = f'<p class="error" id="error" data-code="{problem.code}">{escape(describe(problem, context))}</p>'
    form = (
        f'{error}<form method="post">{_hidden(canary=canary)}'
        f'<label>User name<input type="text" name="username" value="{escape(hint)}" autocomplete="username"></label>'
        '<label>Password<input type="password" name="password" autocomplete="current-password"></label>'
        '<button type="submit">Sign in</button></form>'
    )
    return _page(context, "Sign in to your account", form)


def consent_page(
    context: RequestContext, *, flow: str, app_name: str, publisher: str, username: str, asks: list[Ask], whole_tenant: bool
) -> HTMLResponse:
    """The list of permissions with Accept and Cancel."""
    items = ""
    for ask in asks:
        for _id, value in ask.roles:
            items += f'<li data-kind="Role">{escape(ask.resource.display_name)}: {escape(value)} (application permission)</li>'
        for value in ask.scopes:
            items += f'<li data-kind="Scope">{escape(ask.resource.display_name)}: {escape(value)} (on behalf of people)</li>'
    whom = "for your organization" if whole_tenant else "for you"
    body = (
        f"<p>{escape(username)}</p><p><strong>{escape(app_name)}</strong> ({escape(publisher)}, unverified) asks {whom}:</p>"
        f'<ul id="permissions">{items}</ul><form method="post">{_hidden(flow=flow)}'
        '<button type="submit" name="consent" value="accept">Accept</button>'
        '<button type="submit" name="consent" value="cancel">Cancel</button></form>'
    )
    return _page(context, "Permissions requested", body)


def approval_page(context: RequestContext, problem: EntraError, *, flow: str) -> HTMLResponse:
    """What somebody sees who may not consent: the need for an administrator, and a way back to the application."""
    body = (
        f'<p class="error" id="error" data-code="{problem.code}">{escape(describe(problem, context))}</p>'
        f'<form method="post">{_hidden(flow=flow)}'
        '<button type="submit" name="consent" value="cancel">Return to the application</button></form>'
    )
    context.error = f"AADSTS{problem.code}"
    return _page(context, "Need admin approval", body)


def error_page(context: RequestContext, problem: EntraError) -> HTMLResponse:
    """An error that is not given back to the application."""
    context.error = f"AADSTS{problem.code}"
    body = f'<p class="error" id="error" data-code="{problem.code}">{escape(describe(problem, context))}</p>'
    return _page(context, "Sorry, but we're having trouble signing you in.", body, context.cloud.settings.error_page_status)


def device_page(context: RequestContext, *, canary: str, user_code: str = "", problem: EntraError | None = None) -> HTMLResponse:
    """The form for the code that a device shows."""
    error = f'<p class="error" id="error" data-code="{problem.code}">{escape(describe(problem, context))}</p>' if problem else ""
    form = (
        f'{error}<form method="post">{_hidden(canary=canary)}'
        f'<label>Code<input type="text" name="user_code" value="{escape(user_code)}"></label>'
        '<label>User name<input type="text" name="username"></label><label>Password<input type="password" name="password"></label>'
        '<button type="submit" name="consent" value="accept">Continue</button>'
        '<button type="submit" name="consent" value="cancel">Cancel</button></form>'
    )
    return _page(context, "Enter code", form)


def done_page(context: RequestContext, text: str) -> HTMLResponse:
    """A plain closing page."""
    return _page(context, "Done", f'<p id="done">{escape(text)}</p>')
