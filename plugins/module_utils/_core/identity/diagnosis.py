# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What an error of Entra ID means for a partner: the consent state, a sentence, the next step, and whom it concerns.

Codes and meanings: the error reference of the Microsoft identity platform; where that is silent, what independent
clients have recorded. The documentation allows to branch on the field `error` alone, but that is too coarse to help
(`invalid_client` stands for a wrong secret and for a missing consent alike), so the numeric code decides and `error`
serves for codes that are not in the table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import AuthenticationError, CredentialError, PartnerError, Scope, TransportError
from ..transport import Response, origin_of, throttled_error


@dataclass(frozen=True)
class Diagnosis:
    """The meaning of one AADSTS code.

    :param state: the consent state of the tenant.
    :param sentence: the cause.
    :param next_step: what to do about it.
    :param scope: `tenant` when other tenants are not concerned; `credential` when every tenant would answer alike,
        because the credential, the app's registration or the request is at fault.
    :param transient: the same request is expected to succeed in a moment.
    :param settles: it ends by itself within minutes, since a change is still on its way through the service.
    """

    state: str
    sentence: str
    next_step: str
    scope: Scope = "tenant"
    transient: bool = False
    settles: bool = False


def _tenant(state: str, sentence: str, next_step: str, *, settles: bool = False) -> Diagnosis:
    return Diagnosis(state, sentence, next_step, settles=settles)


def _credential(sentence: str, next_step: str, *, settles: bool = False) -> Diagnosis:
    return Diagnosis("credential_error", sentence, next_step, "credential", settles=settles)


def _sign_in(sentence: str, next_step: str) -> Diagnosis:
    """A person's sign-in to one tenant: the next tenant has accounts, policies and codes of its own."""
    return Diagnosis("credential_error", sentence, next_step)


def _transient(sentence: str) -> Diagnosis:
    return Diagnosis("unreachable", sentence, "Try again in a moment.", transient=True)


_SEND_LINK = "Send the customer the consent link (m365d.partner.m365d_consent_url) and have an administrator accept."
_ASK_CUSTOMER = "Ask the customer's administrator to allow the app."
_RENEW = "Create a new secret with m365d.partner.m365d_app_credential and use its value (not its ID)."
_CHECK_CERTIFICATE = "Use the certificate that is registered on the app, or register this one."
_CHECK_FEDERATION = "Compare issuer, subject and audience of the assertion with the federated credential on the app; case matters."
_REPORT = "This is the collection's request; check endpoint_version and resource, and report it if they are right."
_SIGN_IN_AGAIN = "Sign in again: auth_method=device_code shows a new code; for Azure CLI, use `az login --tenant TENANT`."
_USER_ACCOUNT = "Sign in with another account, or use an app credential, which needs no user."

DIAGNOSES: Mapping[int, Diagnosis] = {
    # The app in the tenant
    700016: _tenant(
        "not_consented", "The app is not present in this tenant: consent was never given, or was removed.", _SEND_LINK, settles=True
    ),
    7000229: _tenant(
        "not_consented",
        "The app has no service principal in this tenant: consent was never given, or was removed.",
        _SEND_LINK,
        settles=True,
    ),
    7000112: _tenant(
        "disabled", "The customer has disabled the app in this tenant.", "Ask the customer to enable the enterprise application again."
    ),
    70001: _tenant("disabled", "The app is disabled for this tenant.", "Ask the customer to enable the enterprise application again."),
    1000031: _tenant(
        "blocked", "The app cannot be accessed in this tenant at this time.", "Try again later; then ask the customer's administrator."
    ),
    65001: _tenant("not_consented", "No consent was given for the permissions asked on behalf of a user.", _SEND_LINK, settles=True),
    65004: _tenant("not_consented", "The consent was declined.", _SEND_LINK),
    90093: _tenant(
        "not_consented", "The consent could not be recorded: the signed-in user lacks the right.", "Have a Global Administrator consent."
    ),
    90094: _tenant("not_consented", "An administrator has to consent.", _SEND_LINK),
    90095: _tenant(
        "not_consented", "The customer's consent workflow waits for an administrator.", "Ask the customer to decide on the request."
    ),
    90099: _tenant(
        "not_consented",
        "The app is not authorised in this tenant; a delegated administrator has to pre-consent.",
        "Record the consent through Partner Center, or send the customer the consent link.",
    ),
    50105: _tenant("blocked", "The app demands an assignment, and the caller is not assigned to it.", _ASK_CUSTOMER),
    501051: _tenant("blocked", "The resource demands an assignment, and the app is not assigned to it.", _ASK_CUSTOMER),
    # The product in the tenant
    500011: _tenant(
        "not_licensed",
        "The resource does not exist in this tenant: Microsoft Defender is not set up there, or the resource name is wrong.",
        "Ask the customer to license and open Microsoft Defender once; else check resource.",
    ),
    500014: _tenant(
        "not_licensed",
        "The resource is disabled in this tenant: a subscription ended, or the customer disabled the resource's enterprise application.",
        "Ask the customer to renew the subscription or to enable the resource.",
    ),
    50001: _tenant(
        "not_licensed", "The resource is disabled or missing in this tenant.", "Ask the customer to license Microsoft Defender."
    ),
    650052: _tenant(
        "not_licensed",
        "The app needs a service that this tenant has not subscribed to or enabled.",
        "Ask the customer to license Microsoft Defender.",
    ),
    # The tenant itself
    90002: _tenant("unknown_tenant", "There is no such tenant at this login host.", "Check the spelling of tenant_id, and the cloud."),
    900021: _tenant("unknown_tenant", "The tenant is not named properly.", "Give the tenant's GUID or one of its verified domains."),
    900023: _tenant(
        "unknown_tenant", "The tenant is neither a GUID nor a domain.", "Give the tenant's GUID or one of its verified domains."
    ),
    900382: _tenant("unknown_tenant", "The tenant belongs to another national cloud.", "Choose the tenant's cloud, or cloud=auto."),
    90038: _tenant("unknown_tenant", "The tenant belongs to another national cloud.", "Choose the tenant's cloud, or cloud=auto."),
    900432: _tenant("unknown_tenant", "The tenant belongs to another national cloud.", "Choose the tenant's cloud, or cloud=auto."),
    50059: _tenant("unknown_tenant", "The request names no tenant.", "Give the tenant's GUID or one of its verified domains."),
    50049: _tenant("unknown_tenant", "The login host does not know the instance that was named.", "Check login_url and the cloud."),
    9001023: _tenant("unknown_tenant", "A token for an app needs one tenant, not a shared address.", "Give the tenant's GUID."),
    90124: _tenant("unknown_tenant", "The grant is not possible at a shared address.", "Give the tenant's GUID."),
    90130: _tenant("unknown_tenant", "The app is not possible at a shared address.", "Give the tenant's GUID."),
    50194: _credential(
        "The app is not multi-tenant.", "Register it with sign_in_audience AzureADMultipleOrgs (m365d.partner.m365d_app does)."
    ),
    # Policies of the tenant
    53003: _tenant("blocked", "A Conditional Access policy of the customer blocks the app.", _ASK_CUSTOMER),
    530003: _tenant("blocked", "A policy of the customer demands a managed device.", _USER_ACCOUNT),
    530032: _tenant("blocked", "A security policy of the customer blocks the sign-in.", _ASK_CUSTOMER),
    530034: _tenant("blocked", "The delegated administrator is blocked because of account risk.", _USER_ACCOUNT),
    500021: _tenant(
        "blocked", "Tenant restrictions of the network deny this tenant.", "Ask the network's administrator to allow the tenant."
    ),
    500022: _tenant(
        "blocked", "Tenant restrictions of the network deny this tenant.", "Ask the network's administrator to allow the tenant."
    ),
    500212: _tenant("blocked", "The outbound cross-tenant access policy denies this tenant.", "Change the policy of the home tenant."),
    500213: _tenant("blocked", "The customer's inbound cross-tenant access policy denies the access.", _ASK_CUSTOMER),
    # The credential
    7000215: _credential("The client secret is wrong; often the secret's ID was given instead of its value.", _RENEW, settles=True),
    7000222: _credential("The client secret or certificate has expired.", "Renew it with m365d.partner.m365d_app_credential."),
    700027: _credential(
        "The signature of the client assertion does not match any certificate of the app.", _CHECK_CERTIFICATE, settles=True
    ),
    700024: _credential(
        "The client assertion is outside its time of validity.", "Set this machine's clock; a stored assertion has to be renewed."
    ),
    700021: _credential("The client assertion was made for another app.", "Make the assertion for client_id, or correct client_id."),
    5002723: _credential(
        "The client assertion does not say which certificate signed it.", "Add x5t#S256 or kid to the assertion's header."
    ),
    5002738: _credential("The client assertion is signed with an algorithm that is not accepted.", "Sign with PS256 or RS256."),
    50027: _credential("The client assertion is malformed.", "Check what client_assertion_path or client_assertion_command gives."),
    50012: _credential("The authentication of the app failed.", _CHECK_CERTIFICATE),
    7000216: _credential("No client secret or assertion reached the service.", "Check that the credential option is not empty."),
    7000218: _credential(
        "The app is not a public client, so it needs a secret or an assertion.",
        "Allow public client flows on the app, or use an app credential.",
    ),
    700025: _credential(
        "The app is a public client and must not send a credential.", "Use auth_method=device_code, or make it a confidential client."
    ),
    70021: _credential(
        "No federated credential of the app matches the assertion; a new one takes minutes to be known.", _CHECK_FEDERATION, settles=True
    ),
    700211: _credential("No federated credential of the app matches the assertion's issuer.", _CHECK_FEDERATION, settles=True),
    700212: _credential("No federated credential of the app matches the assertion's audience.", _CHECK_FEDERATION, settles=True),
    700213: _credential("No federated credential of the app matches the assertion's subject.", _CHECK_FEDERATION, settles=True),
    700229: _credential("An assertion issued by Entra ID must be an app's, not a user's.", "Use a managed identity's or an app's token."),
    # The app's registration
    650053: _credential("The app asks for a permission that the resource does not have.", "Correct the app's permissions."),
    650054: _credential("The app asks for permissions of a resource that was removed.", "Correct the app's permissions."),
    650056: _credential(
        "The app is misconfigured: it does not declare permissions of this resource.", "Declare them, then have the customer consent."
    ),
    650057: _credential(
        "The resource is not among the app's declared permissions.", "Declare its permissions on the app, then have the customer consent."
    ),
    50011: _credential("The redirect URI is not registered on the app.", "Register it; it is compared exactly."),
    500113: _credential("No redirect URI is registered on the app.", "Register one (m365d.partner.m365d_app, redirect_uris)."),
    # The request
    70011: _credential("The scope is not valid.", _REPORT),
    1002012: _credential("The scope must end in /.default for an app's token.", _REPORT),
    28002: _credential("The scope is empty or not valid.", _REPORT),
    28003: _credential("The scope is empty or not valid.", _REPORT),
    700022: _credential("The scope names more than one resource.", _REPORT),
    700023: _credential("The scope names no resource.", _REPORT),
    901002: _credential("The v2 endpoint takes no resource parameter.", "Use endpoint_version=v1 for a v1 request."),
    900144: _credential("A parameter is missing in the request.", _REPORT),
    90014: _credential(
        "A field is missing in the request or in the assertion.", "Check that the assertion holds iss, sub, aud, exp and jti."
    ),
    9002313: _credential("The request is malformed.", _REPORT),
    900561: _credential("The token endpoint accepts POST alone.", "Check login_url and whether a proxy changes requests."),
    70003: _credential("The grant is not supported.", _REPORT),
    # Users
    50034: _sign_in("The user account does not exist in this tenant.", _USER_ACCOUNT),
    50020: _sign_in("The user account comes from another directory and is unknown in this tenant.", _USER_ACCOUNT),
    50058: _sign_in("No user is signed in.", _SIGN_IN_AGAIN),
    50076: _sign_in("The user has to pass multi-factor authentication.", _SIGN_IN_AGAIN),
    50079: _sign_in("The user has to enrol for multi-factor authentication.", _SIGN_IN_AGAIN),
    50126: _sign_in("User name or password is wrong.", _SIGN_IN_AGAIN),
    54005: _sign_in("The authorization code was already used.", _SIGN_IN_AGAIN),
    70000: _sign_in("The grant is not valid any more.", _SIGN_IN_AGAIN),
    70008: _sign_in("The code or refresh token has expired.", _SIGN_IN_AGAIN),
    501481: _sign_in("The authorization code was redeemed with another code verifier.", _SIGN_IN_AGAIN),
    9002325: _credential("The authorization code was redeemed without a code verifier.", "Use a client that sends one (PKCE)."),
    700082: _sign_in("The refresh token has expired, since it was not used.", _SIGN_IN_AGAIN),
    700005: _sign_in("The code was issued for another tenant.", _SIGN_IN_AGAIN),
    70016: _sign_in("Nobody finished the sign-in while the code was good.", _SIGN_IN_AGAIN),
    70018: _sign_in("The device code is wrong.", _SIGN_IN_AGAIN),
    70019: _sign_in("The device code has expired before anybody entered it.", _SIGN_IN_AGAIN),
    70020: _sign_in("The device code has expired before anybody entered it.", _SIGN_IN_AGAIN),
    # The service
    90055: Diagnosis("unreachable", "The tenant is throttled by the sign-in service.", "Try again in some minutes, with fewer requests."),
    50196: Diagnosis(
        "unreachable", "The sign-in service saw the same request too often.", "Keep tokens in the cache, and try again in some minutes."
    ),
    90033: _transient("The sign-in service is unavailable for a moment."),
    90006: _transient("The sign-in service had an internal fault."),
    90024: _transient("The sign-in service ran out of time for the request."),
    50033: _transient("The sign-in service had an internal fault."),
}

# For codes that are not in the table (RFC 6749 section 5.2, and Entra ID's own values). They concern one tenant: a code
# that nobody has looked at must not end a run over a thousand others.
_BY_ERROR: Mapping[str, Diagnosis] = {
    "invalid_client": _tenant(
        "credential_error", "The sign-in service does not accept the app's credential.", "Check client_id and the credential."
    ),
    "unauthorized_client": _tenant("not_consented", "The app may not get a token in this tenant.", _SEND_LINK),
    "invalid_resource": _tenant(
        "not_licensed", "The resource does not exist in this tenant.", "Check resource and the customer's licences."
    ),
    "invalid_tenant": _tenant("unknown_tenant", "There is no such tenant at this login host.", "Check tenant_id and cloud."),
    "consent_required": _tenant("not_consented", "Consent is missing.", _SEND_LINK),
    "authorization_declined": _tenant("not_consented", "The user declined the sign-in.", _SIGN_IN_AGAIN),
    # What is heard last where the code expires before anybody entered it.
    "authorization_pending": _sign_in("Nobody finished the sign-in while the code was good.", _SIGN_IN_AGAIN),
    "expired_token": _tenant("credential_error", "The device code has expired before anybody entered it.", _SIGN_IN_AGAIN),
    "bad_verification_code": _tenant("credential_error", "The device code is wrong.", _SIGN_IN_AGAIN),
    "interaction_required": _tenant("blocked", "A policy of the customer demands a user's interaction.", _ASK_CUSTOMER),
    "access_denied": _tenant("blocked", "A policy of the customer denies the access.", _ASK_CUSTOMER),
    "temporarily_unavailable": _transient("The sign-in service is unavailable for a moment."),
    "server_error": _transient("The sign-in service had an internal fault."),
}
_UNKNOWN = _tenant("blocked", "The sign-in service refused the request.", "See what it said, and the error reference of Entra ID.")

_CODE = re.compile(r"AADSTS([0-9]{1,12})")
_TRAILER = re.compile(r"\s*(?:Trace ID|Correlation ID|Timestamp):.*", re.DOTALL)


def diagnose(
    body: Mapping[str, Any],
    *,
    attempted: str | None = None,
    tenant_id: str | None = None,
    http_status: int | None = None,
    request_id: str | None = None,
) -> PartnerError:
    """Return the error that an OAuth error body of Entra ID stands for.

    :param body: the parsed body: `error`, `error_description`, `error_codes`, `trace_id`.
    :return: `CredentialError` when every tenant is concerned, else `AuthenticationError`.
    """
    description = str(body.get("error_description") or "")
    codes = _codes(body, description)
    known = next((code for code in codes if code in DIAGNOSES), None)
    diagnosis = DIAGNOSES[known] if known is not None else _BY_ERROR.get(str(body.get("error")), _UNKNOWN)
    code = known if known is not None else next(iter(codes), None)
    kind = CredentialError if diagnosis.scope == "credential" else AuthenticationError
    return kind(
        diagnosis.sentence,
        attempted=attempted,
        tenant_id=tenant_id,
        state=diagnosis.state,
        code=f"AADSTS{code}" if code is not None else str(body.get("error") or "") or None,
        next_step=diagnosis.next_step,
        http_status=http_status,
        request_id=str(body.get("trace_id") or "") or request_id,
        service_message=_TRAILER.sub("", description),
        scope=diagnosis.scope,
        retryable=diagnosis.transient or diagnosis.settles or diagnosis.state == "unreachable",
    )


def diagnose_answer(response: Response) -> PartnerError:
    """Return the error for an answer of the login host that is not a success."""
    if response.status == 429:
        return throttled_error(response)
    try:
        body = json.loads(response.text)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, Mapping) and isinstance(body.get("error"), str):
        return diagnose(
            body, attempted=response.attempted, tenant_id=response.tenant_id, http_status=response.status, request_id=response.request_id
        )
    return TransportError(
        f"{origin_of(response.url)} answered something that the sign-in service never says.",
        attempted=response.attempted,
        tenant_id=response.tenant_id,
        state="unreachable",
        http_status=response.status,
        request_id=response.request_id,
        service_message=response.text,
        next_step="Check login_url and that no proxy or sign-in page answers in its place.",
        retryable=response.status >= 500,
    )


def is_transient(error: PartnerError) -> bool:
    """Whether an error of the token endpoint is one of those that pass in a moment."""
    diagnosis = _of(error)
    return diagnosis.transient if diagnosis else False


def settles(error: PartnerError) -> bool:
    """Whether an error may end by itself within minutes: a consent or a credential that was given just now."""
    diagnosis = _of(error)
    return diagnosis.settles if diagnosis else False


def _of(error: PartnerError) -> Diagnosis | None:
    code = error.code or ""
    match = _CODE.fullmatch(code)
    return DIAGNOSES.get(int(match.group(1))) if match else _BY_ERROR.get(code)


def _codes(body: Mapping[str, Any], description: str) -> list[int]:
    """Return the numeric codes, those of `error_codes` first; the description repeats the main one."""
    listed = body.get("error_codes")
    codes = [int(code) for code in listed if re.fullmatch(r"[0-9]{1,12}", str(code))] if isinstance(listed, list) else []
    return codes + [int(match) for match in _CODE.findall(description)]
