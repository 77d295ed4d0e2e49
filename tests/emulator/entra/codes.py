# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AADSTS codes: the OAuth error they come with, the HTTP status and the sentence.

HTTP 401 goes with `invalid_client` alone. Sentences name the same things as the real ones; clients must not parse them.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """How one AADSTS code is answered at the token endpoint."""

    error: str
    text: str
    status: int = 400
    suberror: str | None = None
    error_uri: bool = False


_CLIENT = "invalid_client"
_REQUEST = "invalid_request"
_GRANT = "invalid_grant"

CODES: dict[int, Code] = {
    # -- tenant ---------------------------------------------------------------------------------------------------
    90002: Code(
        _REQUEST,
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check "
        "with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
        error_uri=True,
    ),
    900021: Code(
        _REQUEST, "Requested tenant identifier '{tenant}' is not valid. Tenant identifiers may not be an empty GUID.", error_uri=True
    ),
    900023: Code(
        _REQUEST,
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
        error_uri=True,
    ),
    90038: Code(_REQUEST, "Tenant '{tenant}' request is being redirected to the National Cloud '{cloud}'.", error_uri=True),
    900382: Code(_REQUEST, "Confidential Client is not supported in Cross Cloud request.", error_uri=True),
    900432: Code(_REQUEST, "Confidential Client is not supported in Cross Cloud request."),
    50194: Code(
        _REQUEST,
        "Application '{client}'({name}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported "
        "for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
    ),
    9001023: Code(
        _REQUEST,
        "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or "
        "tenant-specific endpoint.",
        error_uri=True,
    ),
    90124: Code(
        _REQUEST, "Resource '{resource}' is not supported over the /common or /consumers endpoints. Use a tenant-specific endpoint."
    ),
    90130: Code(
        _REQUEST,
        "Application '{client}' ({name}) is not supported over the /common or /consumers endpoints. Please use the /organizations or "
        "tenant-specific endpoint.",
    ),
    50059: Code(_REQUEST, "No tenant-identifying information found in either the request or implied by any provided credentials."),
    # -- request --------------------------------------------------------------------------------------------------
    900144: Code(_REQUEST, "The request body must contain the following parameter: '{parameter}'.", error_uri=True),
    90014: Code(
        _REQUEST,
        "The required field '{parameter}' is missing from the credential. Ensure that you have all the necessary parameters "
        "for the login request.",
        error_uri=True,
    ),
    9002313: Code(_REQUEST, "Invalid request. Request is malformed or invalid.", error_uri=True),
    900561: Code(_REQUEST, "The endpoint only accepts {allowed} requests. Received a {method} request.", error_uri=True),
    901002: Code(_REQUEST, "The 'resource' request parameter is not supported.", error_uri=True),
    70003: Code("unsupported_grant_type", "The app requested an unsupported grant type '{grant}'.", error_uri=True),
    70011: Code(
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is "
        "not valid. The scope {scope} is not valid.",
    ),
    1002012: Code(
        "invalid_scope",
        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the "
        "resource identifier (application ID URI).",
    ),
    28002: Code(_REQUEST, "Provided value for the input parameter scope '{scope}' is not valid when requesting an access token."),
    28003: Code(_REQUEST, "Provided value for the input parameter scope cannot be empty when requesting an access token."),
    700022: Code(
        "invalid_scope",
        "The provided value for the input parameter scope '{scope}' is not valid because it contains more than one resource.",
    ),
    700023: Code(
        "invalid_scope", "The provided value for the input parameter scope '{scope}' is not valid because it contains no resource."
    ),
    # -- application ----------------------------------------------------------------------------------------------
    700016: Code(
        "unauthorized_client",
        "Application with identifier '{client}' was not found in the directory '{directory}'. This can happen if the application has not "
        "been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your "
        "authentication request to the wrong tenant.",
        error_uri=True,
    ),
    7000229: Code(
        _CLIENT,
        "The client application {client} is missing service principal in the tenant {tenant}. See instructions here: "
        "https://go.microsoft.com/fwlink/?linkid=2225119",
        401,
    ),
    7000112: Code("unauthorized_client", "Application '{client}'({name}) is disabled."),
    70001: Code("unauthorized_client", "Application '{client}' is disabled or does not exist."),
    1000031: Code("unauthorized_client", "Application '{client}' cannot be accessed at this time. Contact your administrator."),
    90099: Code(
        "unauthorized_client",
        "The application '{client}' ({name}) has not been authorized in the tenant '{tenant}'. Applications must be authorized to access "
        "the external tenant before partner delegated administrators can use them. Provide pre-consent or execute the appropriate Partner "
        "Center API to authorize the application.",
    ),
    500011: Code(
        "invalid_resource",
        "The resource principal named {resource} was not found in the tenant named {directory}. This can happen if the application has "
        "not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your "
        "authentication request to the wrong tenant.",
        error_uri=True,
    ),
    500014: Code(
        "invalid_resource",
        "The service principal for resource '{resource}' is disabled. This indicate that a subscription within the tenant has lapsed, or "
        "that the administrator for this tenant has disabled the application, preventing tokens from being issued for it.",
    ),
    50001: Code("invalid_resource", "The resource '{resource}' is disabled or does not exist."),
    650052: Code(
        _CLIENT,
        "The app is trying to access a service '{resource}'({resource_name}) that your organization '{directory}' lacks a service "
        "principal for. Contact your IT Admin to review the configuration of your service subscriptions or consent to the application in "
        "order to create the required service principal.",
    ),
    650053: Code(
        "invalid_resource", "The application '{client}' asked for scope '{scope}' that doesn't exist on the resource '{resource}'."
    ),
    650054: Code(
        "invalid_resource",
        "The application '{client}' asked for permissions to access a resource that has been removed or is no longer available.",
    ),
    650056: Code(
        _REQUEST,
        "Misconfigured application. The client has not listed any permissions for '{resource}' in the requested permissions in "
        "its registration.",
    ),
    650057: Code(
        "invalid_resource",
        "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's "
        "application registration. Client app ID: {client}({name}). Resource value from request: {resource}.",
    ),
    50105: Code(
        _GRANT,
        "Your administrator has configured the application {name} ('{client}') to block users unless they are specifically "
        "granted access to the application.",
    ),
    501051: Code(_GRANT, "Application '{client}'({name}) is not assigned to a role for the application '{resource}'({resource_name})."),
    # -- credential -----------------------------------------------------------------------------------------------
    7000215: Code(
        _CLIENT,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret "
        "ID, for a secret added to app '{client}'.",
        401,
        error_uri=True,
    ),
    7000222: Code(
        _CLIENT,
        "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for your app: "
        "https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.",
        401,
        error_uri=True,
    ),
    7000216: Code(
        _CLIENT,
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        401,
        error_uri=True,
    ),
    7000218: Code(
        _CLIENT, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", 401, error_uri=True
    ),
    700025: Code(_CLIENT, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.", 401, error_uri=True),
    700027: Code(
        _CLIENT,
        "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}]",
        401,
        error_uri=True,
    ),
    700024: Code(
        _CLIENT,
        "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {start}, expiry time "
        "of assertion {end}.",
        401,
        error_uri=True,
    ),
    700021: Code(
        _CLIENT,
        "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at "
        "https://learn.microsoft.com/entra/identity-platform/certificate-credentials.",
        401,
        error_uri=True,
    ),
    5002723: Code(
        _CLIENT,
        "Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId are specified in token header.",
        401,
    ),
    5002738: Code(
        _CLIENT,
        "Invalid JWT token. '{algorithm}' is not a supported signature algorithm. Supported signing algorithms are: '{supported}'.",
        401,
    ),
    50027: Code(_REQUEST, "JWT token is invalid or malformed.", error_uri=True),
    50012: Code(_CLIENT, "Authentication failed. {reason}", 401),
    70021: Code(
        _CLIENT,
        "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. Assertion Subject: "
        "'{subject}'. Assertion Audience: '{audience}'.",
        401,
        error_uri=True,
    ),
    700211: Code(_CLIENT, "No matching federated identity record found for presented assertion issuer '{issuer}'.", 401, error_uri=True),
    700212: Code(
        _CLIENT, "No matching federated identity record found for presented assertion audience '{audience}'.", 401, error_uri=True
    ),
    700213: Code(_CLIENT, "No matching federated identity record found for presented assertion subject '{subject}'.", 401, error_uri=True),
    700229: Code(_CLIENT, "For AAD-issued assertions, only app tokens can be used as Federated Identity Credentials.", 401),
    # -- policy ---------------------------------------------------------------------------------------------------
    53003: Code(
        "interaction_required",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        suberror="message_only",
        error_uri=True,
    ),
    530003: Code("interaction_required", "Your device is required to be managed to access this resource.", suberror="message_only"),
    530032: Code(_GRANT, "Blocked by security policy."),
    530034: Code(_GRANT, "A delegated administrator was blocked from accessing the tenant due to account risk in their home tenant."),
    500021: Code(_GRANT, "Access to '{directory}' tenant is denied."),
    500022: Code(_REQUEST, "The tenant restriction header is not valid."),
    500212: Code(_GRANT, "The user's administrator has set an outbound access policy that doesn't allow access to the resource tenant."),
    500213: Code(_GRANT, "The resource tenant's cross-tenant access policy doesn't allow this user to access this tenant."),
    # -- service --------------------------------------------------------------------------------------------------
    90055: Code(_GRANT, "The server terminated an operation because it encountered a tenant throttling limit."),
    50196: Code(_GRANT, "The server terminated an operation because it encountered a client request loop. Please contact your app vendor."),
    90033: Code("temporarily_unavailable", "A transient error has occurred. Please try again.", 503),
    90006: Code("server_error", "External server error: the service is temporarily unavailable."),
    90024: Code("temporarily_unavailable", "RequestBudgetExceededError: a transient error has occurred. Please try again.", 503),
    50033: Code("temporarily_unavailable", "RetryableError: a transient error has occurred. Please try again.", 503),
    # -- people ---------------------------------------------------------------------------------------------------
    50011: Code(
        _REQUEST,
        "The redirect URI '{redirect}' specified in the request does not match the redirect URIs configured for the "
        "application '{client}'. Make sure the redirect URI sent in the request matches one added to your application in the "
        "Azure portal.",
    ),
    500113: Code(_REQUEST, "No reply address is registered for the application."),
    50020: Code(
        _GRANT,
        "User account '{user}' from identity provider '{issuer}' does not exist in tenant '{directory}' and cannot access the "
        "application '{client}'({name}) in that tenant. The account needs to be added as an external user in the tenant first.",
    ),
    50034: Code(
        _GRANT,
        "The user account {user} does not exist in the {directory} directory. To sign into this application, the account must "
        "be added to the directory.",
    ),
    50049: Code("invalid_instance", "Unknown or invalid instance."),
    50058: Code("login_required", "A silent sign-in request was sent but no user is signed in."),
    50076: Code(
        "interaction_required",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must use "
        "multi-factor authentication to access '{resource}'.",
        suberror="basic_action",
    ),
    50079: Code(
        "interaction_required",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in "
        "multi-factor authentication to access '{resource}'.",
        suberror="basic_action",
    ),
    50126: Code(_GRANT, "Error validating credentials due to invalid username or password."),
    65001: Code(
        _GRANT,
        "The user or administrator has not consented to use the application with ID '{client}' named '{name}'. Send an "
        "interactive authorization request for this user and resource.",
        suberror="consent_required",
    ),
    65004: Code("access_denied", "User declined to consent to access the app."),
    90093: Code(_GRANT, "Graph returned a forbidden error while the grant was made: the administrator may not consent to '{resource}'."),
    90094: Code(
        "access_denied",
        "An administrator of {directory} has set a policy that prevents you from granting {name} the permissions it is "
        "requesting. Contact an administrator, who can grant permissions to this app on your behalf.",
    ),
    90095: Code("access_denied", "Admin consent is required; a request for approval can be sent to the administrators of {directory}."),
    9002325: Code(_REQUEST, "Proof Key for Code Exchange is required for cross-origin authorization code redemption."),
    54005: Code(
        _GRANT, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."
    ),
    70000: Code(_GRANT, "Provided grant is invalid or malformed."),
    700005: Code(_GRANT, "Provided Authorization Code is intended to use against other tenant, thus rejected."),
    70008: Code(
        _GRANT,
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization "
        "request for this user and resource.",
    ),
    700082: Code(_GRANT, "The refresh token has expired due to inactivity."),
    501481: Code(_GRANT, "The Code_Verifier does not match the code_challenge supplied in the authorization request."),
    70016: Code("authorization_pending", "OAuth 2.0 device flow error. Authorization is pending. Continue polling.", error_uri=True),
    70018: Code("authorization_declined", "OAuth 2.0 device flow error. The user declined the request."),
    70019: Code("bad_verification_code", "Verification code is invalid or was already used."),
    70020: Code("expired_token", "The provided value for the input parameter 'device_code' is not valid. This device code has expired."),
}
